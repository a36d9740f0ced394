package locks

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/cairnkv/cairn/txn"
)

func walk(t *testing.T, dir string, story func() func(*testing.T, *datadriven.TestData) string) {
	datadriven.Walk(t, "testdata/"+dir, func(t *testing.T, path string) {
		datadriven.RunTest(t, path, story())
	})
}

func keysOf(vals []string) (keys []txn.Key) {
	for _, v := range vals {
		keys = append(keys, txn.Key(v))
	}
	return keys
}

// spanOf reads "a-c" as [a, c) and "a-" as everything from a.
func spanOf(s string) txn.Span {
	start, end, _ := strings.Cut(s, "-")
	return txn.Span{Start: txn.Key(start), End: txn.Key(end)}
}

func spansOf(vals []string) (spans []txn.Span) {
	for _, v := range vals {
		spans = append(spans, spanOf(v))
	}
	return spans
}

func argTS(t *testing.T, d *datadriven.TestData, name string) (ts txn.Timestamp) {
	d.ScanArgs(t, name, (*int64)(&ts))
	return ts
}

func argString(t *testing.T, d *datadriven.TestData, name string) (s string) {
	d.ScanArgs(t, name, &s)
	return s
}

func argID(t *testing.T, d *datadriven.TestData) txn.ID { return idOf(t, argString(t, d, "id")) }

func names(latches []*Latch) string {
	if len(latches) == 0 {
		return "granted nobody"
	}
	var b strings.Builder
	b.WriteString("granted")
	for _, l := range latches {
		fmt.Fprintf(&b, " %v", l.Owner)
	}
	return b.String()
}

type latchStory struct {
	latches *Latches
	live    map[string]*Latch
}

func TestLatches(t *testing.T) {
	walk(t, "latches", func() func(*testing.T, *datadriven.TestData) string {
		s := latchStory{NewLatches(), map[string]*Latch{}}
		return func(t *testing.T, d *datadriven.TestData) string {
			defer s.latches.checkInvariants(t)
			return s.run(t, d)
		}
	})
}

func (s latchStory) run(t *testing.T, d *datadriven.TestData) string {
	var name string
	if len(d.CmdArgs) > 0 {
		name = d.CmdArgs[0].Key
	}
	switch d.Cmd {
	case "acquire":
		l := &Latch{Owner: name}
		for _, arg := range d.CmdArgs[1:] {
			switch arg.Key {
			case "w":
				l.Writes = keysOf(arg.Vals)
			case "r":
				l.Reads = keysOf(arg.Vals)
			case "ws":
				l.WriteSpans = spansOf(arg.Vals)
			case "rs":
				l.ReadSpans = spansOf(arg.Vals)
			}
		}
		s.live[name] = l
		if s.latches.Acquire(l) {
			return "granted"
		}
		return "queued"
	case "release":
		l := s.live[name]
		delete(s.live, name)
		return names(s.latches.Release(l))
	case "ts":
		s.live[name].SetTS(argTS(t, d, "c"))
		return ""
	case "clear-ts":
		s.live[name].ClearTS()
		return ""
	case "read":
		var l *Latch
		if d.HasArg("key") {
			l = s.latches.BlockingKey(txn.Key(argString(t, d, "key")), argTS(t, d, "at"))
		} else {
			l = s.latches.BlockingSpan(spanOf(argString(t, d, "span")), argTS(t, d, "at"))
		}
		if l == nil {
			return "passes"
		}
		return fmt.Sprintf("waits for %v", l.Owner)
	case "held":
		return strconv.Itoa(s.latches.Held())
	}
	return "unknown command " + d.Cmd
}

func TestShardCache(t *testing.T) {
	walk(t, "shardcache", func() func(*testing.T, *datadriven.TestData) string {
		c := NewShardCache(NewTSCache(1 << 10))
		return func(t *testing.T, d *datadriven.TestData) string {
			defer c.checkInvariants(t)
			switch d.Cmd {
			case "bump":
				if d.HasArg("key") {
					c.Bump(txn.Key(argString(t, d, "key")), argTS(t, d, "v"))
				} else {
					c.BumpSpan(spanOf(argString(t, d, "span")), argTS(t, d, "v"))
				}
			case "fill": // n reads of different ranges from v on, one µs apart
				var n int
				d.ScanArgs(t, "n", &n)
				for i := range n {
					s := fmt.Sprintf("%s%04d", argString(t, d, "prefix"), i)
					c.BumpSpan(txn.PrefixSpan(txn.Key(s)), argTS(t, d, "v")+txn.Timestamp(i))
				}
			case "floor":
				return fmt.Sprint(int64(c.Floor(txn.Key(argString(t, d, "key")))))
			case "raise-low":
				c.RaiseLow(argTS(t, d, "v"))
			case "low":
				return fmt.Sprint(int64(c.Low()))
			case "ranges":
				return fmt.Sprint(len(c.mu.reads))
			default:
				return "unknown command " + d.Cmd
			}
			return ""
		}
	})
}

func TestDead(t *testing.T) {
	walk(t, "dead", func() func(*testing.T, *datadriven.TestData) string {
		dead := NewDead()
		return func(t *testing.T, d *datadriven.TestData) string {
			defer dead.checkInvariants(t)
			switch d.Cmd {
			case "advance":
				dead.Advance(argTS(t, d, "newest"))
			case "add":
				dead.Add(argID(t, d), argTS(t, d, "base"))
			case "has":
				return strconv.FormatBool(dead.Has(argID(t, d)))
			case "size":
				return strconv.Itoa(len(dead.old) + len(dead.young))
			default:
				return "unknown command " + d.Cmd
			}
			return ""
		}
	})
}

