package sim

import (
	"context"
	"fmt"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/txn"
)

// workload is a kind of operation that clients do.
type workload struct {
	name  string
	run   func(*runner) error
	reads bool // and nothing else
}

func workloads() []workload {
	return []workload{
		{name: "program", run: runProgram},
		{name: "set", run: runSet},
		{name: "blind batch", run: runBlindBatch},
		{name: "interactive", run: runInteractive},
		{name: "count", run: runCount},
		{name: "line", run: runLine},
		{name: "list append", run: runListAppend},
		{name: "bank transfer", run: runTransfer},
		{name: "write skew", run: runSkew},
		{name: "range count", run: runRoom},
		{name: "mark", run: runMark},
		{name: "snapshot", reads: true, run: runSnapshot},
		{name: "get", reads: true, run: runGet},
		{name: "scan", reads: true, run: runScan},
		{name: "read-only", reads: true, run: runReadOnly},
		{name: "read together", reads: true, run: runReadTogether},
	}
}

func runProgram(r *runner) error { return r.execute(r.program()) }

// runSet is one conditional write of one key, as most requests are.
func runSet(r *runner) error {
	return r.execute(txn.Program{Then: []txn.Op{r.writeOp(r.key())}})
}

func runBlindBatch(r *runner) error {
	var p txn.Program
	for range r.w.number(1, 8) {
		op := txn.Op{Kind: txn.OpSet, Key: r.key(), Value: r.value()}
		if r.w.oneIn(2) { // the next one may come when this is just gone (M2)
			op.TTL = r.ttl()
		}
		p.Then = append(p.Then, op)
	}
	return r.execute(p)
}

func runInteractive(r *runner) error {
	var o coordinator.BeginOptions
	if r.w.oneIn(4) {
		o.Isolation = coordinator.Snapshot
		r.w.saw("began: at snapshot isolation")
	}
	return r.interact(o, func(s *session) error {
		for range s.w.number(1, 6) {
			if _, err := s.do(s.anyOp()); err != nil {
				return err
			}
		}
		return nil
	})
}

// runCount counts a range and writes into it or elsewhere: phantoms show.
func runCount(r *runner) error {
	span := r.span()
	count := txn.Op{Kind: txn.OpRange, Span: span, CountOnly: true}
	if r.w.oneIn(3) {
		count.Limit, count.Reverse = r.w.number(1, 4), r.w.oneIn(2)
	}
	if r.w.oneIn(3) {
		return r.execute(txn.Program{Then: []txn.Op{count, r.writeOp(r.key())}})
	}
	return r.interact(coordinator.BeginOptions{}, func(s *session) error {
		got, err := s.do(count)
		if err != nil {
			return err
		}
		write := txn.Op{Kind: txn.OpSet, Key: s.key(), Value: txn.IntValue(got.Count)}
		if s.w.oneIn(3) {
			write = txn.Op{Kind: txn.OpDelete, Key: s.key()}
		}
		_, err = s.do(write)
		return err
	})
}

// lineLength is how many places the line has.
const lineLength = 8

// runLine joins a line at any place, or takes who comes first or last out of
// it: a read of few keys that depends on those that are missing (V5).
func runLine(r *runner) error {
	if r.w.oneIn(2) {
		place := userKey(fmt.Sprintf("line/%d", r.w.IntN(lineLength)))
		return r.execute(txn.Program{Then: []txn.Op{setOp(place, r.value())}})
	}
	first := txn.Op{Kind: txn.OpRange, Span: txn.PrefixSpan(userKey("line/")),
		Limit: r.w.number(1, 2), Reverse: r.w.oneIn(2)}
	return r.interact(coordinator.BeginOptions{}, func(s *session) error {
		got, err := s.do(first)
		for i := 0; err == nil && i < len(got.Entries); i++ {
			_, err = s.do(txn.Op{Kind: txn.OpDelete, Key: got.Entries[i].Key})
		}
		if err == nil && s.w.oneIn(2) {
			_, err = s.do(setOp(s.key(), s.value()))
		}
		return err
	})
}

// recentMax is how many of the oracle's last answers a snapshot is taken from:
// it may be that of a transaction which has not even been prepared (T6).
const recentMax = 8

