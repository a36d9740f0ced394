package shard

import (
	"strings"
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
	nothing := w.timestamp()
	p.Then[0].Kind = txn.OpDelete
	p.Then[0].Key = key("n")
	w.request("nothing", &shardrpc.CommitRequest{Target: to, Txn: id("4"), BaseTS: nothing,
		MaxTS: txn.Forever, Reads: txn.ReadSet{MaxTS: txn.Forever}, Program: p, Request: q, Anchor: key("n")})
	for anchor, want := range map[string]txn.RequestRow{
		"a": {}, // its version says it
		"n": {Status: txn.Committed, Fingerprint: 7, Txn: id("4"), BaseTS: nothing, CommitTS: nothing + 1},
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

// An inquiry about some content is not answered with what became of other content of that name.
func TestInquiryOfOtherContent(t *testing.T) {
	w := newWorld(t)
	w.timestamp()
	m := w.commitRequest(1, setTo("b", []byte("v")))
	m.Request = &txn.Request{ID: txn.RequestID{7}, Fingerprint: m.Program.Fingerprint()}
	m.Anchor = key("b")
	w.request("commit", m)
	w.flush()
	for fingerprint, want := range map[uint64]string{
		0: "committed", m.Request.Fingerprint: "committed", m.Request.Fingerprint + 1: "refused",
	} {
		w.request("inquire", &shardrpc.InquireRequest{Target: m.Target, Anchor: m.Anchor,
			ID: m.Request.ID, BaseTS: w.timestamp(), Fingerprint: fingerprint})
		if got := w.flush(); !strings.Contains(got, want) {
			t.Errorf("fingerprint %x: %s, want %s", fingerprint, got, want)
		}
	}
	w.crash(0)
}
