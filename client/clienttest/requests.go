package clienttest

import (
	"slices"

	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/token"
	"github.com/cairnkv/cairn/txn"
)

// rowName is where a request is remembered, and as what.
type rowName struct {
	anchor string
	id     txn.RequestID
}

// row is what became of a request. One without an answer was aborted by an
// inquiry.
type row struct {
	req, res proto.Message
	at       txn.Timestamp
}

// once does a call that carries a request_id only if it was not done before.
func (s *Server) once(req proto.Message) (proto.Message, error) {
	r, ok := req.(interface{ GetRequestId() []byte })
	if !ok || len(r.GetRequestId()) == 0 {
		return s.dispatch(req)
	}
	if n := len(r.GetRequestId()); n > txn.RequestIDBytesMax {
		return nil, txn.Errorf(txn.Invalid, "request_id_too_long", "the request_id has %d bytes", n)
	}
	anchor := s.anchor(req)
	if anchor == nil {
		return s.dispatch(req)
	}
	name := rowName{string(anchor), txn.HashRequestID(r.GetRequestId())}
	switch old := s.rows[name]; {
	case old == nil:
	case old.res == nil:
		return nil, txn.Errorf(txn.Conflict, "request_aborted", "somebody was told that it is aborted")
	case !proto.Equal(old.req, req):
		return nil, txn.Errorf(txn.Invalid, "request_id_reused", "the request_id was another request's")
	default:
		return old.res, nil
	}
	res, err := s.dispatch(req)
	if err == nil {
		s.rows[name] = &row{req: req, res: res, at: s.store.last}
	}
	return res, err
}

// anchor is the smallest key that req may write, or of a commit the first that
// its transaction wrote.
func (s *Server) anchor(req proto.Message) txn.Key {
	switch r := req.(type) {
	case *cairnv1.SetRequest:
		return s.store.key(r.Keyspace, r.Key)
	case *cairnv1.DeleteRequest:
		return s.store.key(r.Keyspace, r.Key)
	case *cairnv1.ExtendRequest:
		return s.store.key(r.Keyspace, r.Key)
	case *cairnv1.UpdateRequest:
		return s.store.key(r.Keyspace, r.Key)
	case *cairnv1.BatchSetRequest:
		var keys []txn.Key
		for _, item := range r.Items {
			keys = append(keys, s.store.key(r.Keyspace, item.Key))
		}
		return smallest(keys)
	case *cairnv1.BatchDeleteRequest:
		var keys []txn.Key
		for _, key := range r.Keys {
			keys = append(keys, s.store.key(r.Keyspace, key))
		}
		return smallest(keys)
	case *cairnv1.DeleteRangeRequest:
		if r.DryRun {
			return nil
		}
		return s.spanAnchor(r.Keyspace, r.Select)
	case *cairnv1.RevertRequest:
		switch {
		case r.DryRun:
			return nil
		case r.GetSelect() != nil:
			return s.spanAnchor(r.Keyspace, r.GetSelect())
		}
		return s.store.key(r.Keyspace, r.GetKey())
	case *cairnv1.CommitRequest:
		h, _ := token.ParseHandle(r.Txn)
		if h.Anchor == nil && len(r.Sets) > 0 {
			return s.store.key(r.Sets[0].Keyspace, r.Sets[0].Key)
		}
		return h.Anchor
	case *cairnv1.ExecuteRequest:
		var first txn.Key
		for _, ops := range [2][]*cairnv1.Op{r.Then, r.Else} {
			for _, op := range ops {
				inner, err := requestOf(op)
				if err != nil {
					continue
				}
				if k := s.anchor(inner); k != nil && (first == nil || k.Compare(first) < 0) {
					first = k
				}
			}
		}
		return first
	}
	return nil
}

// spanAnchor is where a write to a range is remembered.
func (s *Server) spanAnchor(keyspace string, sel *cairnv1.Selection) txn.Key {
	span := spanOf(s.store.key(keyspace, nil), sel)
	prefix, _ := txn.Glob(sel.GetGlob()).Prefix()
	span = span.Intersect(txn.PrefixSpan(s.store.key(keyspace, prefix)))
	return (&txn.Op{Kind: txn.OpDeleteRange, Span: span}).Anchor()
}

func smallest(keys []txn.Key) txn.Key {
	if len(keys) == 0 {
		return nil
	}
	return slices.MinFunc(keys, txn.Key.Compare)
}

func (s *Server) outcome(r *cairnv1.OutcomeRequest) (proto.Message, error) {
	t, err := token.Parse(r.Token)
	if err != nil {
		return nil, err
	}
	key := t.Anchor
	if t.Keyspace != "" {
		key = s.store.key(t.Keyspace, key)
	}
	name := rowName{string(key), t.ID}
	old := s.rows[name]
	if old == nil {
		old = &row{}
		s.rows[name] = old
	}
	if old.res == nil {
		return &cairnv1.OutcomeResponse{
			Outcome: cairnv1.CommitOutcome_COMMIT_OUTCOME_ABORTED, Reason: "request_aborted",
		}, nil
	}
	return &cairnv1.OutcomeResponse{
		Outcome: cairnv1.CommitOutcome_COMMIT_OUTCOME_COMMITTED, CommitTs: int64(old.at),
	}, nil
}
