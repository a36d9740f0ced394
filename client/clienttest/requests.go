package clienttest

import (
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
	case *cairnv1.CommitRequest:
		h, _ := token.ParseHandle(r.Txn)
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
