package shard

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/locks"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard/meta"
	"github.com/cairnkv/cairn/txn"
)

const tickTime = 40 * time.Millisecond

// manualEnv has clocks that stand still until they are moved. Reads run on goroutines of
// their own, but only one goroutine runs at a time: whoever waits hands over to the harness.
type manualEnv struct {
	now    time.Duration
	wall   int64
	parked []*parked
	// stopped is told that the running read waits, or has ended (nil).
	stopped chan *parked
	at      func(point string) // called at each Point; nil: nothing
}

type parked struct {
	f     *env.Future
	until time.Duration
	wake  chan error
}

func (e *manualEnv) Now() time.Duration                         { return e.now }
func (e *manualEnv) Wall() int64                                { return e.wall }
func (e *manualEnv) Rand() uint64                               { return 0 }
func (e *manualEnv) Go(_ string, task func())                   { task() }
func (e *manualEnv) Sleep(context.Context, time.Duration) error { return env.ErrStopped }

func (e *manualEnv) Point(name string) error {
	if e.at != nil {
		e.at(name)
	}
	return nil
}

func (e *manualEnv) Wait(_ context.Context, f *env.Future, until time.Duration) error {
	if f.Done() {
		return nil
	}
	p := &parked{f: f, until: until, wake: make(chan error)}
	e.stopped <- p
	return <-p.wake
}

// run runs a read until it waits or ends.
func (e *manualEnv) run(task func()) {
	go func() {
		task()
		e.stopped <- nil
	}()
	e.park()
}

func (e *manualEnv) park() {
	if p := <-e.stopped; p != nil {
		e.parked = append(e.parked, p)
	}
}

// wakeReads goes on with the reads whose waiting is over; false if there are none.
func (e *manualEnv) wakeReads() bool {
	for i, p := range e.parked {
		var err error
		switch {
		case p.f.Done():
		case p.until <= e.now:
			err = env.ErrTimeout
		default:
			continue
		}
		e.parked = append(e.parked[:i:i], e.parked[i+1:]...)
		p.wake <- err
		e.park()
		return true
	}
	return false
}

// world is one member with a data shard, keys a to z, and the meta group.
type world struct {
	tb         testing.TB
	env        *manualEnv
	state, log *mvcc.Mem
	points     *locks.TSCache
	newest     *Newest
	meta       *meta.State
	metaR, r   *Replica
	appends    []appending
	asks       []asking
	holding    map[string]bool // "append", "oracle": effects that are not carried out now
	owner      txn.Owner
	names      map[uint64]string // of requests
	lastID     uint64
	stamps     map[string]txn.Timestamp
	out        []string
}

type appending struct {
	r *Replica
	a *Append
}

type asking struct {
	r *Replica
	n int
}

func key(k string) txn.Key { return txn.NewKey(txn.DefaultKeyspace, []byte(k)) }

func newWorld(tb testing.TB) *world {
	w := &world{tb: tb, env: &manualEnv{wall: 1_000_000, stopped: make(chan *parked)},
		state: mvcc.OpenMem(mvcc.Compare), log: mvcc.OpenMem(mvcc.LogCompare),
		stamps: map[string]txn.Timestamp{}, owner: txn.OwnerWorking}
	b := w.state.NewBatch()
	for _, r := range []shardrpc.Route{w.metaRoute(), w.route()} {
		if err := Bootstrap(b, r, []uint64{1}); err != nil {
			tb.Fatal(err)
		}
	}
	if err := b.Commit(true); err != nil {
		tb.Fatal(err)
	}
	w.start()
	return w
}

func (w *world) metaRoute() shardrpc.Route {
	return shardrpc.Route{Shard: shardrpc.MetaShard, Epoch: 1}
}

func (w *world) route() shardrpc.Route {
	return shardrpc.Route{Shard: 2, Epoch: 1, Span: txn.Span{Start: key("a"), End: key("z")}}
}

func (w *world) start() {
	w.points, w.newest = locks.NewTSCache(1<<10), new(Newest)
	w.names, w.appends, w.asks, w.holding = map[uint64]string{}, nil, nil, map[string]bool{}
	var err error
	if w.meta, err = meta.Load(w.state); err != nil {
		w.tb.Fatal(err)
	}
	o := Options{Member: 1, Route: w.metaRoute(), State: w.state, Log: w.log,
		Points: w.points, Newest: w.newest, Env: w.env, Meta: w.meta, RequestWindow: 4,
		Versions: mvcc.NewVersionCache(0)}
	if w.metaR, err = New(o); err != nil {
		w.tb.Fatal(err)
	}
	o.Route, o.Meta = w.route(), nil
	if w.r, err = New(o); err != nil {
		w.tb.Fatal(err)
	}
	w.settle()
}

