package shard

import (
	"testing"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// What the rows of requests say, on disk: when they may be forgotten is told by their timestamps.
func TestRequestRows(t *testing.T) {
	w := newWorld(t)
	to := shardrpc.Target{Shard: 2, Epoch: 1}
	p := txn.Program{Then: []txn.Op{{Kind: txn.OpSet, Key: key("a"), Value: txn.NullValue()}}}
	q := &txn.Request{ID: txn.RequestID{1}, Fingerprint: 7}
	commit, open, inquiry := w.timestamp(), w.timestamp(), w.timestamp()
	w.request("commit", &shardrpc.CommitRequest{Target: to, Txn: id("1"), BaseTS: commit,
		MaxTS: txn.Forever, Reads: txn.ReadSet{MaxTS: txn.Forever}, Program: p, Request: q, Anchor: key("a")})
	w.request("prewrite", &shardrpc.PrewriteRequest{Target: to, Txn: id("2"), BaseTS: open,
		MaxTS: txn.Forever, Reads: txn.ReadSet{MaxTS: txn.Forever}, Primary: key("b"), Record: txn.Pending, Request: q})
	w.request("inquire", &shardrpc.InquireRequest{Target: to, Anchor: key("c"), ID: q.ID, BaseTS: inquiry,
		Prevent: true})
	for anchor, want := range map[string]txn.RequestRow{
		"a": {Status: txn.Committed, Fingerprint: 7, Txn: id("1"), BaseTS: commit, CommitTS: inquiry + 1},
		"b": {Status: txn.Pending, Fingerprint: 7, Txn: id("2"), BaseTS: open},
		"c": {Status: txn.Aborted, BaseTS: inquiry},
		"d": {},
	} {
		if got, err := mvcc.GetRequest(w.state, key(anchor), q.ID); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", anchor, got, err, want)
		}
	}
	w.crash(0)
}
