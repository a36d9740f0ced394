package client

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

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
	Message   string // as in SetOptions, for all that is written
}

// Op is one operation of a Program. The functions whose names end in Op make them.
type Op struct {
	wire func(keyspace string) (*cairnv1.Op, error)
}

// In is o in another keyspace than the program's; empty = "default".
func (o Op) In(keyspace string) Op {
	if wire := o.wire; wire != nil {
		o.wire = func(string) (*cairnv1.Op, error) { return wire(keyspace) }
	}
	return o
}

// GetOp reads one key.
func GetOp(key string, opts ...ReadOption) Op {
	v := versionOf(opts)
	return Op{wire: func(keyspace string) (*cairnv1.Op, error) {
		return &cairnv1.Op{Request: &cairnv1.Op_Get{Get: &cairnv1.GetRequest{
			Keyspace: keyspace, Key: []byte(key), Revision: v.revision, AsOf: v.asOf,
			ForUpdate: v.forUpdate,
		}}}, nil
	}}
}

// ExistsOp asks whether a key exists.
func ExistsOp(key string, opts ...ReadOption) Op {
	v := versionOf(opts)
	return Op{wire: func(keyspace string) (*cairnv1.Op, error) {
		return &cairnv1.Op{Request: &cairnv1.Op_Exists{Exists: &cairnv1.ExistsRequest{
			Keyspace: keyspace, Key: []byte(key), Revision: v.revision, AsOf: v.asOf,
			ForUpdate: v.forUpdate,
		}}}, nil
	}}
}

// SetOp writes one key.
func SetOp(key string, v Value, o SetOptions) Op {
	return Op{wire: func(keyspace string) (*cairnv1.Op, error) {
		req, err := setToWire(keyspace, key, v, &o)
		return &cairnv1.Op{Request: &cairnv1.Op_Set{Set: req}}, err
	}}
}

// DeleteOp removes one key.
func DeleteOp(key string, o DeleteOptions) Op {
	return Op{wire: func(keyspace string) (*cairnv1.Op, error) {
		req, err := deleteToWire(keyspace, key, &o)
		return &cairnv1.Op{Request: &cairnv1.Op_Delete{Delete: req}}, err
	}}
}

