package history

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Never is when an operation of unknown outcome completes.
const Never = math.MaxInt

// Op is one operation from its invocation to its end.
type Op struct {
	ID      int // its place among the operations, by invocation, from 0
	Process int
	F       string
	Type    Type  // OK, Fail or Info
	Mops    []Mop // with results if it is OK; as they were asked for if not
	TS      uint64
	Mode    string
	Gateway string
	Error   string
	Odd     string // see Event
	// Invoked and Completed are places in the history: a.Completed < b.Invoked means that
	// a had ended before b began. Completed is Never for Info.
	Invoked, Completed int
	// Began and Ended are nanoseconds since the run began; Ended of Info is when its client
	// gave up.
	Began, Ended int64
}

// String is op in one line.
func (o *Op) String() string {
	mops := ""
	for i := range o.Mops {
		if b, err := o.Mops[i].MarshalJSON(); err == nil {
			mops += " " + string(b)
		}
	}
	ts := ""
	if o.TS != 0 {
		ts = fmt.Sprintf(" at %d", o.TS)
	}
	return fmt.Sprintf("op %d (process %d, events %d to %s, %s %s)%s:%s", o.ID, o.Process, o.Invoked,
		place(o.Completed), o.Mode, o.Type, ts, mops)
}

func place(n int) string {
	if n == Never {
		return "never"
	}
	return fmt.Sprint(n)
}

// Writes reports whether o may have changed something.
func (o *Op) Writes() bool {
	for i := range o.Mops {
		if o.Mops[i].Writes() {
			return true
		}
	}
	return false
}

// Pair makes operations of events. What is still open at the end is Info. An
// event that has no place after the ones before it is an error.
//
// Who writes what it has read knows only at the end what it asked for: an end that is
// not OK may say it again, and stands for what the invocation said.
func Pair(events []Event) ([]Op, error) {
	var ops []Op
	open := map[int]int{} // by process
	ended := map[int]bool{}
	for i := range events {
		e := &events[i]
		n, busy := open[e.Process]
		switch {
		case ended[e.Process]:
			return nil, fmt.Errorf("event %d: process %d goes on after an unknown outcome", i, e.Process)
		case e.Type == Invoke && busy:
			return nil, fmt.Errorf("event %d: process %d has an operation open", i, e.Process)
		case e.Type == Invoke:
			open[e.Process] = len(ops)
			ops = append(ops, Op{ID: len(ops), Process: e.Process, F: e.F, Type: Info, Mops: e.Value,
				Mode: e.Mode, Gateway: e.Gateway, Invoked: i, Completed: Never, Began: e.Time})
			continue
		case !busy:
			return nil, fmt.Errorf("event %d: process %d has no operation open", i, e.Process)
		}
		o := &ops[n]
		delete(open, e.Process)
		o.Type, o.Error, o.Odd, o.Ended, o.Completed = e.Type, e.Error, e.Odd, e.Time, i
		o.Mode, o.Gateway = cmp.Or(e.Mode, o.Mode), cmp.Or(e.Gateway, o.Gateway)
		if e.Type != OK && len(e.Value) > 0 {
			o.Mops = asked(e.Value)
		}
		switch e.Type {
		case OK:
			o.Mops, o.TS = e.Value, e.TS
		case Fail:
		case Info:
			o.Completed, ended[e.Process] = Never, true
		default:
			return nil, fmt.Errorf("event %d is %q", i, e.Type)
		}
	}
	return ops, nil
}

// asked is mops without what its reads found: they prove nothing.
func asked(mops []Mop) []Mop {
	mops = slices.Clone(mops)
	for i := range mops {
		mops[i].forget()
	}
	return mops
}
