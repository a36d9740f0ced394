package client

import (
	"context"
	"errors"
	"time"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

// Program is a whole transaction in one round trip: the operations of Then if
// the condition holds, otherwise those of Else, all of them or none.
type Program struct {
	If   Condition // the zero Condition holds
	Then []Op
	Else []Op
	// RequestID is as in SetOptions, for the Program as a whole.
	RequestID string
}

// Op is one operation of a Program. The functions whose names end in Op make them.
type Op struct {
	key    string // of a read of one key
	effect effect
	wire   func(keyspace string) (*cairnv1.Op, error)
}

// GetOp reads one key.
func GetOp(key string, opts ...ReadOption) Op {
	v := versionOf(opts)
	return Op{key: key, wire: func(keyspace string) (*cairnv1.Op, error) {
		return &cairnv1.Op{Request: &cairnv1.Op_Get{Get: &cairnv1.GetRequest{
			Keyspace: keyspace, Key: []byte(key), Revision: v.revision, AsOf: v.asOf,
			ForUpdate: v.forUpdate,
		}}}, nil
	}}
}

// ExistsOp asks whether a key exists.
func ExistsOp(key string, opts ...ReadOption) Op {
	v := versionOf(opts)
	return Op{key: key, wire: func(keyspace string) (*cairnv1.Op, error) {
		return &cairnv1.Op{Request: &cairnv1.Op_Exists{Exists: &cairnv1.ExistsRequest{
			Keyspace: keyspace, Key: []byte(key), Revision: v.revision, AsOf: v.asOf,
			ForUpdate: v.forUpdate,
		}}}, nil
	}}
}

// SetOp writes one key.
func SetOp(key string, v Value, o SetOptions) Op {
	return Op{effect: commits, wire: func(keyspace string) (*cairnv1.Op, error) {
		req, err := setToWire(keyspace, key, v, &o)
		return &cairnv1.Op{Request: &cairnv1.Op_Set{Set: req}}, err
	}}
}

// DeleteOp removes one key.
func DeleteOp(key string, o DeleteOptions) Op {
	return Op{effect: commits, wire: func(keyspace string) (*cairnv1.Op, error) {
		req, err := deleteToWire(keyspace, key, &o)
		return &cairnv1.Op{Request: &cairnv1.Op_Delete{Delete: req}}, err
	}}
}

// ExtendOp changes when a key expires; see KV.Extend.
func ExtendOp(key string, ttl time.Duration) Op {
	return Op{effect: commits, wire: func(keyspace string) (*cairnv1.Op, error) {
		return &cairnv1.Op{Request: &cairnv1.Op_Extend{Extend: &cairnv1.ExtendRequest{
			Keyspace: keyspace, Key: []byte(key), TtlMs: milliseconds(ttl),
		}}}, nil
	}}
}

// RangeOp reads keys in order, all in one answer; Page does not matter.
func RangeOp(r Range) Op {
	return Op{wire: func(keyspace string) (*cairnv1.Op, error) {
		return &cairnv1.Op{Request: &cairnv1.Op_Range{Range: r.toWire(keyspace)}}, nil
	}}
}

// opsToWire are ops for a keyspace, and what they may leave behind.
func opsToWire(ops []Op, keyspace string) (ws []*cairnv1.Op, most effect, err error) {
	for _, o := range ops {
		if o.wire == nil {
			return nil, 0, invalid("op", errors.New("the zero Op is no operation"))
		}
		w, err := o.wire(keyspace)
		if err != nil {
			return nil, 0, err
		}
		ws, most = append(ws, w), max(most, o.effect)
	}
	return ws, most, nil
}

// Outcome is what a Program came to.
type Outcome struct {
	Succeeded bool // the condition held, and Then ran
	// CommitTS of what was written; where nothing was, the snapshot that was read.
	CommitTS Timestamp
	Results  []Result // one per operation of the branch that ran
}

// Result answers one operation; only the field of its kind is set.
type Result struct {
	Get     Entry // also of ExistsOp
	Set     SetResult
	Delete  DeleteResult
	Extend  ExtendResult
	Entries []Entry // of RangeOp
}

// Execute runs p on the DB's keyspace, again if it conflicts with others.
func (db *DB) Execute(ctx context.Context, p Program) (Outcome, error) {
	c, err := p.call(db.keyspace)
	if err != nil {
		return Outcome{}, err
	}
	if err := db.do(ctx, c); err != nil {
		return Outcome{}, err
	}
	ran := p.Then
	res := c.res.(*cairnv1.ExecuteResponse)
	if !res.Succeeded {
		ran = p.Else
	}
	out := Outcome{Succeeded: res.Succeeded, CommitTS: Timestamp(res.CommitTs)}
	for i, r := range res.Results {
		if i < len(ran) {
			out.Results = append(out.Results, resultFromWire(ran[i].key, r))
		}
	}
	return out, nil
}

func (p *Program) call(keyspace string) (*call, error) {
	req := &cairnv1.ExecuteRequest{}
	if p.If.wire != nil {
		test, err := p.If.wire(keyspace)
		if err != nil {
			return nil, err
		}
		req.If = []*cairnv1.Condition{test}
	}
	then, thenEffect, err := opsToWire(p.Then, keyspace)
	if err != nil {
		return nil, err
	}
	otherwise, elseEffect, err := opsToWire(p.Else, keyspace)
	if err != nil {
		return nil, err
	}
	req.Then, req.Else, req.RequestId = then, otherwise, []byte(p.RequestID)
	return &call{
		method: cairnv1.Method_METHOD_TXN_EXECUTE, effect: max(thenEffect, elseEffect),
		req: req, res: &cairnv1.ExecuteResponse{},
		request: &req.RequestId, anchor: anchorOf(keyspace, then, otherwise),
	}, nil
}

func resultFromWire(key string, w *cairnv1.OpResult) Result {
	switch r := w.Response.(type) {
	case *cairnv1.OpResult_Get:
		return Result{Get: gotFromWire(key, r.Get)}
	case *cairnv1.OpResult_Exists:
		return Result{Get: existsFromWire(key, r.Exists)}
	case *cairnv1.OpResult_Set:
		return Result{Set: setFromWire(r.Set)}
	case *cairnv1.OpResult_Delete:
		return Result{Delete: deleteFromWire(r.Delete)}
	case *cairnv1.OpResult_Extend:
		return Result{Extend: extendFromWire(r.Extend)}
	case *cairnv1.OpResult_Range:
		return Result{Entries: entriesFromWire(r.Range.Entries)}
	}
	return Result{}
}
