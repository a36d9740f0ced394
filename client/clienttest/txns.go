package clienttest

import (
	"cmp"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/token"
	"github.com/cairnkv/cairn/txn"
)

func (s *Server) begin(r *cairnv1.BeginRequest) (*cairnv1.BeginResponse, error) {
	t := &heldTxn{readOnly: r.ReadOnly || r.AsOf != nil}
	t.view = &snapshot{store: s.store, at: s.store.tick(), read: make(map[string]bool)}
	if r.AsOf != nil {
		at, err := s.past(*r.AsOf)
		if err != nil {
			return nil, err
		}
		t.view.at = at
	}
	s.nextID++
	t.handle = token.Handle{Txn: txn.NewID(session, s.nextID), Began: t.view.at}
	s.txns[t.handle.Name()] = t
	age := r.Age
	if len(age) == 0 {
		age = fmt.Appendf(nil, "t%d", s.nextID)
	}
	return &cairnv1.BeginResponse{Txn: t.handle.String(), ReadTs: int64(t.view.at), Age: age}, nil
}

// beginBy opens the transaction that a call begins, if it does, and puts its handle into the call.
func (s *Server) beginBy(r *cairnv1.BeginRequest, handle *string) (*cairnv1.BeginResponse, error) {
	if r == nil {
		return nil, nil
	}
	res, err := s.begin(r)
	if err != nil {
		return nil, err
	}
	*handle = res.Txn
	return res, nil
}

// session is the only one that this gateway ever has.
const session = 1

// open is the transaction that a handle names.
func (s *Server) open(handle string) (*heldTxn, error) {
	h, ok := token.ParseHandle(handle)
	if t := s.txns[h.Name()]; ok && t != nil {
		return t, nil
	}
	return nil, txn.Errorf(txn.Conflict, "gateway_lost", "no transaction %q", handle)
}

// end is open for the last time.
func (s *Server) end(handle string) (*heldTxn, error) {
	t, err := s.open(handle)
	if err == nil {
		delete(s.txns, t.handle.Name())
	}
	return t, err
}

func (s *Server) commit(r *cairnv1.CommitRequest) (proto.Message, error) {
	t, err := s.end(r.Txn)
	if err != nil {
		return nil, err
	}
	if r.Txn != t.handle.String() {
		return nil, txn.Errorf(txn.Conflict, "stale_handle", "not the latest handle: %q", r.Txn)
	}
	for _, set := range r.Sets {
		if _, err := t.do(s, set); err != nil {
			return nil, err
		}
	}
	if !t.readOnly && t.view.changed() {
		return nil, txn.Errorf(txn.Conflict, "read_changed", "what was read has changed")
	}
	at := t.view.at
	out := &cairnv1.CommitResponse{}
	if len(t.buf.Writes()) > 0 {
		at = s.store.tick()
		for _, w := range s.store.apply(t.buf.Writes(), at) {
			out.Written = append(out.Written, &cairnv1.Written{
				Key: w.Key.User(), Revision: w.Version.Revision, Keyspace: "default",
			})
		}
	}
	out.CommitTs = int64(at)
	return out, nil
}

func (s *Server) execute(r *cairnv1.ExecuteRequest) (proto.Message, error) {
	at := s.store.tick()
	out := &cairnv1.ExecuteResponse{Succeeded: true, CommitTs: int64(at)}
	for _, c := range r.If {
		out.Succeeded = out.Succeeded && s.holds(c, at)
	}
	ops := r.Then
	if !out.Succeeded {
		ops = r.Else
	}
	t := &heldTxn{view: &snapshot{store: s.store, at: at}}
	reqs := make([]proto.Message, len(ops))
	ress := make([]proto.Message, len(ops))
	for i, op := range ops {
		var err error
		if reqs[i], err = requestOf(op); err != nil {
			return nil, err
		}
		if ress[i], err = t.do(s, reqs[i]); err != nil {
			return nil, err
		}
	}
	written := s.store.apply(t.buf.Writes(), at)
	for i := range ops {
		fill(reqs[i], ress[i], written)
		out.Results = append(out.Results, resultOf(ress[i]))
	}
	return out, nil
}

func (s *Server) holds(c *cairnv1.Condition, at txn.Timestamp) bool {
	one := func(c *cairnv1.Condition) bool { return s.holds(c, at) }
	switch t := c.GetTest().(type) {
	case *cairnv1.Condition_All:
		return !slices.ContainsFunc(t.All.Conditions, func(c *cairnv1.Condition) bool {
			return !one(c)
		})
	case *cairnv1.Condition_Any:
		return slices.ContainsFunc(t.Any.Conditions, one)
	case *cairnv1.Condition_Not:
		return !one(t.Not)
	case *cairnv1.Condition_Compare:
		return s.compare(t.Compare, at)
	case *cairnv1.Condition_Count:
		n := int64(0)
		_ = s.view(at).Scan(s.scan(t.Count.Keyspace, t.Count.Select), func(txn.Entry) bool {
			n++
			return true
		})
		return holds(t.Count.Op, cmp.Compare(n, t.Count.N), true)
	case *cairnv1.Condition_Unchanged:
		span := s.scan(t.Unchanged.Keyspace, t.Unchanged.Select).Span
		changed, _ := s.view(at).Changed(span, txn.Timestamp(t.Unchanged.Since))
		return !changed
	}
	return false
}

