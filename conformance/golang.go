package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cairnkv/cairn/txn"
)

// Go is the step as a few lines for the Go SDK; empty if it has no call of its own for it.
func (s *Step) Go() string {
	counts := func(o *Step) bool { return o.Op == "count" }
	verb, ok := goVerbs[s.Op]
	if s.Cursor != nil || !ok || slices.ContainsFunc(slices.Concat(s.Then, s.Else), counts) {
		return ""
	}
	if s.Op == "revert" && s.Select != nil {
		verb = "RevertRange"
	}
	call := fmt.Sprintf("%s.%s(%s)", s.goReceiver(), verb, s.goArguments())
	_, lines := s.goRange()
	switch s.Op {
	case "range":
		call = "for e, err := range " + call + " {\n\t...\n}"
	case "history":
		call = "for h, err := range " + call + " {\n\t...\n}"
	case "begin":
		call = s.Tx + ", err := " + call
	case "rollback":
		call = "err := " + call
	default:
		call = "result, err := " + call
	}
	return strings.Join(append(lines, call), "\n")
}

var goVerbs = map[string]string{
	"get": "Get", "exists": "Exists", "set": "Set", "delete": "Delete", "extend": "Extend",
	"ttl": "TTL", "increment": "Increment", "append": "Append", "min": "Min", "max": "Max",
	"mget": "BatchGet", "mset": "BatchSet", "mdelete": "BatchDelete", "count": "Count",
	"delete-range": "DeleteRange", "revert": "Revert", "range": "Scan", "history": "History",
	"begin": "Begin", "commit": "Commit", "rollback": "Rollback", "execute": "Execute",
}

// goReceiver is whose method it is.
func (s *Step) goReceiver() string {
	r := "db"
	if s.Tx != "" && s.Op != "begin" {
		r = s.Tx
	}
	if s.Keyspace != "" {
		r += ".In(" + strconv.Quote(s.Keyspace) + ")"
	}
	if s.Eph {
		r += ".Ephemeral()"
	}
	return r
}

// goFields writes the fields that are not zero.
type goFields []string

func (f *goFields) add(name, value string) { *f = append(*f, name+": "+value) }

func (f *goFields) text(name, value string) {
	if value != "" {
		f.add(name, strconv.Quote(value))
	}
}

func (f *goFields) flag(name string, yes bool) {
	if yes {
		f.add(name, "true")
	}
}

func (f *goFields) literal(typ string) string {
	return "client." + typ + "{" + strings.Join(*f, ", ") + "}"
}

func goValue(v *txn.Value) string {
	text := ValueText(v)
	switch v.Type {
	case txn.String:
		return "client.StringValue(" + strconv.Quote(string(v.Data)) + ")"
	case txn.Int:
		return "client.IntValue(" + text + ")"
	case txn.Float:
		switch text {
		case "NaN":
			text = "math.NaN()"
		case "Infinity":
			text = "math.Inf(1)"
		case "-Infinity":
			text = "math.Inf(-1)"
		case "-0.0":
			text = "math.Copysign(0, -1)"
		}
		return "client.FloatValue(" + text + ")"
	case txn.Bool:
		return "client.BoolValue(" + text + ")"
	case txn.JSON:
		return "client.JSONValue([]byte(" + strconv.Quote(string(v.Data)) + "))"
	case txn.Null:
		return "client.NullValue()"
	}
	if len(v.Data) > 64 {
		return fmt.Sprintf("client.BytesValue(make([]byte, %d))", len(v.Data))
	}
	return "client.BytesValue([]byte(" + strconv.Quote(string(v.Data)) + "))"
}

func goDuration(ms int64) string { return fmt.Sprintf("%d*time.Millisecond", ms) }

func (c *Conditions) goText() string {
	var f goFields
	f.flag("Absent", c.Absent)
	f.flag("Present", c.Present)
	if c.Value != nil {
		f.add("Value", "new("+goValue(c.Value)+")")
	}
	if c.Revision != nil {
		f.add("Revision", fmt.Sprintf("new(int64(%d))", *c.Revision))
	}
	if c.CommitTS != nil {
		f.add("CommitTS", strconv.FormatInt(c.CommitTS.At, 10))
	}
	return f.literal("Conditions")
}

// goOptions are the options of a write; ttl is what the field is called there.
func (s *Step) goOptions(ttl string) goFields {
	var f goFields
	if !s.If.None() {
		f.add("If", s.If.goText())
	}
	if s.TTL != nil && ttl != "" {
		f.add(ttl, goDuration(*s.TTL))
	}
	f.flag("KeepTTL", s.KeepTTL)
	f.flag("NoHistory", s.NoRev)
	f.flag("ReturnPrev", s.Prev)
	if s.Lower != nil {
		f.add("LowerBound", "new("+goValue(s.Lower)+")")
	}
	if s.Upper != nil {
		f.add("UpperBound", "new("+goValue(s.Upper)+")")
	}
	f.flag("DryRun", s.DryRun)
	f.flag("RequireAll", s.All)
	f.text("RequestID", s.ID)
	f.text("Message", s.Message)
	return f
}