// crash ends the process; of what was not synced the first keep commits survive.
func (w *world) crash(keep int) {
	w.metaR.Close()
	w.r.Close()
	w.settleReads()
	kept := func(int) int { return keep }
	w.state, w.log = w.state.Crash(kept), w.log.Crash(kept)
}

func (w *world) say(format string, args ...any) { w.out = append(w.out, fmt.Sprintf(format, args...)) }

func (w *world) flush() string {
	if len(w.out) == 0 {
		return "ok"
	}
	s := strings.Join(w.out, "\n")
	w.out = nil
	return s
}

// settle carries out effects until none are left.
func (w *world) settle() {
	for more := true; more; {
		more = w.pass(w.metaR) || w.pass(w.r) || w.appended() || w.answered() || w.env.wakeReads()
	}
}

func (w *world) settleReads() {
	for len(w.env.parked) > 0 {
		if !w.env.wakeReads() {
			w.env.now += intentWaitMax
		}
	}
}

func (w *world) pass(r *Replica) bool {
	e := r.Effects()
	if e.Empty() {
		return false
	}
	if e.Failed != nil {
		w.say("failed: %v", e.Failed)
	}
	if e.Append != nil {
		w.appends = append(w.appends, appending{r, e.Append})
	}
	if e.AskOracle > 0 {
		w.asks = append(w.asks, asking{r, e.AskOracle})
	}
	for _, reply := range e.Replies {
		if name := w.names[reply.ID]; name != "" {
			w.say("%s: %s", name, answer(reply.Msg))
		}
		delete(w.names, reply.ID)
	}
	for _, id := range e.AskOwner {
		w.say("the owner of %v is asked: %s", id, [...]string{"unknown", "working", "gone"}[w.owner])
		r.Step(OwnerSays{Txn: id, Owner: w.owner})
	}
	return true
}

// appended writes and syncs the logs.
func (w *world) appended() bool {
	if w.holding["append"] || len(w.appends) == 0 {
		return false
	}
	a := w.appends[0]
	w.appends = w.appends[1:]
	w.write(a, true)
	a.r.Step(Appended{})
	return true
}

func (w *world) write(a appending, sync bool) {
	b := w.log.NewBatch()
	defer b.Close()
	a.a.WriteTo(b)
	if err := b.Commit(sync); err != nil {
		w.tb.Fatal(err)
	}
}

// answered answers who asks the oracle, if it can.
func (w *world) answered() bool {
	if w.holding["oracle"] || len(w.asks) == 0 {
		return false
	}
	a := w.asks[0]
	first, ok := w.meta.Oracle.Alloc(a.n, w.env.now, w.env.wall)
	if !ok {
		w.metaR.Step(ExtendOracle{})
		return w.pass(w.metaR)
	}
	w.asks = w.asks[1:]
	a.r.Step(Timestamps{First: first, N: a.n})
	return true
}

// timestamp is a fresh one.
func (w *world) timestamp() txn.Timestamp {
	w.settle()
	for range 3 {
		if ts, ok := w.meta.Oracle.Alloc(1, w.env.now, w.env.wall); ok {
			w.newest.Raise(ts)
			return ts
		}
		w.metaR.Step(ExtendOracle{})
		w.settle()
	}
	w.tb.Fatal("the oracle does not answer")
	return 0
}

// request steps a request of some name to the data shard.
func (w *world) request(name string, msg any) {
	w.requestTo(w.r, name, msg)
	w.settle()
}

func (w *world) requestTo(r *Replica, name string, msg any) {
	w.lastID++
	w.names[w.lastID] = name
	r.Step(Request{ID: w.lastID, Msg: msg})
}

func (w *world) tick() {
	w.env.now += tickTime
	w.env.wall += tickTime.Microseconds()
	w.metaR.Step(Tick{})
	w.metaR.Step(ExtendOracle{})
	w.r.Step(Tick{})
	w.settle()
}

// depose makes r a follower, as a new leader's heartbeat would.
func (w *world) depose(r *Replica) {
	term := r.rn.BasicStatus().GetTerm() + 1
	from, to, kind := uint64(2), uint64(1), raftpb.MsgHeartbeat
	r.Step(Message{&raftpb.Message{From: &from, To: &to, Term: &term, Type: &kind}})
	w.settle()
}

