package gateway

import (
	"context"
	"strings"
	"testing"
	"time"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

var (
	pessimistic = &cairnv1.BeginRequest{Mode: cairnv1.TxnMode_TXN_MODE_PESSIMISTIC}
	snapshotted = &cairnv1.BeginRequest{Isolation: cairnv1.Isolation_ISOLATION_SNAPSHOT}
)

func (f *fixture) commit(handle string) error {
	_, err := f.g.commit(f.Context(), &cairnv1.CommitRequest{Txn: f.latest(handle)})
	return err
}

// unlocked waits until nobody has locks: they are let go behind the caller's back.
func (f *fixture) unlocked() {
	f.Helper()
	for until := time.Now().Add(10 * time.Second); f.shards.owners() > 0; {
		if time.Now().After(until) {
			f.Fatalf("%d transactions still have locks", f.shards.owners())
		}
		_ = f.env.Sleep(f.Context(), time.Millisecond)
	}
}

// Two that each read what the other writes: snapshot isolation lets both commit, serializable one.
func TestWriteSkew(t *testing.T) {
	for name, req := range map[string]*cairnv1.BeginRequest{"snapshot": snapshotted, "serializable": {}} {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			f.set("a", "1")
			f.set("b", "1")
			one, two := f.begin(req), f.begin(req)
			for _, h := range []string{one, two} {
				f.getIn(h, "a")
				f.getIn(h, "b")
			}
			if err := f.setIn(one, "a", "0"); err != nil {
				t.Fatal(err)
			}
			if err := f.setIn(two, "b", "0"); err != nil {
				t.Fatal(err)
			}
			if err := f.commit(one); err != nil {
				t.Fatal(err)
			}
			err := f.commit(two)
			if skew := err == nil; skew != (name == "snapshot") {
				t.Errorf("the second: %v", err)
			}
		})
	}
}

// Reads for an update make a skew impossible at snapshot, too.
func TestForUpdatePreventsWriteSkew(t *testing.T) {
	f := start(t)
	f.set("a", "1")
	f.set("b", "1")
	one, two := f.begin(snapshotted), f.begin(snapshotted)
	for _, h := range []string{one, two} {
		list, err := f.g.rangePage(t.Context(), &cairnv1.RangeRequest{Txn: h, ForUpdate: true})
		if err != nil || list.Count != 2 {
			t.Fatalf("%v %v", list, err)
		}
	}
	_, _ = f.setIn(one, "a", "0"), f.setIn(two, "b", "0")
	if err := f.commit(one); err != nil {
		t.Fatal(err)
	}
	if err := f.commit(two); classify(err, true).Kind != txn.Conflict {
		t.Errorf("the second: %v", err)
	}
}

func TestSnapshotForbidsLostUpdate(t *testing.T) {
	for name, read := range map[string]bool{"after a read": true, "blind": false} {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			f.set("a", "1")
			h := f.begin(snapshotted)
			if read {
				f.getIn(h, "a")
			}
			f.set("a", "2")
			if err := f.setIn(h, "a", "3"); err != nil {
				t.Fatal(err)
			}
			if err := f.commit(h); classify(err, true).Kind != txn.Conflict {
				t.Errorf("got %v", err)
			}
			if got := f.getIn("", "a"); got != "2" {
				t.Errorf("the value is %q", got)
			}
		})
	}
}