// goReads are the options of a read.
func (s *Step) goReads() []string {
	var opts []string
	if s.Revision != nil {
		opts = append(opts, fmt.Sprintf("client.AtRevision(%d)", *s.Revision))
	}
	if s.AsOf != nil {
		opts = append(opts, fmt.Sprintf("client.AsOf(%d)", s.AsOf.At))
	}
	if s.Locking {
		opts = append(opts, "client.ForUpdate()")
	}
	return opts
}

// goRange is a range, and the lines before it that say what else matters.
func (s *Step) goRange() (r string, before []string) {
	sel := s.Select
	if sel == nil {
		return "client.Range{}", nil
	}
	switch {
	case sel.By == "span":
		r = fmt.Sprintf("client.Span(%q, %q)", sel.Start, sel.End)
	case sel.By == "bucket":
		r = fmt.Sprintf("client.Bucket(%q)", sel.Start)
	case sel.Start == "":
		r = "client.All()"
	default:
		r = fmt.Sprintf("client.Prefix(%q)", sel.Start)
	}
	set := func(field, value string, given bool) {
		if given {
			before = append(before, "r."+field+" = "+value)
		}
	}
	set("Glob", strconv.Quote(sel.Glob), sel.Glob != "")
	set("Limit", strconv.FormatInt(s.Limit, 10), s.Limit != 0)
	set("Page", strconv.FormatInt(s.Page, 10), s.Page != 0)
	set("Reverse", "true", s.Reverse)
	set("KeysOnly", "true", s.KeysOnly)
	if s.AsOf != nil && s.Op != "revert" {
		set("AsOf", strconv.FormatInt(s.AsOf.At, 10), true)
	}
	if len(before) == 0 {
		return r, nil
	}
	return "r", append([]string{"r := " + r}, before...)
}

func (s *Step) goKeys() string {
	quoted := make([]string, len(s.Keys))
	for i, key := range s.Keys {
		quoted[i] = strconv.Quote(key)
	}
	return strings.Join(quoted, ", ")
}

func (s *Step) goArguments() string {
	args := []string{"ctx"}
	if len(s.Keys) > 0 && s.Op != "mget" && s.Op != "mdelete" {
		args = append(args, s.goKeys())
	}
	switch s.Op {
	case "get", "exists":
		args = append(args, s.goReads()...)
	case "set":
		args = append(args, goValue(s.Value), ref(s.goOptions("TTL")).literal("SetOptions"))
	case "delete":
		args = append(args, ref(s.goOptions("")).literal("DeleteOptions"))
	case "extend":
		args = append(args, goDuration(s.ttl()))
	case "increment", "append", "min", "max":
		o := ref(s.goOptions("TTLIfNew"))
		args = append(args, goValue(s.Value), o.literal("UpdateOptions"))
	case "mget":
		o := ref(s.goOptions(""))
		if s.AsOf != nil {
			o.add("AsOf", strconv.FormatInt(s.AsOf.At, 10))
		}
		args = append(args, "[]string{"+s.goKeys()+"}", o.literal("BatchGetOptions"))
	case "mdelete":
		o := ref(s.goOptions(""))
		args = append(args, "[]string{"+s.goKeys()+"}", o.literal("BatchOptions"))
	default:
		args = append(args, s.goMany()...)
	}
	return strings.Join(args, ", ")
}

func ref(f goFields) *goFields { return &f }

// goMany are the arguments of operations on more than keys.
func (s *Step) goMany() []string {
	switch s.Op {
	case "mset":
		var items []string
		for _, item := range s.Items {
			f := ref(goFields{"Key: " + item.goKeys(), "Value: " + goValue(item.Value)})
			*f = append(*f, item.goOptions("TTL")...)
			items = append(items, "{"+strings.Join(*f, ", ")+"}")
		}
		list := "[]client.SetItem{" + strings.Join(items, ", ") + "}"
		return []string{list, ref(s.goOptions("")).literal("BatchOptions")}
	case "range", "count":
		r, _ := s.goRange()
		return []string{r}
	case "history":
		var f goFields
		if s.Limit != 0 {
			f.add("Limit", strconv.FormatInt(s.Limit, 10))
		}
		return []string{f.literal("HistoryOptions")}
	case "delete-range":
		r, _ := s.goRange()
		return []string{r, ref(s.goOptions("")).literal("DeleteRangeOptions")}
	case "revert":
		o := ref(s.goOptions("")).literal("RevertOptions")
		if s.Select != nil {
			r, _ := s.goRange()
			return []string{r, strconv.FormatInt(s.AsOf.At, 10), o}
		}
		return append(s.goReads(), o)
	case "execute":
		return []string{s.goProgram()}
	case "begin":
		var f goFields
		f.flag("Pessimistic", s.Begin.Pessimistic)
		f.flag("ReadOnly", s.Begin.ReadOnly)
		if s.Begin.Snapshot {
			f.add("Isolation", "client.Snapshot")
		}
		if s.AsOf != nil {
			f.add("AsOf", strconv.FormatInt(s.AsOf.At, 10))
		}
		return []string{f.literal("TxnOptions")}
	}
	return nil
}
