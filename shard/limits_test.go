package shard

import (
	"strings"
	"testing"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// A leader holds writes to the options of their keyspace, as far as its member has heard of them.
func TestKeyspaceLimits(t *testing.T) {
	w := newWorld(t)
	ks := &txn.Keyspace{ID: txn.DefaultKeyspace, Name: "small", KeyspaceOptions: txn.KeyspaceOptions{
		ValueBytesMax: 10, BytesMax: 100}.WithDefaults()}
	w.r.o.Keyspace = func(txn.KeyspaceID) *txn.Keyspace { return nil }
	w.commit(1, setTo("b", make([]byte, 11))) // nothing is known of it yet
	w.r.o.Keyspace = func(txn.KeyspaceID) *txn.Keyspace { return ks }
	w.commit(2, setTo("c", make([]byte, 10)))
	commit := func(counter uint64, p txn.Program) string {
		w.timestamp()
		w.request("commit", w.commitRequest(counter, p))
		return w.flush()
	}
	if got := commit(3, setTo("c", make([]byte, 11))); !strings.Contains(got, "refused invalid") ||
		!strings.Contains(got, "11 bytes") {
		t.Errorf("a value that is too large: %s", got)
	}
	extend := txn.Program{Then: []txn.Op{{Kind: txn.OpExtend, Key: key("b"), TTL: 5000}}}
	if got := commit(4, extend); !strings.Contains(got, "ok") {
		t.Errorf("a large value is extended: %s", got)
	}
	ks.FullBytes = 120
	if got := commit(5, setTo("c", nil)); !strings.Contains(got, "holds 120 bytes") {
		t.Errorf("a set in a full keyspace: %s", got)
	}
	w.request("prewrite", &shardrpc.PrewriteRequest{Target: shardrpc.Target{Shard: 2, Epoch: 1}, Txn: id("6"),
		BaseTS: w.timestamp(), MaxTS: txn.Forever, Reads: txn.ReadSet{MaxTS: txn.Forever}, Primary: key("c"),
		Record: txn.Pending, Writes: []txn.Write{{Key: key("c"), Kind: txn.KindSet, Value: txn.IntValue(1)}}})
	if got := w.flush(); !strings.Contains(got, "refused invalid") {
		t.Errorf("a prewrite in a full keyspace: %s", got)
	}
	if got := commit(7, txn.Program{Then: []txn.Op{{Kind: txn.OpDelete, Key: key("c")}}}); !strings.Contains(got, "ok") {
		t.Errorf("a delete in a full keyspace: %s", got)
	}
	w.crash(0)
}

// An extend copies a value that is not in the request: what all of them copy has to fit an entry
// of the log, and is held to the limit of a transaction, prewritten or not.
func TestExtendsAreLimited(t *testing.T) {
	w := newWorld(t)
	var extend txn.Program
	var writes []txn.Write
	for i, k := range []string{"b", "c", "d"} {
		w.commit(uint64(i+1), setTo(k, make([]byte, txn.ValueBytesMax)))
		extend.Then = append(extend.Then, txn.Op{Kind: txn.OpExtend, Key: key(k), TTL: 5000})
		writes = append(writes, txn.Write{Key: key(k), Kind: txn.KindExtend, TTL: 5000})
	}
	w.commit(4, txn.Program{Then: extend.Then[:2]})
	w.timestamp()
	w.request("commit", w.commitRequest(5, extend))
	if got := w.flush(); !strings.Contains(got, "refused invalid") || !strings.Contains(got, "8388608 bytes") {
		t.Errorf("three large values are extended at once: %s", got)
	}
	w.request("prewrite", &shardrpc.PrewriteRequest{Target: shardrpc.Target{Shard: 2, Epoch: 1}, Txn: id("6"),
		BaseTS: w.timestamp(), MaxTS: txn.Forever, Reads: txn.ReadSet{MaxTS: txn.Forever}, Primary: key("b"),
		Record: txn.Pending, Writes: writes})
	if got := w.flush(); !strings.Contains(got, "refused invalid") {
		t.Errorf("three large values are extended by a prewrite: %s", got)
	}
	w.crash(0)
}
