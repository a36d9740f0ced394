package link

import (
	"encoding/binary"
	"testing"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// requestBytesMax is how large a request of a client may be, as gateways take it.
const requestBytesMax = 9 << 20

// longKeys are keys of one length, so many that they hold at least bytes.
func longKeys(bytes, length int) []txn.Key {
	keys := make([]txn.Key, (bytes+length-1)/length)
	for i := range keys {
		keys[i] = make(txn.Key, length)
		binary.BigEndian.PutUint64(keys[i], uint64(i))
	}
	return keys
}

// version has all numbers that a version can have, each as long as it gets.
func version(value int) txn.Version {
	return txn.Version{TS: txn.MaxTimestamp, Kind: txn.KindExtend, NoHistory: true, Txn: txn.NewID(1, 1),
		Revision: 1 << 53, First: 1 << 53, CreateTS: txn.MaxTimestamp, Expiry: txn.MaxTimestamp,
		Value: txn.BytesValue(make([]byte, value))}
}

// What keeps the limits of package txn fits one payload, be the keys short or long: the read set
// and the writes of a commit, what one-shot transactions read, and what writes came to.
func TestLimitsFit(t *testing.T) {
	const longest = 4 + txn.KeyBytesMax
	for _, length := range []int{9, 100, longest} {
		reads := txn.ReadSet{MaxTS: txn.Forever}
		size := 0
		for _, k := range longKeys(txn.ReadBytesMax, length) {
			seen := txn.Seen{Key: k, TS: txn.MaxTimestamp}
			if size += seen.Size(); size > txn.ReadBytesMax || len(reads.Keys) == txn.ReadKeysMax {
				break
			}
			reads.Keys = append(reads.Keys, seen)
		}
		written := longKeys(txn.WriteBytesMax, length)
		written = written[:min(len(written), txn.WriteKeysMax)]
		req := &shardrpc.CommitRequest{Txn: txn.NewID(1, 1), Request: new(txn.Request), Anchor: written[0]}
		resp := &shardrpc.CommitResponse{CommitTS: txn.MaxTimestamp}
		value := make([]byte, (txn.WriteBytesMax-min(txn.WriteBytesMax, length*len(written)))/len(written))
		for _, k := range written {
			reads.Spans = append(reads.Spans, txn.SeenSpan{Span: txn.KeySpan(k), At: txn.MaxTimestamp})
			req.Program.Then = append(req.Program.Then, txn.Op{
				Kind: txn.OpSet, Key: k, Value: txn.BytesValue(value), TTL: 1 << 50})
			resp.Written = append(resp.Written, txn.Written{Key: k, Version: version(0),
				PrevRevision: 1 << 53, PrevExpiry: txn.MaxTimestamp})
		}
		req.Reads = reads
		if n := len(shardrpc.Encode(req)); n > PayloadBytesMax {
			t.Errorf("keys of %d bytes: a commit of %d bytes", length, n)
		}
		for _, k := range longKeys(requestBytesMax, length)[:len(written)] {
			resp.Results = append(resp.Results, txn.Result{
				Entry: txn.Entry{Key: k, Version: version(0)}, PrevRevision: 1 << 53})
		}
		size, of := 0, &resp.Results[0]
		for _, k := range longKeys(txn.AnswerBytesMax, length) {
			e := txn.Entry{Key: k, Version: version(1)}
			if size += e.Size(); size > txn.AnswerBytesMax {
				break
			}
			of.Entries = append(of.Entries, e)
		}
		if n := len(shardrpc.Encode(resp)); n > PayloadBytesMax {
			t.Errorf("keys of %d bytes: an answer of %d bytes", length, n)
		}
		t.Logf("keys of %d bytes: %d and %d bytes", length, len(shardrpc.Encode(req)), len(shardrpc.Encode(resp)))
	}
}