// A pessimistic transaction reads the newest, its own writes on top, in ranges too.
func TestPessimistic(t *testing.T) {
	f := start(t)
	f.set("a", "old")
	h := f.begin(pessimistic)
	f.set("a", "new")
	f.set("c", "3")
	if got := f.getIn(h, "a"); got != "new" {
		t.Errorf("reads %q, not the newest", got)
	}
	if err := f.setIn(h, "b", "mine"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.g.del(t.Context(), &cairnv1.DeleteRequest{Txn: h, Key: []byte("c")}); err != nil {
		t.Fatal(err)
	}
	list, err := f.g.rangePage(t.Context(), &cairnv1.RangeRequest{Txn: h})
	if err != nil || list.Count != 2 || string(list.Entries[1].Key) != "b" || list.Entries[1].CommitTs != 0 {
		t.Errorf("range: %v %v", list, err)
	}
	batch, err := f.g.batchGet(t.Context(), &cairnv1.BatchGetRequest{
		Txn: h, Keys: [][]byte{[]byte("b"), []byte("a"), []byte("c"), []byte("b")}, ForUpdate: true,
	})
	if err != nil || !batch.Results[0].Found || !batch.Results[1].Found || batch.Results[2].Found ||
		batch.Results[3].GetEntry().GetCommitTs() != 0 {
		t.Errorf("batch: %v %v", batch, err)
	}
	if f.shards.owners() != 1 {
		t.Errorf("%d transactions have locks", f.shards.owners())
	}
	if err := f.commit(h); err != nil {
		t.Fatal(err)
	}
	if got := f.getIn("", "a") + f.getIn("", "b") + f.getIn("", "c"); got != "newmine-" {
		t.Errorf("after the commit: %q", got)
	}
	f.unlocked()
}

// Pages of a pessimistic transaction have a time each; the range is locked instead.
func TestPessimisticPages(t *testing.T) {
	f := start(t)
	for _, k := range []string{"a", "b", "c"} {
		f.set(k, k)
	}
	h := f.begin(pessimistic)
	got := ""
	for req := (&cairnv1.RangeRequest{Txn: h, Limit: 1}); ; {
		page, err := f.g.rangePage(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			got += string(e.Key)
		}
		if req.Cursor = page.Cursor; len(req.Cursor) == 0 {
			break
		}
	}
	if got != "abc" {
		t.Errorf("pages: %q", got)
	}
	if err := f.commit(h); err != nil {
		t.Error(err)
	}
	f.unlocked()
}

// What was read at several times has to hold at once, although nothing is written.
func TestPessimisticReadsAreValidated(t *testing.T) {
	f := start(t)
	f.set("a", "1")
	h := f.begin(pessimistic)
	f.getIn(h, "a")
	f.set("a", "2") // somebody who did not see the lock
	f.getIn(h, "b")
	if err := f.commit(h); classify(err, true).Kind != txn.Conflict {
		t.Errorf("got %v", err)
	}
	f.unlocked()
}

// Whoever is refused a lock hears why, and has ended.
func TestRefusedLock(t *testing.T) {
	other := txn.NewID(9, 5)
	for reason, kind := range map[string]txn.ErrorKind{
		shardrpc.ReasonWounded: txn.Wounded, shardrpc.ReasonLockTimeout: txn.Conflict,
	} {
		t.Run(reason, func(t *testing.T) {
			f := start(t)
			h := f.begin(pessimistic)
			f.getIn(h, "a")
			f.shards.lock = func(req *shardrpc.LockRequest) *shardrpc.LockResponse {
				return &shardrpc.LockResponse{Reply: shardrpc.Reply{
					Answer: shardrpc.Refused, Reason: reason, Key: req.Keys[0],
					Holder: &shardrpc.LockOwner{Txn: other, Age: txn.Age{At: 77, ID: other}},
				}}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			_, err := f.g.set(ctx, &cairnv1.SetRequest{Txn: h, Key: []byte("b"), Value: str("v")})
			e := classify(err, true)
			d := detailOf(e)
			if e.Kind != kind || d.Reason != reason || string(d.Key) != "b" || d.BlockerTxn != "9.5" || d.BlockerAge != 77 {
				t.Errorf("%v with %v", err, d)
			}
			if err := f.commit(h); reasonOf(err) != reasonTxnGone {
				t.Errorf("afterwards: %v", err)
			}
			f.unlocked()
		})
	}
}

// A call waits for a lock no longer than its transaction waits for its client.
func TestLockWaitIsBounded(t *testing.T) {
	f := start(t)
	req := &cairnv1.BeginRequest{Mode: cairnv1.TxnMode_TXN_MODE_PESSIMISTIC, TimeoutMs: 100}
	h := f.begin(req)
	f.shards.lock = func(req *shardrpc.LockRequest) *shardrpc.LockResponse { // without waiting at all
		return &shardrpc.LockResponse{Reply: shardrpc.Reply{
			Answer: shardrpc.Refused, Reason: shardrpc.ReasonLockTimeout, Key: req.Keys[0],
		}}
	}
	began := time.Now()
	err := f.setIn(h, "a", "1")
	took := time.Since(began)
	if reasonOf(err) != shardrpc.ReasonLockTimeout || took < 50*time.Millisecond || took > 5*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	f.unlocked()
}

func TestEveryEndUnlocks(t *testing.T) {
	ends := map[string]func(*fixture, string){
		"rollback": func(f *fixture, h string) {
			_, _ = f.g.rollback(f.Context(), &cairnv1.RollbackRequest{Txn: h})
		},
		"abandoned": func(f *fixture, _ string) {
			f.env.skew.Store(int64(2 * IdleMax))
			f.g.held.sweep()
		},
		"conflict": func(f *fixture, h string) {
			f.set("a", "2")
			_ = f.commit(h)
		},
		"shutdown": func(f *fixture, _ string) { f.g.Close() },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			h := f.begin(pessimistic)
			f.getIn(h, "a")
			_ = f.setIn(h, "b", "1")
			if f.shards.owners() == 0 {
				t.Fatal("nothing is locked")
			}
			end(f, h)
			f.unlocked()
		})
	}
}