// ExtendOp changes when a key expires; see KV.Extend.
func ExtendOp(key string, ttl time.Duration) Op {
	return Op{wire: func(keyspace string) (*cairnv1.Op, error) {
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

// IncrementOp adds an int or a float; see KV.Increment.
func IncrementOp(key string, by Value, o UpdateOptions) Op {
	return updateOp(opIncrement, key, by, o)
}

// AppendOp puts bytes or a string behind what is there; see KV.Append.
func AppendOp(key string, v Value, o UpdateOptions) Op { return updateOp(opAppend, key, v, o) }

// MinOp keeps the smaller; see KV.Min.
func MinOp(key string, v Value, o UpdateOptions) Op { return updateOp(opMin, key, v, o) }

// MaxOp keeps the larger; see KV.Max.
func MaxOp(key string, v Value, o UpdateOptions) Op { return updateOp(opMax, key, v, o) }

func updateOp(op operation, key string, v Value, o UpdateOptions) Op {
	return Op{wire: func(keyspace string) (*cairnv1.Op, error) {
		req, err := op.toWire(key, v, &o)
		if err != nil {
			return nil, err
		}
		req.Keyspace = keyspace
		return &cairnv1.Op{Request: &cairnv1.Op_Update{Update: req}}, nil
	}}
}

// TTLOp asks how long a key has left.
func TTLOp(key string) Op {
	return Op{wire: func(keyspace string) (*cairnv1.Op, error) {
		return &cairnv1.Op{Request: &cairnv1.Op_TimeToLive{TimeToLive: &cairnv1.TimeToLiveRequest{
			Keyspace: keyspace, Key: []byte(key),
		}}}, nil
	}}
}

// DeleteRangeOp removes what r selects, or counts it; see KV.DeleteRange.
func DeleteRangeOp(r Range, o DeleteRangeOptions) Op {
	return Op{wire: func(keyspace string) (*cairnv1.Op, error) {
		return &cairnv1.Op{Request: &cairnv1.Op_DeleteRange{
			DeleteRange: deleteRangeToWire(keyspace, &r, &o),
		}}, nil
	}}
}

// RevertOp brings a key back to what it was AtRevision or AsOf; see KV.Revert.
func RevertOp(key string, to ReadOption, o RevertOptions) Op {
	return Op{wire: func(keyspace string) (*cairnv1.Op, error) {
		req := revertToWire(keyspace, to, &o)
		req.What = &cairnv1.RevertRequest_Key{Key: []byte(key)}
		return &cairnv1.Op{Request: &cairnv1.Op_Revert{Revert: req}}, nil
	}}
}

// RevertRangeOp brings back all that r selects; see KV.RevertRange.
func RevertRangeOp(r Range, at Timestamp, o RevertOptions) Op {
	return Op{wire: func(keyspace string) (*cairnv1.Op, error) {
		req := revertToWire(keyspace, AsOf(at), &o)
		req.What = &cairnv1.RevertRequest_Select{Select: r.selection()}
		return &cairnv1.Op{Request: &cairnv1.Op_Revert{Revert: req}}, nil
	}}
}

// opsToWire are ops for a keyspace.
func opsToWire(ops []Op, keyspace string) (ws []*cairnv1.Op, err error) {
	for _, o := range ops {
		if o.wire == nil {
			return nil, invalid("op", errors.New("the zero Op is no operation"))
		}
		w, err := o.wire(keyspace)
		if err != nil {
			return nil, err
		}
		ws = append(ws, w)
	}
	return ws, nil
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

	Update      UpdateResult // of IncrementOp, AppendOp, MinOp and MaxOp
	TTL         TTLResult
	DeleteRange DeleteRangeResult
	Revert      RevertResult // also of RevertRangeOp
}

// Execute runs p on the DB's keyspace, again if it conflicts with others.
func (db *DB) Execute(ctx context.Context, p Program) (Outcome, error) {
	req, err := p.toWire(db.keyspace)
	if err != nil {
		return Outcome{}, err
	}
	return db.execute(ctx, req)
}

// ExecuteMessage is Execute of a program that came as a message, from JSON for
// instance. What it says of no keyspace is about the DB's.
func (db *DB) ExecuteMessage(
	ctx context.Context, req *cairnv1.ExecuteRequest,
) (Outcome, error) {
	req = proto.CloneOf(req)
	settle(req.ProtoReflect(), db.keyspace)
	return db.execute(ctx, req)
}

// settle names a keyspace wherever a message has room for one and none is named.
func settle(m protoreflect.Message, keyspace string) {
	if f := m.Descriptor().Fields().ByName("keyspace"); f != nil && !m.Has(f) {
		m.Set(f, protoreflect.ValueOfString(keyspace))
	}
	for f, v := range m.Range {
		switch {
		case f.Message() == nil || f.IsMap():
		case f.IsList():
			for i := range v.List().Len() {
				settle(v.List().Get(i).Message(), keyspace)
			}
		default:
			settle(v.Message(), keyspace)
		}
	}
}

func (k *KV) execute(ctx context.Context, req *cairnv1.ExecuteRequest) (Outcome, error) {
	c := &call{
		method: cairnv1.Method_METHOD_TXN_EXECUTE, effect: max(effectOf(req.Then), effectOf(req.Else)),
		req: req, res: &cairnv1.ExecuteResponse{},
		request: &req.RequestId, anchor: anchorOf(req.Then, req.Else),
	}
	if err := k.do(ctx, c); err != nil {
		return Outcome{}, err
	}
	ran := req.Then
	res := c.res.(*cairnv1.ExecuteResponse)
	if !res.Succeeded {
		ran = req.Else
	}
	out := Outcome{Succeeded: res.Succeeded, CommitTS: Timestamp(res.CommitTs)}
	for i, r := range res.Results {
		if i < len(ran) {
			out.Results = append(out.Results, resultFromWire(readBy(ran[i]), r))
		}
	}
	return out, nil
}

// readBy is the key of an operation that reads one.
func readBy(op *cairnv1.Op) string {
	switch r := op.GetRequest().(type) {
	case *cairnv1.Op_Get:
		return string(r.Get.Key)
	case *cairnv1.Op_Exists:
		return string(r.Exists.Key)
	}
	return ""
}

func effectOf(ops []*cairnv1.Op) effect {
	for _, op := range ops {
		if _, writes := writtenBy(op); writes {
			return commits
		}
	}
	return reads
}

func (p *Program) toWire(keyspace string) (*cairnv1.ExecuteRequest, error) {
	req := &cairnv1.ExecuteRequest{}
	if p.If.wire != nil {
		test, err := p.If.wire(keyspace)
		if err != nil {
			return nil, err
		}
		req.If = []*cairnv1.Condition{test}
	}
	var err error
	if req.Then, err = opsToWire(p.Then, keyspace); err != nil {
		return nil, err
	}
	if req.Else, err = opsToWire(p.Else, keyspace); err != nil {
		return nil, err
	}
	req.RequestId, req.Message = []byte(p.RequestID), p.Message
	return req, nil
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
	case *cairnv1.OpResult_Update:
		return Result{Update: updateFromWire(r.Update)}
	case *cairnv1.OpResult_TimeToLive:
		return Result{TTL: ttlFromWire(r.TimeToLive)}
	case *cairnv1.OpResult_DeleteRange:
		return Result{DeleteRange: deleteRangeFromWire(r.DeleteRange)}
	case *cairnv1.OpResult_Revert:
		return Result{Revert: revertFromWire(r.Revert)}
	}
	return Result{}
}
