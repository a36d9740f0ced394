package shard

import (
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// history answers the part of a key's history that m asks for.
func (v *view) history(m *shardrpc.ReadRequest) (*shardrpc.ReadResponse, error) {
	h := m.History
	budget := h.Bytes
	if budget <= 0 {
		budget = scanBytesDefault
	}
	resp := &shardrpc.ReadResponse{}
	err := v.rd.History(m.Keys[0], min(h.From, m.At), func(ver txn.Version) bool {
		if h.KeysOnly {
			ver.Value.Data = nil
		}
		e := txn.Entry{Version: ver}
		budget -= e.Size() + len(ver.Principal) + len(ver.Message)
		full := h.Limit > 0 && len(resp.Versions) == h.Limit
		if full || len(resp.Versions) > 0 && budget < 0 {
			resp.Next = ver.TS
			return false
		}
		resp.Versions = append(resp.Versions, mvcc.CloneVersion(ver))
		return true
	})
	return resp, err
}