func TestStatusCache(t *testing.T) {
	walk(t, "status", func() func(*testing.T, *datadriven.TestData) string {
		c := newStatusCache(3)
		return func(t *testing.T, d *datadriven.TestData) (out string) {
			defer c.checkInvariants(t)
			defer func() {
				if r := recover(); r != nil {
					out = fmt.Sprint("panic: ", r)
				}
			}()
			switch d.Cmd {
			case "committed":
				c.Put(argID(t, d), txn.Committed, argTS(t, d, "c"))
			case "aborted":
				c.Put(argID(t, d), txn.Aborted, 0)
			case "pending":
				c.Put(argID(t, d), txn.Pending, 0)
			case "get":
				status, commit, known := c.Get(argID(t, d))
				if !known {
					return "unknown"
				}
				return strings.TrimSuffix(fmt.Sprintf("%v %d", status, commit), " 0")
			default:
				return "unknown command " + d.Cmd
			}
			return ""
		}
	})
}

// failer is a testing.T or a rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkInvariants fails tb where the queues, the counts and the definition of
// waiting disagree.
func (t *Latches) checkInvariants(tb failer) {
	tb.Helper()
	var live []*Latch
	holding, spanned := 0, []*Latch(nil)
	for l := t.first; l != nil; l = l.next {
		live = append(live, l)
		if l.state == held && l.hasWrites() {
			holding++
		}
		if l.hasSpans() {
			spanned = append(spanned, l)
		}
	}
	if holding != t.held || !slices.Equal(spanned, t.spanned) {
		tb.Fatalf("held %d, counted %d; spanned %d, counted %d", t.held, holding, len(t.spanned), len(spanned))
	}
	slots := 0
	for i, l := range live {
		l.checkInvariants(tb)
		slots += len(l.slots)
		for _, e := range live[:i] {
			if e.seq >= l.seq {
				tb.Fatalf("%v arrived before %v", l.Owner, e.Owner)
			}
			if byDefinition(e, l) && l.state == held {
				tb.Fatalf("%v is granted beside the earlier %v", l.Owner, e.Owner)
			}
		}
	}
	for _, q := range t.queues {
		for s := q.head; s != nil; s = s.next {
			slots--
			if s.free != s.mayGo() {
				tb.Fatalf("slot of %v for %q: free %v", s.latch.Owner, q.key, s.free)
			}
		}
		if q.head == nil {
			tb.Fatalf("empty queue of %q", q.key)
		}
	}
	if slots != 0 {
		tb.Fatalf("%d slots are in no queue", slots)
	}
}

func (l *Latch) checkInvariants(tb failer) {
	tb.Helper()
	waits := len(l.blockers)
	for i := range l.slots {
		if !l.slots[i].free {
			waits++
		}
	}
	if waits != l.waits || (waits == 0) != (l.state == held) {
		tb.Fatalf("%v: waits %d, counted %d, state %d", l.Owner, l.waits, waits, l.state)
	}
	for _, b := range l.blockers {
		if !slices.Contains(b.waiters, l) {
			tb.Fatalf("%v does not know that %v waits for it", b.Owner, l.Owner)
		}
	}
}

// byDefinition is whether two latches conflict, key by key and span by span.
func byDefinition(a, b *Latch) bool {
	spans := func(keys []txn.Key, spans []txn.Span) []txn.Span {
		out := slices.Clone(spans)
		for _, k := range keys {
			out = append(out, txn.KeySpan(k))
		}
		return out
	}
	hit := func(as, bs []txn.Span) bool {
		for _, s := range as {
			if slices.ContainsFunc(bs, s.Overlaps) {
				return true
			}
		}
		return false
	}
	aw, ar := spans(a.Writes, a.WriteSpans), spans(a.Reads, a.ReadSpans)
	bw, br := spans(b.Writes, b.WriteSpans), spans(b.Reads, b.ReadSpans)
	return hit(aw, bw) || hit(aw, br) || hit(ar, bw)
}

func (c *ShardCache) checkInvariants(tb failer) {
	tb.Helper()
	if len(c.mu.reads) != int(c.size.Load()) || len(c.mu.reads) > RangeReadsMax {
		tb.Fatalf("%d range reads, size %d", len(c.mu.reads), c.size.Load())
	}
	for i, e := range c.mu.reads {
		for _, o := range c.mu.reads[:i] {
			if equalSpans(e.span, o.span) {
				tb.Fatalf("%v is kept twice", e.span)
			}
		}
	}
}

func (d *Dead) checkInvariants(tb failer) {
	tb.Helper()
	if len(d.old) > 0 && d.newest-d.bound > DeadFor {
		tb.Fatalf("old outlives its bound %d at %d", d.bound, d.newest)
	}
	for id := range d.young {
		if _, ok := d.old[id]; ok {
			tb.Fatalf("%v is in both sets", id)
		}
	}
}

func (c *StatusCache) checkInvariants(tb failer) {
	tb.Helper()
	n := 0
	for i := c.nodes[0].next; i != 0; i = c.nodes[i].next {
		if n++; c.at[c.nodes[i].id] != i || c.nodes[c.nodes[i].next].prev != i {
			tb.Fatalf("node %d is not where the index or its neighbour thinks", i)
		}
	}
	if n != len(c.at) || n > c.max {
		tb.Fatalf("%d in the ring, %d in the index, at most %d", n, len(c.at), c.max)
	}
}
