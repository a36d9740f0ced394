package shard

import (
	"slices"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// staleMax is how many transactions are told to those who ask for stale ones.
const staleMax = 64

// staleList is the transactions that are old and not done with, as far as one
// answer has room for them. Each pass over the records goes on behind the last
// one that was told, and then from the first: those that nobody can see to, since
// another shard is down, keep nobody from the others.
type staleList struct {
	list  []shardrpc.Blocker // of the last whole pass
	told  []byte             // the key of the record that was told last
	after []byte             // and was when this pass began
	// What this pass has found behind after, and up to it.
	behind, upTo []shardrpc.Blocker
}

func (s *staleList) begin() { s.after = s.told }

// add takes in the record at key.
func (s *staleList) add(key []byte, rec *txn.Record) {
	found := &s.upTo
	if s.after == nil || mvcc.Compare(key, s.after) > 0 {
		found = &s.behind
	}
	if len(*found) < staleMax {
		primary := rec.Primary.Clone()
		*found = append(*found, shardrpc.Blocker{
			Key: primary, Txn: rec.Txn, Primary: primary, BaseTS: rec.BaseTS})
	}
}

// end makes what the pass has found what is told.
func (s *staleList) end() {
	s.list = slices.Concat(s.behind, s.upTo)
	s.list = s.list[:min(len(s.list), staleMax)]
	s.behind, s.upTo = nil, nil
}

// tell is what is to be told now.
func (s *staleList) tell() []shardrpc.Blocker {
	if n := len(s.list); n > 0 {
		s.told = mvcc.RecordKey(s.list[n-1].Primary, s.list[n-1].Txn)
	}
	return s.list
}

// stale tells a gateway which transactions are old and not done with.
func (r *Replica) stale(id uint64, m *shardrpc.StaleRequest) {
	resp := &shardrpc.StaleResponse{}
	var rejected bool
	if resp.Answer, rejected = r.rejects(m.Target, nil, nil); !rejected {
		resp.Answer, resp.Stale = shardrpc.OK, r.lead.stale.tell()
	}
	r.reply(id, resp)
}