func answer(msg any) string {
	switch m := msg.(type) {
	case *shardrpc.DropResponse:
		return fmt.Sprintf("%v, %d blocked", m.Answer, len(m.Blocked))
	case *shardrpc.CommitResponse:
		if m.Answer != shardrpc.OK {
			return reply(&m.Reply)
		}
		s := fmt.Sprintf("ok at %d", m.CommitTS)
		if !m.Succeeded {
			s += " else"
		}
		for i := range m.Results {
			s += " " + result(&m.Results[i])
		}
		return s
	case *shardrpc.PrewriteResponse:
		if m.Answer != shardrpc.OK {
			return reply(&m.Reply)
		}
		s := fmt.Sprintf("ok at %d", m.TS)
		for i := range m.Written {
			s += fmt.Sprintf(" %s:r%d", m.Written[i].Key.User(), m.Written[i].Version.Revision)
		}
		return s
	case *shardrpc.DecideResponse:
		return decision(m.Answer, m.Status, m.CommitTS)
	case *shardrpc.QueryResponse:
		s := decision(m.Answer, m.Status, m.CommitTS)
		if len(m.Keys) > 0 {
			s += fmt.Sprintf(" %v", m.Keys)
		}
		return s
	case *shardrpc.StaleResponse:
		s := m.Answer.String()
		for i := range m.Stale {
			s += " " + blocked(&m.Stale[i])
		}
		return s
	case *shardrpc.InquireResponse:
		s := decision(m.Answer, m.Status, m.CommitTS)
		if m.Blocker != nil {
			s += " " + blocked(m.Blocker)
		}
		return s
	case *shardrpc.QueryIntentsResponse:
		return found(m)
	case *shardrpc.ResolveResponse:
		return m.Answer.String()
	case *shardrpc.EphemeralResponse:
		return ephemeralText(m)
	case *shardrpc.LockResponse:
		return reply(&m.Reply)
	case *shardrpc.UnlockResponse:
		return m.Answer.String()
	case *shardrpc.LocksResponse:
		return lockTable(m)
	case *shardrpc.RenewResponse:
		return m.Answer.String()
	case *shardrpc.FindSessionResponse:
		return strings.TrimSpace(fmt.Sprintf("%v %s", m.Answer, m.Address))
	case *shardrpc.SessionResponse:
		return fmt.Sprintf("%v session %d", m.Answer, m.Session)
	}
	return fmt.Sprintf("%T", msg)
}

func found(m *shardrpc.QueryIntentsResponse) string {
	switch {
	case m.Answer != shardrpc.OK:
		return m.Answer.String()
	case m.CommitTS != 0:
		return fmt.Sprintf("committed at %d", m.CommitTS)
	case m.Missing:
		return "missing"
	}
	s := fmt.Sprintf("found up to %d", m.MaxTS)
	if m.Bound != txn.Forever {
		s += fmt.Sprintf(", must commit before %d", m.Bound)
	}
	return s
}

func reply(r *shardrpc.Reply) string {
	s := r.Answer.String()
	if r.Reason != "" {
		s += " " + r.Reason
	}
	if r.Key != nil {
		s += " " + r.Key.String()
	}
	if r.Holder != nil {
		s += fmt.Sprintf(" by %v of age %d", r.Holder.Txn, r.Holder.Age.At)
	}
	if r.Writer != 0 {
		s += fmt.Sprintf(" by %v", r.Writer)
	}
	if r.Blocker != nil {
		s += " " + blocked(r.Blocker)
	}
	if r.RepeatAt != 0 {
		s += fmt.Sprintf(" at %d", r.RepeatAt)
	}
	if r.Err != nil {
		s += " " + r.Err.Error()
	}
	return s
}

func blocked(b *shardrpc.Blocker) string {
	return fmt.Sprintf("by %v at %s, primary %s", b.Txn, b.Key.User(), b.Primary.User())
}

func decision(a shardrpc.Answer, s txn.Status, at txn.Timestamp) string {
	if a != shardrpc.OK {
		return a.String()
	}
	if at != 0 {
		return fmt.Sprintf("%v at %d", s, at)
	}
	return s.String()
}

func result(r *txn.Result) string {
	e := &r.Entry
	switch {
	case r.Entries != nil:
		return entries(r.Entries)
	case !r.OK:
		return fmt.Sprintf("%s:no", e.Key.User())
	case len(e.Value.Data) > 0:
		return version(e.Key, &e.Version)
	}
	return fmt.Sprintf("%s:r%d", e.Key.User(), e.Revision)
}

func entries(list []txn.Entry) string {
	var s []string
	for i := range list {
		s = append(s, version(list[i].Key, &list[i].Version))
	}
	return strings.Join(s, " ")
}

func version(k txn.Key, v *txn.Version) string {
	switch {
	case v.TS == 0:
		return fmt.Sprintf("%s=none", k.User())
	case v.Kind == txn.KindDelete:
		return fmt.Sprintf("%s=deleted@%d", k.User(), v.TS)
	}
	return fmt.Sprintf("%s=%s@%d", k.User(), v.Value.Data, v.TS)
}
