package report

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Markdown writes everything that a file says.
func (f *File) Markdown(w io.Writer) error {
	tables, err := f.Tables()
	if err != nil {
		return err
	}
	for _, line := range f.Head() {
		if _, err := fmt.Fprintln(w, "- "+line); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	for _, t := range tables {
		titled := *t
		titled.Title = "**" + t.Title + "**"
		if err := titled.Markdown(w); err != nil {
			return err
		}
	}
	return nil
}

// Text writes everything that a file says for a terminal.
func (f *File) Text(w io.Writer) error {
	tables, err := f.Tables()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w, strings.Join(f.Head(), "\n")+"\n"); err != nil {
		return err
	}
	for _, t := range tables {
		if err := t.Text(w); err != nil {
			return err
		}
	}
	return nil
}

// ReplacePart puts text between the two marks of a page, "<!-- bench:name -->" and
// "<!-- /bench:name -->". A page without them is left as it is.
func ReplacePart(page, name, text string) error {
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	begin, end := "<!-- bench:"+name+" -->", "<!-- /bench:"+name+" -->"
	head, rest, found := strings.Cut(string(old), begin)
	_, tail, ended := strings.Cut(rest, end)
	if !found || !ended {
		return fmt.Errorf("%s has no part between %s and %s: write these two lines where it belongs",
			page, begin, end)
	}
	now := head + begin + "\n" + strings.TrimSpace(text) + "\n" + end + tail
	if now == string(old) {
		return nil
	}
	return os.WriteFile(page, []byte(now), 0o644)
}

const ticksPerHalf = 5 // lines of a distribution for each halving of what is left

// Histograms writes the distribution of each group's latencies in milliseconds, as HdrHistogram
// prints them and its plotter reads them.
func (f *File) Histograms(dir string) (files []string, err error) {
	groups, err := f.Groups()
	if err != nil || len(groups) == 0 {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	columns, _ := varying(groups)
	for _, g := range groups {
		s := &sheet{kind: g.Side, workload: g.Case.Workload, of: g.Case}
		name := strings.TrimSuffix(s.name(columns), ".svg") + ".hgrm"
		var text strings.Builder
		if _, err := g.all.PercentilesPrint(&text, ticksPerHalf, 1e3); err != nil {
			return nil, err
		}
		files = append(files, filepath.Join(dir, strings.ReplaceAll(name, " ", "-")))
		if err := os.WriteFile(files[len(files)-1], []byte(text.String()), 0o644); err != nil {
			return nil, err
		}
	}
	return files, nil
}