// oldStamp is a timestamp of the past, often exactly that of a commit.
func (r *runner) oldStamp() txn.Timestamp {
	if len(r.w.known.stamps) == 0 {
		return 0
	}
	at := pick(r.w.chance, r.w.known.stamps)
	last := r.w.issued.all[max(0, len(r.w.issued.all)-recentMax):]
	switch r.w.IntN(8) {
	case 0:
		return at - 1
	case 1:
		return at - txn.Timestamp(r.w.Int64N(1_000_000))
	case 2, 3:
		return pick(r.w.chance, last).first
	case 4, 5: // the last moment of a value, or the first without it
		known := r.w.known.newest[string(r.key())]
		if known.Expiry != 0 && known.Expiry <= last[0].first {
			at = known.Expiry - txn.Timestamp(r.w.IntN(2))
		}
	}
	return at
}

// runChase reads again and again at the timestamp that was issued last: it may
// be a writer's whose request is on its way (T6).
func runChase(r *runner) error {
	for range r.w.number(2, 12) {
		at := r.oldStamp()
		if n := len(r.w.issued.all); n > 0 {
			last := r.w.issued.all[n-1]
			at = last.first + txn.Timestamp(r.w.IntN(last.n))
		}
		if _, err := r.scan(r.anyScan(at)); err != nil {
			return err
		}
		if err := r.p.Sleep(context.Background(), r.w.between(0, r.w.plan.hopMax)); err != nil {
			return err
		}
	}
	return nil
}

func runSnapshot(r *runner) error {
	at := r.oldStamp()
	switch r.w.IntN(4) {
	case 3:
		return runChase(r)
	case 0:
		return r.get(coordinator.Read{At: at, Keys: r.keys()})
	case 1:
		_, err := r.scan(r.anyScan(at))
		return err
	default:
		return r.interact(coordinator.BeginOptions{At: at}, func(s *session) error {
			for range s.w.number(1, 4) {
				if _, err := s.do(s.readOp()); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// keys are some, each once.
func (r *runner) keys() []txn.Key {
	var keys []txn.Key
	for _, i := range r.w.Perm(len(r.w.plan.keys))[:r.w.number(1, min(5, len(r.w.plan.keys)))] {
		keys = append(keys, userKey(r.w.plan.keys[i]))
	}
	return keys
}

func runGet(r *runner) error {
	read := coordinator.Read{Keys: r.keys()}
	if r.w.oneIn(3) {
		rev := int64(r.w.IntN(4))
		if known := r.w.known.newest[string(read.Keys[0])]; r.w.oneIn(2) && known.Revision > 0 {
			rev = r.w.Int64N(known.Revision + 1)
		}
		read.Revision = &rev
	}
	return r.get(read)
}

func (r *runner) anyScan(at txn.Timestamp) coordinator.Scan {
	s := coordinator.Scan{At: at, Span: r.span(), Reverse: r.w.oneIn(3), KeysOnly: r.w.oneIn(4)}
	switch r.w.IntN(3) {
	case 0:
		s.Limit = r.w.number(1, 5)
	case 1:
		s.Bytes = r.w.number(1, 60)
	}
	return s
}

// runScan reads a page, and sometimes the one after it as its own operation's
// answer: pages of one scan share their snapshot.
func runScan(r *runner) error {
	s := r.anyScan(0)
	page, err := r.scan(s)
	if err != nil || !page.More || r.w.oneIn(2) {
		return err
	}
	s.At = page.At
	if s.Reverse {
		s.Span.End = page.Next
	} else {
		s.Span.Start = page.Next
	}
	_, err = r.scan(s)
	return err
}

func runReadOnly(r *runner) error {
	if r.w.oneIn(2) {
		p := txn.Program{If: r.test(2)}
		for range r.w.number(1, 4) {
			p.Then, p.Else = append(p.Then, r.readOp()), append(p.Else, r.readOp())
		}
		return r.execute(p)
	}
	return r.interact(coordinator.BeginOptions{ReadOnly: true}, func(s *session) error {
		for range s.w.number(1, 4) {
			if _, err := s.do(s.readOp()); err != nil {
				return err
			}
		}
		return nil
	})
}
