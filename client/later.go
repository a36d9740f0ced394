package client

import (
	"bytes"
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

const (
	// laterMax sets, and laterBytesMax of them, wait for the next call; what is more is one.
	laterMax      = 1000
	laterBytesMax = 256 << 10
	// laterHeardMax is after how long without a call a set is one: the server counts them when it
	// looks for transactions that were left alone.
	laterHeardMax = time.Second
)

// later is the sets of an open transaction that are no calls of their own. Such a set has no
// conditions, so what a transaction answers to it is the same whatever there is: that it is set.
type later struct {
	heardMax time.Duration // 0: every set is a call
	heard    time.Time     // when the server answered last
	sets     []*cairnv1.SetRequest
	bytes    int
	failed   error // of those that were sent: the transaction cannot commit without them
}

// setLater keeps sets for the next call of the transaction. It reports false where they have to be
// calls: by what they want, or so that what is wrong with them is told at once.
func (t *openTxn) setLater(ctx context.Context, sets ...*cairnv1.SetRequest) bool {
	if t == nil || t.later.heardMax == 0 || ctx.Err() != nil {
		return false
	}
	bytes := 0
	for _, set := range sets {
		if !foregone(set) {
			return false
		}
		bytes += proto.Size(set)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l := &t.later
	if t.ended || l.failed != nil || len(l.sets)+len(sets) > laterMax ||
		l.bytes+bytes > laterBytesMax || t.handle != "" && time.Since(l.heard) > l.heardMax {
		return false
	}
	for _, set := range sets {
		own(set.Value)
	}
	l.sets, l.bytes = append(l.sets, sets...), l.bytes+bytes
	return true
}

// setAllLater is setLater for a batch.
func (t *openTxn) setAllLater(ctx context.Context, req *cairnv1.BatchSetRequest) bool {
	n := len(req.Items)
	if t == nil || t.later.heardMax == 0 || n == 0 || n > laterMax || req.RequireAll {
		return false
	}
	sets := make([]*cairnv1.SetRequest, n)
	for i, item := range req.Items {
		sets[i] = &cairnv1.SetRequest{
			Keyspace: req.Keyspace, Key: item.Key, Value: item.Value, Conditions: item.Conditions,
			TtlMs: item.TtlMs, KeepTtl: item.KeepTtl, NoHistory: item.NoHistory,
			RequestId: req.RequestId, Message: req.Message, Durability: req.Durability,
		}
	}
	return t.setLater(ctx, sets...)
}

// foregone reports whether it is known what a transaction answers to a set.
func foregone(set *cairnv1.SetRequest) bool {
	return set.Conditions == nil && !set.ReturnPrev &&
		len(set.Key) > 0 && len(set.Key) <= txn.KeyBytesMax &&
		set.TtlMs >= 0 && (set.TtlMs == 0 || !set.KeepTtl) &&
		len(set.RequestId) == 0 && set.Message == "" &&
		set.Durability == cairnv1.Durability_DURABILITY_UNSPECIFIED
}

// own copies what the caller may change once its call is over.
func own(v *cairnv1.Value) {
	if b, ok := v.GetKind().(*cairnv1.Value_BytesValue); ok {
		b.BytesValue = bytes.Clone(b.BytesValue)
	}
}

// flush does the sets that were kept, before a call that may look at what they wrote. To do them
// again where that is not known to have failed or not changes nothing.
func (t *openTxn) flush(ctx context.Context, next caller) error {
	l := &t.later
	for l.failed == nil && len(l.sets) > 0 {
		n := 1
		for n < len(l.sets) && l.sets[n].Keyspace == l.sets[0].Keyspace {
			n++
		}
		c := batchOf(t.handle, l.sets[:n])
		if err := next.call(ctx, c); err != nil {
			t.unsure = true
			if k := txn.KindOf(err); k != txn.Unavailable && k != txn.Deadline {
				l.failed = err
			}
			return err
		}
		t.answered(c.res)
		l.sets = l.sets[n:]
	}
	if l.failed == nil {
		l.bytes = 0
	}
	return l.failed
}

// batchOf does sets of one keyspace in one call.
func batchOf(handle string, sets []*cairnv1.SetRequest) *call {
	req := &cairnv1.BatchSetRequest{Keyspace: sets[0].Keyspace, Txn: handle}
	for _, set := range sets {
		req.Items = append(req.Items, &cairnv1.SetItem{
			Key: set.Key, Value: set.Value, TtlMs: set.TtlMs, KeepTtl: set.KeepTtl,
			NoHistory: set.NoHistory,
		})
	}
	return &call{
		method: cairnv1.Method_METHOD_KV_BATCH_SET, effect: buffers, req: req,
		res: &cairnv1.BatchSetResponse{},
	}
}
