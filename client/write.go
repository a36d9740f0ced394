package client

import (
	"context"
	"time"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

// Conditions must all hold for a write to happen. The zero Conditions always do.
type Conditions struct {
	Absent  bool   // the key must be missing
	Present bool   // the key must exist
	Value   *Value // the key must exist with this value
	// Revision that the key must be at; -1 = must be missing.
	Revision *int64
	// CommitTS of the current version; unlike a revision it never matches an earlier life of the
	// key. 0 = any.
	CommitTS Timestamp
}

func (c *Conditions) toWire() (*cairnv1.WriteConditions, error) {
	if *c == (Conditions{}) {
		return nil, nil
	}
	w := &cairnv1.WriteConditions{
		IfAbsent: c.Absent, IfPresent: c.Present, IfRevision: c.Revision,
		IfCommitTs: optional(c.CommitTS),
	}
	if c.Value != nil {
		value, err := valueToWire(*c.Value)
		if err != nil {
			return nil, err
		}
		w.IfValue = value
	}
	return w, nil
}

// SetOptions of Set. The zero SetOptions set without condition and expiry.
type SetOptions struct {
	If         Conditions
	TTL        time.Duration // until the key expires, in whole milliseconds; 0 = never
	KeepTTL    bool          // keep the expiry that the key has; excludes TTL
	NoHistory  bool          // do not keep the replaced version
	ReturnPrev bool          // answer the replaced version
	// RequestID makes the set happen once: for 15 minutes a repeat with the same one answers what
	// came of the first. Empty: the SDK draws one. 1 to 64 bytes; not inside a transaction.
	RequestID string
	// Message is why, for the key's History: at most 1,024 bytes of UTF-8. In a transaction it is
	// TxnOptions that say it.
	Message string
}

// SetResult says what became of a set.
type SetResult struct {
	Set          bool      // false: a condition did not hold, and nothing was written
	Revision     int64     // the new one; if not set, the current one, -1 = missing
	CommitTS     Timestamp // if not set, that of the current version, 0 = missing
	CreateTS     Timestamp
	ExpiresAt    time.Time // zero = never
	PrevRevision int64     // -1 = the key was missing
	Prev         *Entry    // if asked for and there was one
}

// Set writes one key. A condition that does not hold is no error: see
// SetResult.Set. Inside a transaction the answer has no revisions and times yet:
// Commit says what they became. See DB.Update for when it is sent.
func (k *KV) Set(ctx context.Context, key string, v Value, o SetOptions) (SetResult, error) {
	req, err := setToWire(k.keyspace, key, v, &o)
	if err != nil {
		return SetResult{}, err
	}
	req.Durability = k.durability
	if k.tx.setLater(ctx, req) {
		return SetResult{Set: true}, nil
	}
	c := &call{
		method: cairnv1.Method_METHOD_KV_SET, effect: commits, req: req,
		res: &cairnv1.SetResponse{}, handle: &req.Txn,
		request: &req.RequestId, anchor: anchor{req.Keyspace, req.Key},
	}
	if err := k.do(ctx, c); err != nil {
		return SetResult{}, err
	}
	return setFromWire(c.res.(*cairnv1.SetResponse)), nil
}

// SetString is Set of a string without options.
func (k *KV) SetString(ctx context.Context, key, s string) (SetResult, error) {
	return k.Set(ctx, key, StringValue(s), SetOptions{})
}

// SetBytes is Set of bytes without options.
func (k *KV) SetBytes(ctx context.Context, key string, b []byte) (SetResult, error) {
	return k.Set(ctx, key, BytesValue(b), SetOptions{})
}

// Create is Set if the key is missing.
func (k *KV) Create(ctx context.Context, key string, v Value) (SetResult, error) {
	return k.Set(ctx, key, v, SetOptions{If: Conditions{Absent: true}})
}

func setToWire(
	keyspace, key string, v Value, o *SetOptions,
) (*cairnv1.SetRequest, error) {
	value, err := valueToWire(v)
	if err != nil {
		return nil, err
	}
	conditions, err := o.If.toWire()
	if err != nil {
		return nil, err
	}
	return &cairnv1.SetRequest{
		Keyspace: keyspace, Key: []byte(key), Value: value, Conditions: conditions,
		TtlMs: milliseconds(o.TTL), KeepTtl: o.KeepTTL, NoHistory: o.NoHistory, ReturnPrev: o.ReturnPrev,
		RequestId: []byte(o.RequestID), Message: o.Message,
	}, nil
}

func setFromWire(res *cairnv1.SetResponse) SetResult {
	return SetResult{
		Set: res.Set, Revision: res.Revision, CommitTS: Timestamp(res.CommitTs),
		CreateTS: Timestamp(res.CreateTs), ExpiresAt: expiry(res.ExpiresAt),
		PrevRevision: res.PrevRevision, Prev: prevFromWire(res.Prev),
	}
}

// DeleteOptions of Delete.
type DeleteOptions struct {
	If         Conditions
	ReturnPrev bool   // answer the deleted version
	RequestID  string // see SetOptions
	Message    string // see SetOptions
}

// DeleteResult says what became of a delete.
type DeleteResult struct {
	Deleted      bool      // false: the key was missing or a condition did not hold
	Revision     int64     // the deletion's own; if not deleted, the current one, -1 = missing
	CommitTS     Timestamp // if not deleted, that of the current version, 0 = missing
	PrevRevision int64     // -1 = the key was missing
	Prev         *Entry    // if asked for and there was one
}

// Delete removes one key. That it was missing is no error: see
// DeleteResult.Deleted.
func (k *KV) Delete(ctx context.Context, key string, o DeleteOptions) (DeleteResult, error) {
	req, err := deleteToWire(k.keyspace, key, &o)
	if err != nil {
		return DeleteResult{}, err
	}
	req.Durability = k.durability
	c := &call{
		method: cairnv1.Method_METHOD_KV_DELETE, effect: commits, req: req,
		res: &cairnv1.DeleteResponse{}, handle: &req.Txn,
		request: &req.RequestId, anchor: anchor{req.Keyspace, req.Key},
	}
	if err := k.do(ctx, c); err != nil {
		return DeleteResult{}, err
	}
	return deleteFromWire(c.res.(*cairnv1.DeleteResponse)), nil
}

func deleteToWire(keyspace, key string, o *DeleteOptions) (*cairnv1.DeleteRequest, error) {
	conditions, err := o.If.toWire()
	if err != nil {
		return nil, err
	}
	return &cairnv1.DeleteRequest{
		Keyspace: keyspace, Key: []byte(key), Conditions: conditions, ReturnPrev: o.ReturnPrev,
		RequestId: []byte(o.RequestID), Message: o.Message,
	}, nil
}

func deleteFromWire(res *cairnv1.DeleteResponse) DeleteResult {
	return DeleteResult{
		Deleted: res.Deleted, Revision: res.Revision, CommitTS: Timestamp(res.CommitTs),
		PrevRevision: res.PrevRevision, Prev: prevFromWire(res.Prev),
	}
}