func TestBeginRefuses(t *testing.T) {
	f := start(t)
	age := encodeAge(txn.Age{At: 5, ID: txn.NewID(7, 1)})
	for reason, req := range map[string]*cairnv1.BeginRequest{
		"isolation_unknown": {Isolation: 9},
		"mode_unknown":      {Mode: 9},
		"priority_unknown":  {Priority: 9},
		"age_and_priority":  {Age: age, Priority: cairnv1.Priority_PRIORITY_NORMAL},
		"age_invalid":       {Age: age[1:]},
		"isolation_unsupported": {
			Mode: cairnv1.TxnMode_TXN_MODE_PESSIMISTIC, Isolation: cairnv1.Isolation_ISOLATION_SNAPSHOT,
		},
	} {
		if _, err := f.g.begin(t.Context(), req); reasonOf(err) != reason {
			t.Errorf("%s: %v", reason, err)
		}
	}
}

func TestForUpdateRefused(t *testing.T) {
	f := start(t)
	ctx := t.Context()
	get := &cairnv1.GetRequest{Key: []byte("k"), ForUpdate: true}
	list := &cairnv1.RangeRequest{ForUpdate: true}
	view := f.begin(&cairnv1.BeginRequest{ReadOnly: true})
	inView := &cairnv1.GetRequest{Key: []byte("k"), ForUpdate: true, Txn: view}
	calls := map[string]func() error{
		"for_update_outside":  func() error { _, err := f.g.get(ctx, get); return err },
		"for_update_outside ": func() error { _, err := f.g.rangePage(ctx, list); return err },
		"for_update_outside  ": func() error {
			_, err := f.g.batchGet(ctx, &cairnv1.BatchGetRequest{Keys: [][]byte{[]byte("k")}, ForUpdate: true})
			return err
		},
		"read_only": func() error { _, err := f.g.get(ctx, inView); return err },
		"for_update_in_execute": func() error {
			_, err := f.g.executeProgram(ctx, &cairnv1.ExecuteRequest{
				Then: []*cairnv1.Op{{Request: &cairnv1.Op_Get{Get: get}}},
			})
			return err
		},
		"for_update_in_execute ": func() error {
			_, err := f.g.executeProgram(ctx, &cairnv1.ExecuteRequest{
				Then: []*cairnv1.Op{{Request: &cairnv1.Op_Range{Range: list}}},
			})
			return err
		},
	}
	for want, call := range calls {
		err := call()
		if reason := reasonOf(err); reason != strings.TrimSpace(want) || classify(err, false).Kind != txn.Invalid {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// The next attempt at the same work is as old as the first, priority included.
func TestAgeIsCarriedOver(t *testing.T) {
	f := start(t)
	first, err := f.g.begin(t.Context(), &cairnv1.BeginRequest{Priority: cairnv1.Priority_PRIORITY_HIGH})
	if err != nil {
		t.Fatal(err)
	}
	again, err := f.g.begin(t.Context(), &cairnv1.BeginRequest{Age: first.Age})
	if err != nil {
		t.Fatal(err)
	}
	low, err := f.g.begin(t.Context(), &cairnv1.BeginRequest{Priority: cairnv1.Priority_PRIORITY_LOW})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := decodeAge(first.Age)
	b, _ := decodeAge(again.Age)
	c, _ := decodeAge(low.Age)
	if *a != *b || a.At.Add(10*time.Second) != txn.Timestamp(first.ReadTs) ||
		c.At.Add(-10*time.Second) != txn.Timestamp(low.ReadTs) {
		t.Errorf("ages %v, %v and %v of %v and %v", a, b, c, first, low)
	}
}
