package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/txn"
)

// Outcome is what a client was told.
type Outcome uint8

const (
	Unknown   Outcome = iota // nothing, or that nobody knows
	Committed                // it happened, as the answer says
	Failed                   // it did not happen and never will
)

var outcomeNames = [...]string{"unknown", "committed", "failed"}

func (o Outcome) String() string { return outcomeNames[o] }

// Op is one operation of a client, with all that the client learned. Exactly
// one of Program, Txn, Get and Scans is set.
type Op struct {
	ID      int
	Client  int
	Name    string // of the workload
	Gateway string
	// Start and End order operations in real time; the numbers of all
	// operations are different. End 0: no answer came.
	Start, End uint64
	StartAt    time.Duration // virtual
	Outcome    Outcome
	Err        error
	IDs        []txn.ID // of all attempts that reached out to a shard
	Prepared   []txn.ID // those among them that several shards took part in

	Note    txn.Annotation // of all that it writes
	Request *Request       // nil: it is not sent again
	Program *Execution
	Txn     *Interactive
	Get     *Get
	Scans   []*Scan // pages of one scan
}

// Execution is a one-shot transaction.
type Execution struct {
	Program txn.Program
	Result  *coordinator.Result // of a committed one
}

// Interactive is a transaction of many calls.
type Interactive struct {
	At        txn.Timestamp // not 0: reads the past
	Mode      coordinator.Mode
	Isolation coordinator.Isolation
	ReadTS    txn.Timestamp // 0: it did not begin
	Steps     []Step
	Committed *coordinator.Committed
}

// Step is one call of a transaction that was answered.
type Step struct {
	Op        txn.Op
	At        txn.Timestamp // of the state that it saw
	ForUpdate bool
	Result    txn.Result
}

// Get is a read of keys at one timestamp.
type Get struct {
	Read     coordinator.Read
	At       txn.Timestamp
	Versions []txn.Version
	Past     *coordinator.Versions // of the first key, with a read by revision
}

// Scan is one page of a scan.
type Scan struct {
	Scan coordinator.Scan
	Page *coordinator.Page
}

// String tells an operation to people.
func (o *Op) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "op %d (%s, client %d at %s, %v, moments %d to %d) %v", o.ID, o.Name,
		o.Client, o.Gateway, o.StartAt, o.Start, o.End, o.Outcome)
	if len(o.IDs) > 0 {
		fmt.Fprintf(&s, " txn %v", o.IDs)
	}
	if q := o.Request; q != nil {
		fmt.Fprintf(&s, " request at %v, copies %d, open %v, told %d", q.Anchor, q.Copies, q.Open, q.Told)
	}
	if o.Err != nil {
		fmt.Fprintf(&s, " error %q", o.Err.Error())
	}
	switch {
	case o.Program != nil:
		tellProgram(&s, o.Program)
	case o.Txn != nil:
		tellInteractive(&s, o.Txn)
	case o.Get != nil:
		fmt.Fprintf(&s, "\n    get %v asked at %d, read at %d", o.Get.Read.Keys,
			o.Get.Read.At, o.Get.At)
		if o.Get.Read.Revision != nil {
			fmt.Fprintf(&s, " revision %d", *o.Get.Read.Revision)
		}
		for i := range o.Get.Versions {
			fmt.Fprintf(&s, "\n      -> %s", tellVersion(&o.Get.Versions[i]))
		}
	}
	for _, scan := range o.Scans {
		tellScan(&s, scan)
	}
	return s.String()
}

func tellScan(s *strings.Builder, scan *Scan) {
	q := &scan.Scan
	fmt.Fprintf(s, "\n    scan %v to %v reverse %v limit %d asked at %d", q.Span.Start, q.Span.End,
		q.Reverse, q.Limit, q.At)
	if p := scan.Page; p != nil {
		fmt.Fprintf(s, " -> at %d, more %v, next %v", p.At, p.More, p.Next)
		tellEntries(s, p.Entries)
	}
}

func tellProgram(s *strings.Builder, e *Execution) {
	if r := e.Result; r != nil {
		fmt.Fprintf(s, " at %d, succeeded %v, attempts %d", r.CommitTS, r.Succeeded, r.Attempts)
	}
	fmt.Fprintf(s, "\n    if %s", tellTest(&e.Program.If))
	branches := [2][]txn.Op{e.Program.Then, e.Program.Else}
	for b, ops := range branches {
		taken := e.Result != nil && e.Result.Succeeded == (b == 0)
		for i := range ops {
			fmt.Fprintf(s, "\n    %s: %s", [2]string{"then", "else"}[b], tellOp(&ops[i]))
			if taken && i < len(e.Result.Results) {
				fmt.Fprintf(s, " -> %s", tellResult(&e.Result.Results[i]))
			}
		}
	}
}

func tellInteractive(s *strings.Builder, t *Interactive) {
	fmt.Fprintf(s, " read at %d", t.ReadTS)
	if t.Committed != nil {
		fmt.Fprintf(s, ", committed at %d", t.Committed.CommitTS)
	}
	for i := range t.Steps {
		fmt.Fprintf(s, "\n    %s -> %s", tellOp(&t.Steps[i].Op), tellResult(&t.Steps[i].Result))
	}
	if t.Committed != nil {
		for i := range t.Committed.Written {
			w := &t.Committed.Written[i]
			fmt.Fprintf(s, "\n    wrote %v: %v %s, revision before %d", w.Key, w.Wrote,
				tellVersion(&w.Version), w.PrevRevision)
		}
	}
}

