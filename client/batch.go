package client

import (
	"context"
	"slices"
	"time"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

// BatchGetOptions of BatchGet.
type BatchGetOptions struct {
	// RequireAll makes a missing key an error, txn.NotFound, that lists the missing keys.
	RequireAll bool
	// AsOf reads at this time; 0 = now.
	AsOf Timestamp
	// ForUpdate is as for Get.
	ForUpdate bool
}

// BatchGet reads up to 10,000 keys from one snapshot. The entries are in the
// order of keys, those of missing ones not Found.
func (k *KV) BatchGet(ctx context.Context, keys []string, o BatchGetOptions) ([]Entry, error) {
	req := &cairnv1.BatchGetRequest{
		Keyspace: k.keyspace, Keys: make([][]byte, len(keys)),
		RequireAll: o.RequireAll, AsOf: optional(o.AsOf), ForUpdate: o.ForUpdate,
		Durability: k.durability,
	}
	for i, key := range keys {
		req.Keys[i] = []byte(key)
	}
	c := &call{
		method: cairnv1.Method_METHOD_KV_BATCH_GET, req: req,
		res: &cairnv1.BatchGetResponse{}, handle: &req.Txn, begin: &req.Begin,
	}
	if err := k.do(ctx, c); err != nil {
		return nil, err
	}
	results := c.res.(*cairnv1.BatchGetResponse).Results
	entries := make([]Entry, len(results))
	for i, r := range results {
		if r.Found {
			entries[i] = entryFromWire(r.Entry)
		} else {
			entries[i] = missing(string(r.GetEntry().GetKey()))
		}
	}
	return entries, nil
}

// SetItem is one key of a BatchSet.
type SetItem struct {
	Key       string
	Value     Value
	If        Conditions    // where they do not hold, this key is not written; the others are
	TTL       time.Duration // as in SetOptions
	KeepTTL   bool
	NoHistory bool
}

func (i *SetItem) toWire() (*cairnv1.SetItem, error) {
	value, err := valueToWire(i.Value)
	if err != nil {
		return nil, err
	}
	conditions, err := i.If.toWire()
	if err != nil {
		return nil, err
	}
	return &cairnv1.SetItem{
		Key: []byte(i.Key), Value: value, Conditions: conditions, TtlMs: milliseconds(i.TTL),
		KeepTtl: i.KeepTTL, NoHistory: i.NoHistory,
	}, nil
}

// BatchOptions of BatchSet and BatchDelete.
type BatchOptions struct {
	// RequireAll does nothing unless all keys exist: txn.NotFound lists the missing ones.
	RequireAll bool
	RequestID  string // as in SetOptions, for the batch as a whole
	Message    string // as in SetOptions
}

// BatchSet writes up to 10,000 keys, 8 MiB with their values, in one
// transaction; see BatchSetBatched for more. The results are in the order of the
// items; one that is not Set says that its conditions did not hold.
func (k *KV) BatchSet(
	ctx context.Context, items []SetItem, o BatchOptions,
) ([]SetResult, error) {
	req := &cairnv1.BatchSetRequest{
		Keyspace: k.keyspace, RequireAll: o.RequireAll, RequestId: []byte(o.RequestID),
		Message: o.Message, Durability: k.durability,
	}
	first := anchor{keyspace: k.keyspace}
	for i := range items {
		w, err := items[i].toWire()
		if err != nil {
			return nil, err
		}
		req.Items = append(req.Items, w)
		first.lower(w.Key)
	}
	if k.tx.setAllLater(ctx, req) {
		return slices.Repeat([]SetResult{{Set: true}}, len(items)), nil
	}
	c := &call{
		method: cairnv1.Method_METHOD_KV_BATCH_SET, effect: commits, req: req,
		res: &cairnv1.BatchSetResponse{}, handle: &req.Txn,
		request: &req.RequestId, anchor: first,
	}
	if err := k.do(ctx, c); err != nil {
		return nil, err
	}
	results := c.res.(*cairnv1.BatchSetResponse).Results
	out := make([]SetResult, len(results))
	for i, r := range results {
		out[i] = setFromWire(r)
	}
	return out, nil
}

// BatchDelete removes up to 10,000 keys in one transaction. The results are in
// the order of keys; one that is not Deleted says that the key was missing.
func (k *KV) BatchDelete(
	ctx context.Context, keys []string, o BatchOptions,
) ([]DeleteResult, error) {
	req := &cairnv1.BatchDeleteRequest{
		Keyspace: k.keyspace, RequireAll: o.RequireAll, RequestId: []byte(o.RequestID),
		Message: o.Message, Durability: k.durability,
	}
	first := anchor{keyspace: k.keyspace}
	for _, key := range keys {
		req.Keys = append(req.Keys, []byte(key))
		first.lower([]byte(key))
	}
	c := &call{
		method: cairnv1.Method_METHOD_KV_BATCH_DELETE, effect: commits, req: req,
		res: &cairnv1.BatchDeleteResponse{}, handle: &req.Txn,
		request: &req.RequestId, anchor: first,
	}
	if err := k.do(ctx, c); err != nil {
		return nil, err
	}
	results := c.res.(*cairnv1.BatchDeleteResponse).Results
	out := make([]DeleteResult, len(results))
	for i, r := range results {
		out[i] = deleteFromWire(r)
	}
	return out, nil
}
