package gateway

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/cairnkv/cairn/coordinator"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

// openTxns lists what clients have open here, whether or not a call is under way.
func (g *Gateway) openTxns(
	context.Context, *cairnv1.TxnsRequest,
) (*cairnv1.TxnsResponse, error) {
	now := g.Env.Now()
	all := g.held.all()
	slices.SortFunc(all, func(a, b *heldTxn) int {
		return cmp.Or(cmp.Compare(a.began, b.began), cmp.Compare(a.handle.Txn, b.handle.Txn))
	})
	resp := &cairnv1.TxnsResponse{}
	for _, held := range all {
		resp.Txns = append(resp.Txns, held.wire(now))
	}
	return resp, nil
}

func (held *heldTxn) wire(now time.Duration) *cairnv1.OpenTxn {
	t := held.txn
	read, written, waits := t.Progress()
	out := &cairnv1.OpenTxn{
		Id: held.handle.Txn.String(), Age: int64(t.Age().At), ReadOnly: t.ReadOnly(),
		Mode:      cairnv1.TxnMode_TXN_MODE_OPTIMISTIC,
		Isolation: cairnv1.Isolation_ISOLATION_SERIALIZABLE,
		OpenMs:    (now - held.began).Milliseconds(),
		KeysRead:  int64(read), KeysWritten: int64(written),
	}
	if t.Locks() {
		out.Mode = cairnv1.TxnMode_TXN_MODE_PESSIMISTIC
	}
	if t.Isolation() == coordinator.Snapshot {
		out.Isolation = cairnv1.Isolation_ISOLATION_SNAPSHOT
	}
	switch {
	case held.ending.Load():
		out.State = cairnv1.TxnState_TXN_STATE_ENDING
	case waits:
		out.State = cairnv1.TxnState_TXN_STATE_WAITING
	case len(held.turn) > 0:
		out.State = cairnv1.TxnState_TXN_STATE_RUNNING
	default:
		out.State = cairnv1.TxnState_TXN_STATE_IDLE
		out.IdleMs = max(now-time.Duration(held.touched.Load()), 0).Milliseconds()
	}
	return out
}
