package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/olekukonko/tablewriter"

	"github.com/cairnkv/cairn/client"
)

// written is the answer to a command that changes or asks without a value.
type written struct {
	Key       string
	Done      bool
	Revision  int64
	CommitTS  client.Timestamp
	ExpiresAt time.Time
	Word      string // what was done
	took      time.Duration
}

// word says what was done, or what was not.
func (w *written) word() string {
	switch {
	case w.Done:
		return w.Word
	case w.Word == "set" || w.Revision >= 0 && w.Word != "":
		return "not " + w.Word
	}
	return "not found"
}

// printWrite prints the answer; one that was not done ends with exit code 3.
func (s *session) printWrite(w written) error {
	var err error
	out := s.main.Stdout
	switch s.format {
	case "json", "ndjson":
		o := newObject()
		o.text("key", "key_encoding", []byte(w.Key))
		o.put("result", w.word())
		o.put("revision", w.Revision)
		o.put("commit_ts", int64(w.CommitTS))
		o.put("expires_at", unixMS(w.ExpiresAt))
		err = s.printJSON(o)
	case "table":
		err = printTable(out, []string{"REVISION", "KEY", "RESULT"}, [][]string{
			{revision(w.Revision), quoteKey(w.Key), w.word()},
		})
	case "raw":
		_, err = fmt.Fprintln(out, w.Revision)
	default:
		_, err = fmt.Fprintf(out, "%s %s %s\n", revision(w.Revision), w.word(), took(w.took))
	}
	if err == nil && !w.Done {
		err = errNotMet
	}
	return err
}

// printOne prints the one entry of a get.
func (s *session) printOne(e client.Entry, d time.Duration) error {
	out := s.main.Stdout
	switch s.format {
	case "json", "ndjson":
		return s.printJSON(entryObject(e, true))
	case "table":
		p := s.newPrinter(false)
		if err := p.entry(e); err != nil {
			return err
		}
		return p.end()
	case "raw":
		_, err := out.Write(valueBytes(e.Value))
		return err
	}
	_, err := fmt.Fprintf(out, "%s %s %s\n", revision(e.Revision), valueText(e.Value), took(d))
	return err
}

func revision(n int64) string { return "r" + strconv.FormatInt(n, 10) }

func took(d time.Duration) string {
	return strconv.FormatInt(d.Round(time.Millisecond).Milliseconds(), 10) + "ms"
}

func unixMS(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// valueBytes is a value as a file would hold it: text for what is not bytes.
func valueBytes(v client.Value) []byte {
	switch v.Type {
	case client.TypeInt:
		return strconv.AppendInt(nil, v.Int(), 10)
	case client.TypeFloat:
		return strconv.AppendFloat(nil, v.Float(), 'g', -1, 64)
	case client.TypeBool:
		return strconv.AppendBool(nil, v.Bool())
	}
	return v.Data
}

// valueText is a value on a line, quoted only where it must be.
func valueText(v client.Value) string {
	switch v.Type {
	case client.TypeBytes, client.TypeString, client.TypeJSON:
		return quoteText(string(v.Data))
	case client.TypeNull:
		return "null"
	}
	return string(valueBytes(v))
}

func (s *session) printJSON(v any) error {
	enc := json.NewEncoder(s.main.Stdout)
	enc.SetEscapeHTML(false)
	if s.format != "ndjson" {
		enc.SetIndent("", "  ")
	}
	return enc.Encode(v)
}

// printer prints entries as they come, except for tables.
type printer struct {
	format   string
	keysOnly bool
	out      *bufio.Writer
	count    int
	rows     [][]string
}

func (s *session) newPrinter(keysOnly bool) *printer {
	return &printer{format: s.format, keysOnly: keysOnly, out: bufio.NewWriter(s.main.Stdout)}
}

func (p *printer) entry(e client.Entry) error {
	p.count++
	switch p.format {
	case "json", "ndjson":
		return p.object(e)
	case "table":
		row := []string{revision(e.Revision), quoteKey(e.Key)}
		if !p.keysOnly {
			row = append(row, e.Value.Type.String(), valueText(e.Value))
		}
		p.rows = append(p.rows, row)
		return nil
	case "raw":
		line := append([]byte(e.Key), '\n')
		if !p.keysOnly {
			line = append(valueBytes(e.Value), '\n')
		}
		_, err := p.out.Write(line)
		return err
	}
	line := revision(e.Revision) + " " + quoteKey(e.Key)
	if !p.keysOnly {
		line += " " + valueText(e.Value)
	}
	_, err := p.out.WriteString(line + "\n")
	return err
}

func (p *printer) object(e client.Entry) error {
	text, err := json.Marshal(entryObject(e, !p.keysOnly))
	if err != nil {
		return err
	}
	before, after := "", "\n"
	if p.format == "json" {
		if before, after = ",\n", ""; p.count == 1 {
			before = "[\n"
		}
	}
	_, err = p.out.WriteString(before + string(text) + after)
	return err
}

// end prints what has been held back.
func (p *printer) end() error {
	switch p.format {
	case "json":
		end := "\n]\n"
		if p.count == 0 {
			end = "[]\n"
		}
		if _, err := p.out.WriteString(end); err != nil {
			return err
		}
	case "table":
		head := []string{"REVISION", "KEY"}
		if !p.keysOnly {
			head = append(head, "TYPE", "VALUE")
		}
		if err := printTable(p.out, head, p.rows); err != nil {
			return err
		}
	}
	return p.out.Flush()
}

func printTable(w io.Writer, head []string, rows [][]string) error {
	t := tablewriter.NewWriter(w)
	t.Header(head)
	if err := t.Bulk(rows); err != nil {
		return err
	}
	return t.Render()
}
