package client

import (
	"context"
	"errors"
	"math"
	"time"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

// UpdateOptions of Increment, Decrement, Append, Min and Max.
type UpdateOptions struct {
	If Conditions
	// LowerBound and UpperBound are of the operand's type: an increment that would pass them is not
	// done. Increment and Decrement only.
	LowerBound, UpperBound *Value
	TTLIfNew               time.Duration // until a key that this creates expires; 0 = never
	NoHistory              bool          // do not keep the replaced version
	RequestID              string        // see SetOptions
	Message                string        // see SetOptions
}

// UpdateResult says what became of an update.
type UpdateResult struct {
	// Updated is false if nothing was written: a condition or bound did not hold, or what is there
	// was small (Min) or large (Max) enough.
	Updated      bool
	Value        Value // what is there now; the zero Value for a missing key, and of an Append
	ValueBytes   int64 // how long that is
	Revision     int64 // the new one; if not updated, the current one, -1 = missing
	CommitTS     Timestamp
	CreateTS     Timestamp
	ExpiresAt    time.Time // zero = never
	PrevRevision int64     // -1 = the key was missing
}

// operation is which update it is.
type operation uint8

const (
	opIncrement operation = iota
	opAppend
	opMin
	opMax
)

// Increment adds an int or a float to what is there; a missing key counts as 0.
// The caller reads nothing before, so increments do not conflict with each other.
func (k *KV) Increment(
	ctx context.Context, key string, by Value, o UpdateOptions,
) (UpdateResult, error) {
	return k.update(ctx, opIncrement, key, by, o)
}

// Decrement is Increment by the negative.
func (k *KV) Decrement(
	ctx context.Context, key string, by Value, o UpdateOptions,
) (UpdateResult, error) {
	by, err := negative(by)
	if err != nil {
		return UpdateResult{}, err
	}
	return k.update(ctx, opIncrement, key, by, o)
}

// negative leaves what is no number to the server to refuse.
func negative(v Value) (Value, error) {
	switch v.Type {
	case TypeInt:
		if v.Int() == math.MinInt64 {
			return v, invalid("integer_overflow", errors.New("the negative of the least int is no int"))
		}
		return IntValue(-v.Int()), nil
	case TypeFloat:
		return FloatValue(-v.Float()), nil
	}
	return v, nil
}

// Append puts bytes or a string behind what is there.
func (k *KV) Append(
	ctx context.Context, key string, v Value, o UpdateOptions,
) (UpdateResult, error) {
	return k.update(ctx, opAppend, key, v, o)
}

// Min keeps the smaller of what is there and v: an int, a float, bytes or a
// string. A missing key gets v.
func (k *KV) Min(
	ctx context.Context, key string, v Value, o UpdateOptions,
) (UpdateResult, error) {
	return k.update(ctx, opMin, key, v, o)
}

// Max is Min for the larger.
func (k *KV) Max(
	ctx context.Context, key string, v Value, o UpdateOptions,
) (UpdateResult, error) {
	return k.update(ctx, opMax, key, v, o)
}

func (k *KV) update(
	ctx context.Context, op operation, key string, v Value, o UpdateOptions,
) (UpdateResult, error) {
	req, err := op.toWire(key, v, &o)
	if err != nil {
		return UpdateResult{}, err
	}
	req.Keyspace, req.Durability = k.keyspace, k.durability
	c := &call{
		method: cairnv1.Method_METHOD_KV_UPDATE, effect: commits, req: req,
		res: &cairnv1.UpdateResponse{}, handle: &req.Txn,
		request: &req.RequestId, anchor: anchor{req.Keyspace, req.Key},
	}
	if err := k.do(ctx, c); err != nil {
		return UpdateResult{}, err
	}
	return updateFromWire(c.res.(*cairnv1.UpdateResponse)), nil
}

// toWire is a request without keyspace.
func (op operation) toWire(key string, v Value, o *UpdateOptions) (*cairnv1.UpdateRequest, error) {
	req := &cairnv1.UpdateRequest{
		Key: []byte(key), TtlIfNewMs: milliseconds(o.TTLIfNew), NoHistory: o.NoHistory,
		RequestId: []byte(o.RequestID), Message: o.Message,
	}
	by, err := valueToWire(v)
	if err != nil {
		return nil, err
	}
	switch op {
	case opIncrement:
		req.By = &cairnv1.UpdateRequest_Increment{Increment: by}
	case opAppend:
		req.By = &cairnv1.UpdateRequest_Append{Append: by}
	case opMin:
		req.By = &cairnv1.UpdateRequest_Min{Min: by}
	case opMax:
		req.By = &cairnv1.UpdateRequest_Max{Max: by}
	}
	if req.LowerBound, err = boundToWire(o.LowerBound); err != nil {
		return nil, err
	}
	if req.UpperBound, err = boundToWire(o.UpperBound); err != nil {
		return nil, err
	}
	req.Conditions, err = o.If.toWire()
	return req, err
}

func boundToWire(v *Value) (*cairnv1.Value, error) {
	if v == nil {
		return nil, nil
	}
	return valueToWire(*v)
}

func updateFromWire(res *cairnv1.UpdateResponse) UpdateResult {
	return UpdateResult{
		Updated: res.Updated, Value: valueFromWire(res.Value), ValueBytes: res.ValueBytes,
		Revision: res.Revision,
		CommitTS: Timestamp(res.CommitTs), CreateTS: Timestamp(res.CreateTs),
		ExpiresAt: expiry(res.ExpiresAt), PrevRevision: res.PrevRevision,
	}
}
