package shard

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

func ephemeral(ops ...txn.Op) *shardrpc.EphemeralRequest {
	return &shardrpc.EphemeralRequest{Target: shardrpc.Target{Shard: 2, Epoch: 1}, Ops: ops}
}

func setOp(k, v string) txn.Op {
	return txn.Op{Kind: txn.OpSet, Key: key(k), Value: txn.StringValue(v)}
}

func getOp(k string) txn.Op { return txn.Op{Kind: txn.OpGet, Key: key(k)} }

func ephemeralText(m *shardrpc.EphemeralResponse) string {
	if m.Answer != shardrpc.OK {
		return m.Answer.String()
	}
	var all []string
	for i := range m.Results {
		r := &m.Results[i]
		s := fmt.Sprintf("%v r%d", r.OK, r.Entry.Revision)
		if len(r.Entry.Value.Data) > 0 {
			s += fmt.Sprintf(" %s", r.Entry.Value.Data)
		}
		if r.Prev != nil {
			s += fmt.Sprintf(" was %s", r.Prev.Value.Data)
		}
		all = append(all, s)
	}
	if m.Err != nil {
		all = append(all, m.Err.Reason)
	}
	return strings.Join(all, ", ")
}

// ephemeral answers one request of the data shard.
func (w *world) ephemeral(ops ...txn.Op) string {
	w.tb.Helper()
	w.request("e", ephemeral(ops...))
	return strings.TrimPrefix(w.flush(), "e: ")
}

func (w *world) wants(want string, ops ...txn.Op) {
	w.tb.Helper()
	if got := w.ephemeral(ops...); got != want {
		w.tb.Errorf("got %q, want %q", got, want)
	}
}

func TestEphemeralOperations(t *testing.T) {
	w := newWorld(t)
	zero, missing := int64(0), txn.NoRevision
	absent := setOp("a", "two")
	absent.Cond.Absent = true
	swap := setOp("a", "two")
	swap.Cond.Revision, swap.ReturnPrev = &zero, true
	w.wants("false r-1", getOp("a"))
	w.wants("true r0", setOp("a", "one"))
	w.wants("false r0", absent)
	w.wants("true r1 was one", swap)
	w.wants("false r1 was two", swap)
	w.wants("true r1", txn.Op{Kind: txn.OpExtend, Key: key("a"), TTL: 1000})
	w.wants("true r1 two", getOp("a"))
	w.wants("true r2", txn.Op{Kind: txn.OpDelete, Key: key("a")})
	w.wants("false r-1", txn.Op{Kind: txn.OpDelete, Key: key("a")})
	w.wants("false r-1", txn.Op{Kind: txn.OpExtend, Key: key("a"), TTL: 1000})
	again := setOp("a", "three")
	again.Cond.Revision = &missing
	w.wants("true r3", again) // revisions go on behind a tombstone
	w.wants("true r4, true r5, true r5 y, false r-1",
		setOp("a", "x"), setOp("a", "y"), getOp("a"), getOp("b"))
	w.wants("moved", getOp("zz"))
	w.wants("ephemeral_unsupported", txn.Op{Kind: txn.OpRange, Key: key("a"), Span: txn.KeySpan(key("a"))})
	w.wants("value_too_large", setOp("a", strings.Repeat("x", txn.ValueBytesMax+1)))

	// The persistent key of the same name is another one.
	w.commit(1, txn.Program{If: txn.Test{Key: key("a"), Cond: txn.Cond{Absent: true}},
		Then: []txn.Op{setOp("a", "persistent")}})
	w.wants("true r5 y", getOp("a"))
	if last, err := w.r.log.LastIndex(); err != nil || w.r.Status().Keys != 1 || last > 20 {
		t.Errorf("%d keys in the engine, %d entries in the log, %v", w.r.Status().Keys, last, err)
	}
}

