package client

import (
	"context"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

// KV is the verbs on one keyspace: of a DB, where each is a transaction of its
// own, or of a Txn, where they read their own writes and nobody else sees them
// before Commit. Keys are 1 to 4,096 bytes, any bytes.
type KV struct {
	caller   caller
	keyspace string
	tx       *openTxn // nil outside a transaction
}

// In is the same on another keyspace.
func (k *KV) In(keyspace string) *KV {
	return &KV{caller: k.caller, keyspace: keyspace, tx: k.tx}
}

func (k *KV) do(ctx context.Context, c *call) error {
	if k.tx == nil {
		return k.caller.call(ctx, c)
	}
	return k.tx.do(ctx, k.caller, c)
}

// ReadOption says which version to read. Default: the latest.
type ReadOption func(*readVersion)

type readVersion struct {
	revision, asOf *int64
	forUpdate      bool
}

// AtRevision reads exactly this revision, from 0; a deletion's own is not found.
func AtRevision(revision int64) ReadOption {
	return func(v *readVersion) { v.revision = &revision }
}

// AsOf reads what was current at a time that is not in the future and within
// the keyspace's history, or the error is txn.TooOld.
func AsOf(at Timestamp) ReadOption {
	return func(v *readVersion) { v.asOf = new(int64(at)) }
}

// ForUpdate is for reads on which the transaction's writes depend: one that is
// Pessimistic locks the key exclusively, and one at Snapshot commits only if it
// has not changed. It does not fit reads outside of a transaction.
func ForUpdate() ReadOption {
	return func(v *readVersion) { v.forUpdate = true }
}

func versionOf(opts []ReadOption) (v readVersion) {
	for _, opt := range opts {
		opt(&v)
	}
	return v
}

// Get reads one key. A missing one is no error: see Entry.Found.
func (k *KV) Get(ctx context.Context, key string, opts ...ReadOption) (Entry, error) {
	v := versionOf(opts)
	req := &cairnv1.GetRequest{
		Keyspace: k.keyspace, Key: []byte(key), Revision: v.revision, AsOf: v.asOf,
		ForUpdate: v.forUpdate,
	}
	c := &call{
		method: cairnv1.Method_METHOD_KV_GET, req: req,
		res: &cairnv1.GetResponse{}, handle: &req.Txn,
	}
	if err := k.do(ctx, c); err != nil {
		return missing(key), err
	}
	return gotFromWire(key, c.res.(*cairnv1.GetResponse)), nil
}

func gotFromWire(key string, res *cairnv1.GetResponse) Entry {
	if !res.Found {
		return missing(key)
	}
	return Entry{
		Key: key, Value: valueFromWire(res.Value), Revision: res.Revision,
		CommitTS: Timestamp(res.CommitTs), CreateTS: Timestamp(res.CreateTs),
		ExpiresAt: expiry(res.ExpiresAt),
	}
}

// Exists is Get without the value.
func (k *KV) Exists(ctx context.Context, key string, opts ...ReadOption) (Entry, error) {
	v := versionOf(opts)
	req := &cairnv1.ExistsRequest{
		Keyspace: k.keyspace, Key: []byte(key), Revision: v.revision, AsOf: v.asOf,
		ForUpdate: v.forUpdate,
	}
	c := &call{
		method: cairnv1.Method_METHOD_KV_EXISTS, req: req,
		res: &cairnv1.ExistsResponse{}, handle: &req.Txn,
	}
	if err := k.do(ctx, c); err != nil {
		return missing(key), err
	}
	return existsFromWire(key, c.res.(*cairnv1.ExistsResponse)), nil
}

func existsFromWire(key string, res *cairnv1.ExistsResponse) Entry {
	if !res.Exists {
		return missing(key)
	}
	return Entry{
		Key: key, Revision: res.Revision, CommitTS: Timestamp(res.CommitTs),
		CreateTS: Timestamp(res.CreateTs), ExpiresAt: expiry(res.ExpiresAt),
	}
}

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
	}
	for i, key := range keys {
		req.Keys[i] = []byte(key)
	}
	c := &call{
		method: cairnv1.Method_METHOD_KV_BATCH_GET, req: req,
		res: &cairnv1.BatchGetResponse{}, handle: &req.Txn,
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

// optional leaves out a timestamp of 0.
func optional(at Timestamp) *int64 {
	if at == 0 {
		return nil
	}
	return new(int64(at))
}
