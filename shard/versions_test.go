package shard

import (
	"context"
	"testing"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// readOne is the value of a key now.
func (w *world) readOne(k string) string {
	w.tb.Helper()
	at, value := w.timestamp(), ""
	w.env.run(func() {
		resp, err := w.r.Read(context.Background(), &shardrpc.ReadRequest{
			Target: shardrpc.Target{Shard: w.route().Shard, Epoch: 1}, At: at, Keys: []txn.Key{key(k)},
		})
		if err != nil || len(resp.Versions) != 1 {
			w.tb.Errorf("%+v, %v", resp, err)
			return
		}
		value = string(resp.Versions[0].Value.Data)
	})
	return value
}

// leadAnew ends the leadership and waits for the next.
func (w *world) leadAnew() {
	w.tb.Helper()
	w.depose(w.r)
	if w.r.mu.newest != nil {
		w.tb.Error("who does not lead knows something")
	}
	for range 60 {
		w.tick()
	}
	w.timestamp()
}

// What a reader has found is not what is there once more has been applied (M6).
func TestReaderTellsNothingOld(t *testing.T) {
	w := newWorld(t)
	w.commit(1, setTo("a", []byte("one")))
	w.leadAnew() // and know nothing of a
	w.env.at = func(point string) {
		if point == "shard.read.opened" {
			w.env.at = nil
			w.commit(2, setTo("a", []byte("two")))
		}
	}
	if got := w.readOne("a"); got != "one" {
		t.Errorf("before the second write: %q", got)
	}
	if got := w.readOne("a"); got != "two" {
		t.Errorf("after it: %q", got)
	}
}

// A leader answers from memory what it has written or read, until its leadership ends (C15).
func TestLeaderKnowsNewest(t *testing.T) {
	w := newWorld(t)
	w.commit(1, setTo("a", []byte("one")))
	knows := func() bool {
		_, ok, err := w.r.mu.newest.Get(key("a"), txn.Forever)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if !knows() {
		t.Error("nothing is known of what was written")
	}
	w.leadAnew()
	if knows() {
		t.Error("a new leadership knows what an older one has read")
	}
	if got := w.readOne("a"); got != "one" || !knows() {
		t.Errorf("read %q, known: %v", got, knows())
	}
}