// A key is gone for whoever comes at its expiry or later, and its revisions go on.
func TestEphemeralExpiry(t *testing.T) {
	w := newWorld(t)
	brief := setOp("a", "x")
	brief.TTL = 100
	w.wants("true r0", brief)
	absent := setOp("a", "y")
	absent.Cond.Absent = true
	w.wants("false r0", absent)
	for range 3 {
		w.tick()
	}
	w.flush()
	w.wants("false r-1", getOp("a"))
	w.wants("false r-1", txn.Op{Kind: txn.OpExtend, Key: key("a"), TTL: 1000})
	keep := setOp("a", "z")
	keep.KeepTTL, keep.Cond.Absent = true, true
	w.wants("true r1", keep)
	for range 30 {
		w.tick()
	}
	w.flush()
	w.wants("true r1 z", getOp("a")) // there was no expiry to keep
}

// A batch answers what fits, and says what does not.
func TestEphemeralAnswerIsBounded(t *testing.T) {
	w := newWorld(t)
	value := strings.Repeat("x", 3_000_000)
	var reads []txn.Op
	for _, k := range []string{"a", "b", "c"} {
		w.wants("true r0", setOp(k, value))
		reads = append(reads, getOp(k))
	}
	if got := w.ephemeral(reads...); !strings.HasSuffix(got, ", answer_too_large") || strings.Count(got, "true r0") != 2 {
		t.Errorf("%.40s … %.40s", got, got[max(0, len(got)-40):])
	}
}

// Sixteen writers of one key: whoever comes has the next revision and a later timestamp, at once.
func TestEphemeralHotKey(t *testing.T) {
	w := newWorld(t)
	times := map[txn.Timestamp]bool{}
	for round := range 20 {
		w.holding["oracle"] = true
		for i := range 16 {
			w.requestTo(w.r, "w", ephemeral(setOp("a", fmt.Sprint(round, i))))
		}
		w.settle()
		if out := w.flush(); out != "ok" {
			t.Fatalf("answered without a timestamp: %s", out)
		}
		clear(w.holding)
		w.settle()
		got := strings.Split(w.flush(), "\n")
		for i := range 16 {
			if want := fmt.Sprintf("w: true r%d", round*16+i); len(got) != 16 || got[i] != want {
				t.Fatalf("%d answers, at %d %q, not %q", len(got), i, got[i], want)
			}
		}
		newest := w.r.lead.volatile.life.get(key("a"), 0)
		if times[newest.TS] || string(newest.Value.Data) != fmt.Sprint(round, 15) {
			t.Errorf("left is %q of %d", newest.Value.Data, newest.TS)
		}
		times[newest.TS] = true
	}
	ops := slices.Repeat([]txn.Op{setOp("a", "x")}, 5)
	resp, wrote, err := w.r.lead.volatile.life.run(ops, []txn.Timestamp{1 << 40, 2 << 40, 3 << 40, 4 << 40, 5 << 40})
	if err != nil || !wrote || resp.At != 5<<40 {
		t.Fatalf("%+v, %v", resp, err)
	}
	for i := range resp.Results {
		if e := &resp.Results[i].Entry; e.TS != txn.Timestamp(i+1)<<40 || e.Revision != int64(320+i) {
			t.Errorf("write %d is r%d at %d", i, e.Revision, e.TS)
		}
	}
}

// Too many at once are turned away, and nothing of them is done.
func TestEphemeralQueueIsBounded(t *testing.T) {
	w := newWorld(t)
	w.holding["oracle"] = true
	batch := slices.Repeat([]txn.Op{setOp("a", "x")}, txn.WriteKeysMax)
	for range volatileMax / txn.WriteKeysMax {
		w.requestTo(w.r, "", ephemeral(batch...))
	}
	w.request("more", ephemeral(setOp("a", "y")))
	if out := w.flush(); out != "more: retry" {
		t.Fatal(out)
	}
	clear(w.holding)
	w.settle()
	w.flush()
	w.wants(fmt.Sprintf("true r%d x", volatileMax-1), getOp("a"))
	if v := &w.r.lead.volatile; v.stamps != 0 || len(v.calls) != 0 {
		t.Errorf("%d timestamps, %d calls are left", v.stamps, len(v.calls))
	}
}

