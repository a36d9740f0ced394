package client

import (
	"context"
	"errors"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// KV is the verbs on one keyspace: of a DB, where each is a transaction of its
// own, or of a Txn, where they read their own writes and nobody else sees them
// before Commit. Keys are 1 to 4,096 bytes, any bytes.
type KV struct {
	caller   caller
	keyspace string
	tx       *openTxn // nil outside a transaction
	// durability is unspecified, which is persistent, or ephemeral.
	durability cairnv1.Durability
}

// In is the same on another keyspace.
func (k *KV) In(keyspace string) *KV {
	other := *k
	other.keyspace = keyspace
	return &other
}

// Ephemeral is the same verbs on the other namespace of the keyspace: keys in
// the memory of whoever leads their shard, gone when that changes and when
// others are used more. They know Set, Get, Exists, Delete, Extend, TTL,
// Persist, Increment and its like, and the batches, of which each key stands for
// itself. They have no history, no past and no ranges, and are in no transaction.
// A write whose answer is lost ends with txn.Unknown at once: nobody remembers it.
func (k *KV) Ephemeral() *KV {
	other := *k
	other.durability = cairnv1.Durability_DURABILITY_EPHEMERAL
	return &other
}

func (k *KV) do(ctx context.Context, c *call) error {
	if k.tx == nil {
		return k.caller.call(ctx, c)
	}
	return k.tx.do(ctx, k.caller, c)
}

// persistentOnly refuses what ephemeral keys do not know.
func (k *KV) persistentOnly(op string) error {
	if k.durability != cairnv1.Durability_DURABILITY_EPHEMERAL {
		return nil
	}
	return &txn.Error{
		Kind: txn.Invalid, Op: "client." + op, Reason: "ephemeral_unsupported",
		Err: errors.New("ephemeral keys have no history and no ranges"),
	}
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
		ForUpdate: v.forUpdate, Durability: k.durability,
	}
	c := &call{
		method: cairnv1.Method_METHOD_KV_GET, req: req,
		res: &cairnv1.GetResponse{}, handle: &req.Txn, begin: &req.Begin,
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
		ForUpdate: v.forUpdate, Durability: k.durability,
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

// optional leaves out a timestamp of 0.
func optional(at Timestamp) *int64 {
	if at == 0 {
		return nil
	}
	return new(int64(at))
}
