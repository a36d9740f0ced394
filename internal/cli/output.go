package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/olekukonko/tablewriter"

	"github.com/cairnkv/cairn/client"
)

// written is the answer to a command that changes a key, or asks about it.
type written struct {
	Key       string
	Done      bool
	Revision  int64
	Prev      *int64 // the revision that was replaced; nil: none was
	CommitTS  client.Timestamp
	CreateTS  client.Timestamp // 0: not to be told
	ExpiresAt time.Time
	Word      string // what was done
	Otherwise string // what to say where it was not; empty: not, and Word
	Value     *client.Value
	took      time.Duration
}

// replaced is the revision that a write took the place of, if it happened.
func replaced(done bool, prev int64) *int64 {
	if !done {
		return nil
	}
	return &prev
}

// word says what was done, or what was not.
func (w *written) word() string {
	creates := w.Word == "set" || w.Word == "appended" || strings.HasSuffix(w.Word, "cremented")
	switch {
	case w.Done:
		return w.Word
	case !creates && (w.Revision < 0 || w.Word == ""):
		return "not found"
	case w.Otherwise != "":
		return w.Otherwise
	}
	return "not " + w.Word
}

// shown is the value that a command made, where that is what it answers, or the word.
func (w *written) shown() string {
	if w.Done && w.Value != nil {
		return valueText(*w.Value)
	}
	return w.word()
}

func (w *written) object() *object {
	o := newObject()
	o.text("key", "key_encoding", []byte(w.Key))
	o.put("result", w.word())
	o.put("revision", w.Revision)
	if w.Prev != nil {
		o.put("prev_revision", *w.Prev)
	}
	o.put("commit_ts", int64(w.CommitTS))
	if w.CreateTS != 0 {
		o.put("create_ts", int64(w.CreateTS))
	}
	o.put("expires_at", unixMS(w.ExpiresAt))
	if w.Value != nil {
		o.value(*w.Value)
	}
	return o
}

// printWrite prints the answer; one that was not done ends with exit code 3.
func (s *session) printWrite(w written) error {
	var err error
	out := s.main.Stdout
	switch s.format {
	case "json", "ndjson":
		err = s.printJSON(w.object())
	case "table":
		err = printTable(out, []string{"REVISION", "KEY", "RESULT"}, [][]string{
			{revision(w.Revision), quoteKey(w.Key), w.shown()},
		})
	case "raw":
		if w.Done && w.Value != nil {
			_, err = out.Write(valueBytes(*w.Value))
		} else {
			_, err = fmt.Fprintln(out, w.Revision)
		}
	default:
		_, err = fmt.Fprintf(out, "%s %s %s\n", revision(w.Revision), w.shown(), took(w.took))
	}
	if err == nil && !w.Done {
		err = errNotMet
	}
	return err
}

// printWrites prints one line a key; exit code 3 says that one of them was not done.
func (s *session) printWrites(all []written) error {
	p := s.newPrinter("REVISION", "KEY", "RESULT")
	var missed error
	for i := range all {
		w := &all[i]
		if !w.Done {
			missed = errNotMet
		}
		n, key := revision(w.Revision), quoteKey(w.Key)
		err := p.add(line{
			text: n + " " + key + " " + w.shown(), raw: []byte(w.Key),
			row: []string{n, key, w.shown()}, object: w.object(),
		})
		if err != nil {
			return err
		}
	}
	if err := p.end(); err != nil {
		return err
	}
	return missed
}

// counted is the answer to a command on many keys that only counts them.
type counted struct {
	Count    int64
	CommitTS client.Timestamp // 0: not to be told
	Word     string           // what was done to them
	took     time.Duration
}

func (s *session) printCount(c counted) error {
	out := s.main.Stdout
	switch s.format {
	case "json", "ndjson":
		o := newObject()
		o.put("count", c.Count)
		if c.Word != "" {
			o.put("result", c.Word)
		}
		if c.CommitTS != 0 {
			o.put("commit_ts", int64(c.CommitTS))
		}
		return s.printJSON(o)
	case "table":
		return printTable(out, []string{"COUNT"}, [][]string{{strconv.FormatInt(c.Count, 10)}})
	case "raw":
		_, err := fmt.Fprintln(out, c.Count)
		return err
	}
	text := keys(c.Count)
	if c.Word != "" {
		text += " " + c.Word
	}
	_, err := fmt.Fprintf(out, "%s %s\n", text, took(c.took))
	return err
}

func keys(n int64) string {
	if n == 1 {
		return "1 key"
	}
	return strconv.FormatInt(n, 10) + " keys"
}

// printOne prints the one entry of a get.
func (s *session) printOne(e client.Entry, d time.Duration) error {
	out := s.main.Stdout
	switch s.format {
	case "json", "ndjson":
		return s.printJSON(entryObject(e, true))
	case "table":
		p := s.newEntryPrinter(false)
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
		return []byte(floatText(v.Float()))
	case client.TypeBool:
		return strconv.AppendBool(nil, v.Bool())
	}
	return v.Data
}

// floatText is a float that stays one when it is typed again: 3.0, not 3.
func floatText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if strings.ContainsAny(text, ".eN") {
		return text
	}
	return text + ".0"
}

// valueText is a value on a line, quoted only where it must be.
func valueText(v client.Value) string {
	switch v.Type {
	case client.TypeBytes, client.TypeString:
		return quoteText(string(v.Data))
	case client.TypeJSON: // whose own quotes are none of a shell's
		var line bytes.Buffer
		if bytes.ContainsFunc(v.Data, unprintable) && json.Compact(&line, v.Data) == nil {
			return line.String()
		}
		return string(v.Data)
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

// line is one of a listing, in every format.
type line struct {
	text   string
	raw    []byte
	row    []string
	object *object
}

// printer prints lines as they come, except for tables.
type printer struct {
	format   string
	head     []string
	keysOnly bool // of entries
	out      *bufio.Writer
	count    int
	rows     [][]string
}

func (s *session) newPrinter(head ...string) *printer {
	return &printer{format: s.format, head: head, out: bufio.NewWriter(s.main.Stdout)}
}

func (s *session) newEntryPrinter(keysOnly bool) *printer {
	head := []string{"REVISION", "KEY", "TYPE", "VALUE"}
	if keysOnly {
		head = head[:2]
	}
	p := s.newPrinter(head...)
	p.keysOnly = keysOnly
	return p
}

func (p *printer) add(l line) error {
	p.count++
	var err error
	switch p.format {
	case "json", "ndjson":
		err = p.object(l.object)
	case "table":
		p.rows = append(p.rows, l.row)
	case "raw":
		_, err = p.out.Write(append(l.raw, '\n'))
	default:
		_, err = p.out.WriteString(l.text + "\n")
	}
	return err
}

func (p *printer) entry(e client.Entry) error {
	l := line{
		text: revision(e.Revision) + " " + quoteKey(e.Key), raw: []byte(e.Key),
		row:    []string{revision(e.Revision), quoteKey(e.Key)},
		object: entryObject(e, !p.keysOnly),
	}
	if !p.keysOnly {
		value := valueText(e.Value)
		l.text += " " + value
		l.raw = slices.Clone(valueBytes(e.Value))
		l.row = append(l.row, e.Value.Type.String(), value)
	}
	return p.add(l)
}

func (p *printer) object(o *object) error {
	text, err := json.Marshal(o)
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
		if err := printTable(p.out, p.head, p.rows); err != nil {
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