// The end of a leadership is that of its keys: who waited is told that nothing was done, and the
// same replica begins anew in its next term.
func TestEphemeralEndsWithTheTerm(t *testing.T) {
	w := newWorld(t)
	w.wants("true r0", setOp("a", "old"))
	w.wants("true r1", setOp("a", "old"))
	w.holding["oracle"] = true
	w.request("late", ephemeral(setOp("a", "late")))
	w.depose(w.r)
	if out := w.flush(); out != "late: retry" {
		t.Fatal(out)
	}
	w.wants("retry", getOp("a"))
	if u := w.r.o.Ephemeral.Use(); u != (EphemeralUse{}) {
		t.Errorf("left behind: %+v", u)
	}
	clear(w.holding)
	w.settle()
	for range 60 {
		w.tick()
	}
	if w.flush(); !w.r.Status().Serving {
		t.Fatal("it does not lead again")
	}
	w.wants("false r-1", getOp("a"))
	w.wants("true r0", setOp("a", "new"))
}

// ask steps a request to m and gives it no time.
func (m *groupMember) ask(id uint64, ops ...txn.Op) string {
	m.r.Step(Request{ID: id, Msg: ephemeral(ops...)})
	m.g.settle()
	return m.told(id)
}

// told is what was answered to a request; empty: nothing yet.
func (m *groupMember) told(id uint64) string {
	if resp, ok := m.replies[id].(*shardrpc.EphemeralResponse); ok {
		return ephemeralText(resp)
	}
	return ""
}

// A leader that is cut off tells nobody what it has in memory once somebody else may lead, even if
// the oracle still answers it; and when it leads again it has forgotten everything.
func TestEphemeralOfADeposedLeader(t *testing.T) {
	g := newGroupOf(t, shardrpc.Route{Shard: 2, Epoch: 1}, 1, 2, 3)
	old := g.leader(30)
	if old.ask(1, setOp("a", "old")); old.told(1) != "true r0" {
		t.Fatalf("the first write: %q", old.told(1))
	}
	g.cut = func(from, to uint64) bool { return from == old.id || to == old.id }
	began := g.now
	var last, served time.Duration
	var next *groupMember
	id := uint64(2)
	for ; next == nil || g.now-served < time.Second; id += 2 {
		if old.ask(id, getOp("a")) == "true r0 old" {
			if last = g.now; next != nil {
				t.Fatalf("after %v it answers, beside the next leader", g.now-began)
			}
		}
		old.ask(id+1, setOp("b", "old"))
		g.tick(1)
		for _, m := range g.members { // order: at most one
			if m != old && m.r.Status().Serving && next == nil {
				next, served = m, g.now
				if got := m.ask(1, getOp("a")); got != "false r-1" {
					t.Fatalf("the next leader says %q", got)
				}
				if got := m.ask(2, setOp("a", "new")); got != "true r0" {
					t.Fatalf("the next leader says %q", got)
				}
			}
		}
	}
	if last == 0 || last-began >= LeaseDefault {
		t.Errorf("its last answer came after %v", last-began)
	}
	lost := 0
	for i := uint64(2); i < id; i += 2 {
		switch get := old.told(i); {
		case get != "true r0 old" && get != "retry":
			t.Errorf("a read is told %q", get)
		}
		switch set := old.told(i + 1); {
		case set == "gone": // it was done there, and is lost
			lost++
		case !strings.HasPrefix(set, "true r") && set != "retry":
			t.Errorf("a write is told %q", set)
		}
	}
	if lost == 0 {
		t.Error("no write was lost with the leadership")
	}

	g.cut = func(uint64, uint64) bool { return false }
	g.tick(30)
	next.r.Step(Transfer{To: old.id})
	g.tick(30)
	if !old.r.Status().Serving {
		t.Fatal("it does not lead again")
	}
	if got := old.ask(id, getOp("a"), getOp("b")); got != "false r-1, false r-1" {
		t.Errorf("in its next term it says %q", got)
	}
	if u := next.r.o.Ephemeral.Use(); u.Keys != 0 {
		t.Errorf("the one that leads no more keeps %+v", u)
	}
}
