package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Table is a title, a header, rows of as many cells, and what is to be said below.
type Table struct {
	Title  string
	Header []string
	Rows   [][]string
	Notes  []string
	words  int // so many columns from the left are words; the others are figures
}

// Text writes the table for a terminal.
func (t *Table) Text(w io.Writer) error {
	widths := t.widths()
	var b strings.Builder
	if t.Title != "" {
		b.WriteString(t.Title + "\n")
	}
	for _, row := range append([][]string{t.Header}, t.Rows...) {
		var line strings.Builder
		for i, cell := range row {
			if i > 0 {
				line.WriteString("  ")
			}
			line.WriteString(t.pad(cell, i, widths[i]))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	for _, note := range t.Notes {
		b.WriteString("  " + note + "\n")
	}
	_, err := io.WriteString(w, b.String()+"\n")
	return err
}

// Markdown writes the table for a page.
func (t *Table) Markdown(w io.Writer) error {
	var b strings.Builder
	if t.Title != "" {
		b.WriteString(t.Title + "\n\n")
	}
	line := func(cells []string) {
		for _, cell := range cells {
			b.WriteString("| " + strings.ReplaceAll(cell, "|", `\|`) + " ")
		}
		b.WriteString("|\n")
	}
	line(t.Header)
	for i := range t.Header {
		b.WriteString(t.rule(i))
	}
	b.WriteString("|\n")
	for _, row := range t.Rows {
		line(row)
	}
	for i, note := range t.Notes {
		if i == 0 {
			b.WriteString("\n")
		}
		b.WriteString("- " + note + "\n")
	}
	_, err := io.WriteString(w, b.String()+"\n")
	return err
}

// rule is what stands below the i-th cell of the header.
func (t *Table) rule(i int) string {
	if i < t.words {
		return "|---"
	}
	return "|--:"
}

func (t *Table) widths() []int {
	widths := make([]int, len(t.Header))
	for _, row := range append([][]string{t.Header}, t.Rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

func (t *Table) pad(cell string, i, width int) string {
	space := strings.Repeat(" ", width-utf8.RuneCountInString(cell))
	if i < t.words {
		return cell + space
	}
	return space + cell
}

// add appends a row. One of another length would shift figures below wrong headings: a bug here.
func (t *Table) add(cells ...string) {
	if len(cells) != len(t.Header) {
		panic(fmt.Sprintf("report: row of %d cells below a header of %d", len(cells), len(t.Header)))
	}
	t.Rows = append(t.Rows, cells)
}
