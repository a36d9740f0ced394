package shard

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// requester sends requests and remembers what each came to.
type requester struct {
	*world
	rng   *rand.Rand
	count uint64
	done  []doneRequest
}

type doneRequest struct {
	m      *shardrpc.CommitRequest
	answer string // of the commit that carried it out; "": it was no such commit
	told   string // what an inquiry says
	at     txn.Timestamp
}

// TestRequestsHappenOnce repeats requests on few keys, in any order and after any number
// of writes, and inquires about them: all that are younger than they have to be
// remembered are, whatever became of their keys and of the process.
func TestRequestsHappenOnce(t *testing.T) {
	for seed := range uint64(20) {
		w := &requester{world: newWorld(t), rng: rand.New(rand.NewPCG(seed, 1))}
		for range 300 {
			w.step()
		}
		w.flush()
		w.rows()
		w.crash(0)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func (w *requester) step() {
	switch n := w.rng.IntN(100); {
	case n < 35:
		w.first(w.some())
	case n < 50:
		w.first(w.commitRequest(w.next(), w.program())) // without a request
	case n < 80 && len(w.done) > 0:
		w.repeat(w.done[w.rng.IntN(len(w.done))])
	case n < 92:
		w.twoPhase()
	case n < 95:
		w.let(time.Duration(w.rng.IntN(300)) * time.Second)
		w.tick()
		w.forget()
	case n < 97:
		w.depose(w.r)
		w.serve()
	case n < 99:
		w.crash(w.rng.IntN(10))
		w.start()
		w.serve()
	default:
		if err := w.state.Flush(); err != nil {
			w.tb.Fatal(err)
		}
	}
}

func (w *requester) serve() {
	for range 60 {
		w.tick()
	}
	w.timestamp()
	w.flush()
}

// forget leaves out what need not be remembered any more. What an old name is given to
// again is not tried: whether it is new yet is the collector's.
func (w *requester) forget() {
	for len(w.done) > 0 && w.timestamp().Sub(w.done[0].at) > txn.RequestRetention.Duration() {
		w.done = w.done[1:]
	}
}

func (w *requester) next() uint64 { w.count++; return w.count }

func (w *requester) key() string { return string(rune('a' + w.rng.IntN(3))) }

// program writes a key or two, one of them under a condition now and then.
func (w *requester) program() txn.Program {
	w.timestamp() // the request will say that it has seen this one
	p := setTo(w.key(), fmt.Append(nil, w.count))
	switch w.rng.IntN(6) {
	case 0:
		p.Then[0] = txn.Op{Kind: txn.OpDelete, Key: key(w.key())}
	case 1:
		p.Then[0] = txn.Op{Kind: txn.OpExtend, Key: key(w.key()), TTL: 1000_000}
	case 2:
		p.If = txn.Test{Key: key(w.key()), Cond: txn.Cond{Absent: true}}
		p.Else = setTo(w.key(), nil).Then
	case 3:
		p.Then = append(p.Then, setTo("d", nil).Then...)
	}
	return p
}

// some is a commit with a request.
func (w *requester) some() *shardrpc.CommitRequest {
	p := w.program()
	m := w.commitRequest(w.next(), p)
	m.Request = &txn.Request{ID: txn.HashRequestID(fmt.Append(nil, w.count)), Fingerprint: p.Fingerprint()}
	if w.count%2 == 0 { // it is dated
		m.Request.Since = m.BaseTS
	}
	m.Anchor = p.Anchor()
	return m
}

func (w *requester) ask(msg any) string {
	w.request("x", msg)
	return strings.TrimPrefix(w.flush(), "x: ")
}

func (w *requester) first(m *shardrpc.CommitRequest) {
	answer := w.ask(m)
	var at txn.Timestamp
	if _, err := fmt.Sscanf(answer, "ok at %d", &at); err != nil {
		w.tb.Errorf("%v", answer)
	}
	if m.Request != nil {
		w.done = append(w.done, doneRequest{m, answer, fmt.Sprintf("committed at %d", at), at})
	}
}

func (w *requester) repeat(d doneRequest) {
	m := *d.m
	m.BaseTS = w.timestamp()
	if w.rng.IntN(3) > 0 {
		m.Txn = txn.NewID(1, w.next())
	}
	switch w.rng.IntN(4) {
	case 0:
		asked := &shardrpc.InquireRequest{Target: m.Target, Anchor: m.Anchor, ID: m.Request.ID,
			BaseTS: m.BaseTS, Prevent: true}
		if got := w.ask(asked); got != d.told {
			w.tb.Errorf("an inquiry says %s, want %s", got, d.told)
		}
	case 1:
		m.Request = &txn.Request{ID: m.Request.ID, Fingerprint: m.Request.Fingerprint + 1}
		if got := w.ask(&m); !strings.Contains(got, "other content") {
			w.tb.Errorf("other content: %s", got)
		}
	default:
		if got := w.ask(&m); got != d.answer && d.answer != "" {
			w.tb.Errorf("repeated: %s, want %s", got, d.answer)
		}
	}
}

// twoPhase writes by intents, with a request or without, and ends them; the last
// entries of the log may be applied together with what comes next.
func (w *requester) twoPhase() {
	base := w.timestamp()
	m := &shardrpc.PrewriteRequest{Target: shardrpc.Target{Shard: 2, Epoch: 1},
		Txn: txn.NewID(1, w.next()), BaseTS: base, MaxTS: txn.Forever,
		Reads: txn.ReadSet{MaxTS: txn.Forever}, Primary: key(w.key()), Record: txn.Pending}
	m.Writes = []txn.Write{{Key: m.Primary, Value: txn.IntValue(int64(w.count))}}
	p := txn.Program{Then: []txn.Op{{Kind: txn.OpSet, Key: m.Primary, Value: m.Writes[0].Value}}}
	if w.rng.IntN(2) == 0 {
		m.Request = &txn.Request{ID: txn.HashRequestID(fmt.Append(nil, w.count)), Fingerprint: p.Fingerprint()}
	}
	if got := w.ask(m); !strings.HasPrefix(got, "ok") {
		w.tb.Errorf("prewrite: %s", got)
	}
	c := w.timestamp()
	decide := &shardrpc.DecideRequest{Target: m.Target, Txn: m.Txn, BaseTS: base, Primary: m.Primary,
		From: txn.In(txn.Pending), To: txn.Aborted}
	resolve := &shardrpc.ResolveRequest{Target: m.Target, Txn: m.Txn, BaseTS: base,
		Keys: []txn.Key{m.Primary}, Done: m.Primary}
	if w.rng.IntN(2) == 0 {
		decide.To, decide.CommitTS, resolve.Commit, resolve.CommitTS = txn.Committed, c, true, c
	}
	w.request("x", decide)
	w.holding["append"] = w.rng.IntN(2) == 0
	w.request("x", resolve)
	over := w.some()
	w.request("y", over) // may meet the intent while it is being ended
	clear(w.holding)
	w.settle()
	_, answer, _ := strings.Cut(w.flush(), "y: ")
	var at txn.Timestamp
	if _, err := fmt.Sscanf(answer, "ok at %d", &at); err != nil {
		w.tb.Errorf("%v", answer)
	}
	if resolve.Commit && m.Request != nil {
		again := w.commitRequest(0, p)
		again.Request, again.Anchor = m.Request, m.Primary
		w.done = append(w.done, doneRequest{again, "", fmt.Sprintf("committed at %d", c), c})
	}
	w.done = append(w.done, doneRequest{over, answer, fmt.Sprintf("committed at %d", at), at})
}

// While a keyspace that is deleted has its versions they tell what was carried out there;
// then nothing can be told any more.
func TestDropForgetsRequests(t *testing.T) {
	w := newWorld(t)
	m := w.fresh(1, "b")
	m.Request = &txn.Request{ID: txn.RequestID{1}, Fingerprint: m.Program.Fingerprint()}
	m.Anchor = key("b")
	ask := func() {
		again := *m
		again.Txn = txn.NewID(1, 2)
		w.request("commit", &again)
		w.request("inquire", &shardrpc.InquireRequest{Target: m.Target, Anchor: m.Anchor,
			ID: m.Request.ID, BaseTS: w.timestamp(), Prevent: true})
	}
	w.request("commit", m)
	w.flush()
	w.dropStep(shardrpc.DropMark, 0)
	w.said("marked", "drop: ok")
	ask()
	w.said("while it is there", "commit: ok at 1000002 b:r0\ninquire: committed at 1000002")
	w.dropStep(shardrpc.DropErase, w.timestamp())
	w.said("erased", "drop: ok")
	ask()
	w.said("when it is gone", "commit: gone\ninquire: gone")
	w.crash(0)
}