func tellTest(t *txn.Test) string {
	is := [...]string{"=", "!=", "<", "<=", ">", ">="}[t.Is]
	switch t.Kind {
	case txn.TestKey:
		return fmt.Sprintf("%v%s", t.Key, tellCond(&t.Cond))
	case txn.TestCompare:
		right := fmt.Sprint(t.N)
		if t.Attribute == txn.AttributeValue {
			right = tellValue(t.Value)
		}
		return fmt.Sprintf("%s of %v %s %s",
			[...]string{"value", "revision", "commit_ts", "create_ts"}[t.Attribute], t.Key, is, right)
	case txn.TestCount:
		return fmt.Sprintf("count of %v to %v %s %d", t.Span.Start, t.Span.End, is, t.N)
	case txn.TestUnchanged:
		return fmt.Sprintf("%v to %v unchanged since %d", t.Span.Start, t.Span.End, t.Since)
	default:
		parts := make([]string, len(t.Of))
		for i := range t.Of {
			parts[i] = tellTest(&t.Of[i])
		}
		return [...]string{"", "all", "any", "not"}[t.Kind] + "(" + strings.Join(parts, ", ") + ")"
	}
}

func tellCond(c *txn.Cond) string {
	var s string
	if c.Absent {
		s += " absent"
	}
	if c.Present {
		s += " present"
	}
	if c.Value != nil {
		s += " value=" + tellValue(*c.Value)
	}
	if c.Revision != nil {
		s += fmt.Sprintf(" revision=%d", *c.Revision)
	}
	if c.CommitTS != nil {
		s += fmt.Sprintf(" commit_ts=%d", *c.CommitTS)
	}
	return s
}

func tellOp(o *txn.Op) string {
	switch o.Kind {
	case txn.OpGet:
		return fmt.Sprintf("get %v", o.Key)
	case txn.OpDelete:
		return fmt.Sprintf("delete %v%s", o.Key, tellCond(&o.Cond))
	case txn.OpExtend:
		return fmt.Sprintf("extend %v ttl %d", o.Key, o.TTL)
	case txn.OpUpdate:
		return fmt.Sprintf("update %d %v by %s%s ttl %d", o.Update, o.Key, tellValue(o.Value),
			tellCond(&o.Cond), o.TTL)
	case txn.OpDeleteRange:
		return fmt.Sprintf("delete %v to %v, %q", o.Span.Start, o.Span.End, o.Filter.Glob)
	case txn.OpRevert:
		return fmt.Sprintf("revert %v to %v, %q, to %d", o.Span.Start, o.Span.End, o.Filter.Glob, o.To)
	case txn.OpRange:
		return fmt.Sprintf("range %v to %v limit %d reverse %v count %v", o.Span.Start,
			o.Span.End, o.Limit, o.Reverse, o.CountOnly)
	default:
		return fmt.Sprintf("set %v = %s%s ttl %d keep %v", o.Key, tellValue(o.Value),
			tellCond(&o.Cond), o.TTL, o.KeepTTL)
	}
}

func tellResult(r *txn.Result) string {
	s := fmt.Sprintf("ok %v %s before %d", r.OK, tellVersion(&r.Entry.Version), r.PrevRevision)
	if r.Prev != nil {
		s += " prev " + tellVersion(&r.Prev.Version)
	}
	if r.Count > 0 || r.Entries != nil {
		var b strings.Builder
		tellEntries(&b, r.Entries)
		s += fmt.Sprintf(" count %d more %v%s", r.Count, r.More, b.String())
	}
	return s
}

func tellEntries(s *strings.Builder, entries []txn.Entry) {
	for i := range entries {
		fmt.Fprintf(s, "\n      %v %s", entries[i].Key, tellVersion(&entries[i].Version))
	}
}

func tellVersion(v *txn.Version) string {
	if v.TS == 0 {
		return "(none)"
	}
	kind := [...]string{"set", "delete", "extend"}[v.Kind]
	return fmt.Sprintf("[%s @%d txn %v rev %d first %d created %d expires %d %s]", kind, v.TS, v.Txn,
		v.Revision, v.First, v.CreateTS, v.Expiry, tellValue(v.Value))
}

func tellValue(v txn.Value) string {
	const shown = 24
	d := v.Data
	if v.Type == txn.Int && len(d) == 8 {
		return fmt.Sprint(v.Int())
	}
	if len(d) > shown {
		return fmt.Sprintf("%q… (%d bytes)", d[:shown], len(d))
	}
	return fmt.Sprintf("%q", d)
}

// attempt notes that the operation on whose behalf the running task works
// reaches out to a shard under this id.
func (p *process) attempt(id txn.ID, prepared bool) {
	t := p.w.current
	if t == nil || t.op == nil || slices.Contains(t.op.IDs, id) {
		return
	}
	t.op.IDs = append(t.op.IDs, id)
	if prepared {
		p.w.saw("commit of several shards")
		t.op.Prepared = append(t.op.Prepared, id)
	} else {
		p.w.saw("commit of one shard")
	}
}