func (s *Server) view(at txn.Timestamp) *snapshot { return &snapshot{store: s.store, at: at} }

func (s *Server) scan(keyspace string, sel *cairnv1.Selection) txn.Scan {
	return txn.Scan{Span: spanOf(s.store.key(keyspace, nil), sel)}
}

func (s *Server) compare(c *cairnv1.Compare, at txn.Timestamp) bool {
	v := s.store.newest(s.store.key(c.Keyspace, c.Key), at)
	if !v.Live(at) {
		v = txn.Version{Revision: txn.NoRevision}
	}
	order, ordered := 0, true
	switch t := c.Target.(type) {
	case *cairnv1.Compare_Exists:
		ordered = t.Exists == (v.TS != 0)
	case *cairnv1.Compare_Revision:
		order = cmp.Compare(v.Revision, t.Revision)
	case *cairnv1.Compare_CommitTs:
		order = cmp.Compare(int64(v.TS), t.CommitTs)
	case *cairnv1.Compare_CreateTs:
		order = cmp.Compare(int64(v.CreateTS), t.CreateTs)
	case *cairnv1.Compare_Value:
		if ordered = v.TS != 0; ordered {
			order, ordered = typed(wireValue(v.Value)).Compare(typed(t.Value))
		}
	}
	return holds(c.Op, order, ordered)
}

func holds(op cairnv1.CompareOp, order int, ordered bool) bool {
	switch op {
	case cairnv1.CompareOp_COMPARE_OP_NOT_EQUAL:
		return txn.NotEqual.Holds(order, ordered)
	case cairnv1.CompareOp_COMPARE_OP_LESS:
		return txn.Less.Holds(order, ordered)
	case cairnv1.CompareOp_COMPARE_OP_LESS_OR_EQUAL:
		return txn.LessOrEqual.Holds(order, ordered)
	case cairnv1.CompareOp_COMPARE_OP_GREATER:
		return txn.Greater.Holds(order, ordered)
	case cairnv1.CompareOp_COMPARE_OP_GREATER_OR_EQUAL:
		return txn.GreaterOrEqual.Holds(order, ordered)
	}
	return txn.Equal.Holds(order, ordered)
}

func requestOf(op *cairnv1.Op) (proto.Message, error) {
	switch r := op.GetRequest().(type) {
	case *cairnv1.Op_Get:
		return r.Get, nil
	case *cairnv1.Op_Set:
		return r.Set, nil
	case *cairnv1.Op_Delete:
		return r.Delete, nil
	case *cairnv1.Op_Exists:
		return r.Exists, nil
	case *cairnv1.Op_Extend:
		return r.Extend, nil
	case *cairnv1.Op_Range:
		return r.Range, nil
	case *cairnv1.Op_Update:
		return r.Update, nil
	case *cairnv1.Op_TimeToLive:
		return r.TimeToLive, nil
	case *cairnv1.Op_DeleteRange:
		return r.DeleteRange, nil
	case *cairnv1.Op_Revert:
		return r.Revert, nil
	}
	return nil, errNoOp
}

func resultOf(res proto.Message) *cairnv1.OpResult {
	switch r := res.(type) {
	case *cairnv1.GetResponse:
		return &cairnv1.OpResult{Response: &cairnv1.OpResult_Get{Get: r}}
	case *cairnv1.SetResponse:
		return &cairnv1.OpResult{Response: &cairnv1.OpResult_Set{Set: r}}
	case *cairnv1.DeleteResponse:
		return &cairnv1.OpResult{Response: &cairnv1.OpResult_Delete{Delete: r}}
	case *cairnv1.ExistsResponse:
		return &cairnv1.OpResult{Response: &cairnv1.OpResult_Exists{Exists: r}}
	case *cairnv1.ExtendResponse:
		return &cairnv1.OpResult{Response: &cairnv1.OpResult_Extend{Extend: r}}
	case *cairnv1.RangeResponse:
		return &cairnv1.OpResult{Response: &cairnv1.OpResult_Range{Range: r}}
	case *cairnv1.UpdateResponse:
		return &cairnv1.OpResult{Response: &cairnv1.OpResult_Update{Update: r}}
	case *cairnv1.TimeToLiveResponse:
		return &cairnv1.OpResult{Response: &cairnv1.OpResult_TimeToLive{TimeToLive: r}}
	case *cairnv1.DeleteRangeResponse:
		return &cairnv1.OpResult{Response: &cairnv1.OpResult_DeleteRange{DeleteRange: r}}
	case *cairnv1.RevertResponse:
		return &cairnv1.OpResult{Response: &cairnv1.OpResult_Revert{Revert: r}}
	}
	return nil
}
