package client

import (
	"context"
	"time"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

// ExtendOptions of ExtendWith.
type ExtendOptions struct {
	RequestID string // see SetOptions
	Message   string // see SetOptions
}

// ExtendResult says what became of an extend.
type ExtendResult struct {
	Extended  bool      // false: the key was missing
	Revision  int64     // as it was; -1 = missing
	CommitTS  Timestamp // when the change committed
	ExpiresAt time.Time // zero = never
}

// Extend lets a key expire ttl from now, in whole milliseconds; 0 = never.
// The key's revision stays.
func (k *KV) Extend(ctx context.Context, key string, ttl time.Duration) (ExtendResult, error) {
	return k.ExtendWith(ctx, key, ttl, ExtendOptions{})
}

// ExtendWith is Extend with options.
func (k *KV) ExtendWith(
	ctx context.Context, key string, ttl time.Duration, o ExtendOptions,
) (ExtendResult, error) {
	req := &cairnv1.ExtendRequest{
		Keyspace: k.keyspace, Key: []byte(key), TtlMs: milliseconds(ttl),
		RequestId: []byte(o.RequestID), Message: o.Message, Durability: k.durability,
	}
	c := &call{
		method: cairnv1.Method_METHOD_KV_EXTEND, effect: commits, req: req,
		res: &cairnv1.ExtendResponse{}, handle: &req.Txn,
		request: &req.RequestId, anchor: anchor{req.Keyspace, req.Key},
	}
	if err := k.do(ctx, c); err != nil {
		return ExtendResult{}, err
	}
	return extendFromWire(c.res.(*cairnv1.ExtendResponse)), nil
}

func extendFromWire(res *cairnv1.ExtendResponse) ExtendResult {
	return ExtendResult{
		Extended: res.Extended, Revision: res.Revision, CommitTS: Timestamp(res.CommitTs),
		ExpiresAt: expiry(res.ExpiresAt),
	}
}

// TTLResult says when a key expires.
type TTLResult struct {
	Revision int64 // -1 = the key is missing, and nothing else means anything
	// Left is in whole milliseconds, rounded up; 0 = the key never expires.
	Left      time.Duration
	ExpiresAt time.Time // zero = never
}

// Found reports whether the key exists.
func (r TTLResult) Found() bool { return r.Revision >= 0 }

// TTL says how long a key has left.
func (k *KV) TTL(ctx context.Context, key string) (TTLResult, error) {
	req := &cairnv1.TimeToLiveRequest{
		Keyspace: k.keyspace, Key: []byte(key), Durability: k.durability,
	}
	c := &call{
		method: cairnv1.Method_METHOD_KV_TIME_TO_LIVE, req: req,
		res: &cairnv1.TimeToLiveResponse{}, handle: &req.Txn,
	}
	if err := k.do(ctx, c); err != nil {
		return TTLResult{}, err
	}
	return ttlFromWire(c.res.(*cairnv1.TimeToLiveResponse)), nil
}

func ttlFromWire(res *cairnv1.TimeToLiveResponse) TTLResult {
	return TTLResult{
		Revision: res.Revision, Left: max(0, time.Duration(res.TtlMs)*time.Millisecond),
		ExpiresAt: expiry(res.ExpiresAt),
	}
}

// PersistResult says what became of a persist.
type PersistResult struct {
	Persisted bool      // false: the key was missing or had no TTL
	Revision  int64     // as it was; -1 = missing
	CommitTS  Timestamp // when the change committed; 0 if there was none
}

// Persist lets a key that expires live for ever. It is TTL and then Extend,
// which changes nothing where there is nothing to change.
func (k *KV) Persist(ctx context.Context, key string, o ExtendOptions) (PersistResult, error) {
	ttl, err := k.TTL(ctx, key)
	if err != nil || ttl.ExpiresAt.IsZero() {
		return PersistResult{Revision: ttl.Revision}, err
	}
	r, err := k.ExtendWith(ctx, key, 0, o)
	return PersistResult{Persisted: r.Extended, Revision: r.Revision, CommitTS: r.CommitTS}, err
}
