package clienttest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/token"
	"github.com/cairnkv/cairn/txn"
)

// dispatch does one call, alone.
func (s *Server) dispatch(req proto.Message) (proto.Message, error) {
	switch r := req.(type) {
	case *cairnv1.GetRequest:
		begun, err := s.beginBy(r.Begin, &r.Txn)
		if err != nil {
			return nil, err
		}
		res, err := s.single(r)
		if g, ok := res.(*cairnv1.GetResponse); ok && g != nil {
			g.Begun = begun
		}
		return res, err
	case *cairnv1.BatchGetRequest:
		return s.batchGet(r)
	case *cairnv1.HistoryRequest:
		return s.history(r)
	case *cairnv1.ExecuteRequest:
		return s.execute(r)
	case *cairnv1.BeginRequest:
		return s.begin(r)
	case *cairnv1.CommitRequest:
		return s.commit(r)
	case *cairnv1.RollbackRequest:
		_, _ = s.end(r.Txn) // one that has ended is as good
		return &cairnv1.RollbackResponse{}, nil
	case *cairnv1.TxnsRequest:
		return &cairnv1.TxnsResponse{Txns: s.opts.Txns}, nil
	case *cairnv1.OutcomeRequest:
		return s.outcome(r)
	case *cairnv1.LocksRequest:
		if s.opts.Locks == nil {
			return &cairnv1.LocksResponse{}, nil
		}
		return s.opts.Locks, nil
	case *cairnv1.StatusRequest:
		return s.status(), nil
	case *cairnv1.TransferLeaderRequest:
		return s.transferLeader(r)
	}
	if res, ours, err := s.keyspace(req); ours {
		return res, err
	}
	return s.single(req)
}

// single does one operation: in a transaction, or as one.
func (s *Server) single(req proto.Message) (proto.Message, error) {
	handle := req.(interface{ GetTxn() string }).GetTxn()
	if handle != "" {
		t, err := s.open(handle)
		if err != nil {
			return nil, err
		}
		return t.do(s, req)
	}
	at := s.store.tick()
	t := &heldTxn{view: &snapshot{store: s.store, at: at}}
	res, err := t.do(s, req)
	if err != nil {
		return nil, err
	}
	fill(req, res, s.store.apply(t.buf.Writes(), at))
	return res, nil
}

// heldTxn is an open transaction.
type heldTxn struct {
	view     *snapshot
	buf      txn.Buffer
	readOnly bool
	handle   token.Handle // zero: it is a call's own
}

// next is the handle to use next.
func (t *heldTxn) next() string {
	if t.handle.Txn == 0 {
		return ""
	}
	return t.handle.String()
}

// do does one operation in t, without committing it.
func (t *heldTxn) do(s *Server, req proto.Message) (proto.Message, error) {
	switch r := req.(type) {
	case *cairnv1.GetRequest:
		v, err := t.version(s, r.Keyspace, r.Key, r.Revision, r.AsOf)
		return getResponse(v, t.next()), err
	case *cairnv1.ExistsRequest:
		v, err := t.version(s, r.Keyspace, r.Key, r.Revision, r.AsOf)
		g := getResponse(v, t.next())
		return &cairnv1.ExistsResponse{
			Exists: g.Found, Revision: g.Revision, CommitTs: g.CommitTs, CreateTs: g.CreateTs,
			ExpiresAt: g.ExpiresAt, Txn: g.Txn,
		}, err
	case *cairnv1.RangeRequest:
		return t.rangePage(s, r)
	case *cairnv1.TimeToLiveRequest:
		return t.timeToLive(s, r)
	case *cairnv1.UpdateRequest:
		return t.update(s, r)
	case *cairnv1.BatchSetRequest:
		return t.batchSet(s, r)
	case *cairnv1.BatchDeleteRequest:
		return t.batchDelete(s, r)
	case *cairnv1.DeleteRangeRequest:
		return t.deleteRange(s, r)
	case *cairnv1.RevertRequest:
		return t.revert(s, r)
	}
	op, err := writeOp(s.store, req)
	if err != nil {
		return nil, err
	}
	if t.readOnly {
		return nil, txn.Errorf(txn.Invalid, "read_only", "the transaction is read-only")
	}
	r, err := t.buf.Do(op, t.view, t.view.at)
	if err != nil {
		return nil, err
	}
	if t.handle.Anchor == nil && r.OK {
		t.handle.Anchor = op.Key
	}
	return writeResponse(op, &r, t.next()), nil
}

func (t *heldTxn) version(
	s *Server, keyspace string, user []byte, revision, asOf *int64,
) (txn.Version, error) {
	if err := checkKey(user); err != nil {
		return txn.Version{}, err
	}
	key := s.store.key(keyspace, user)
	if revision != nil {
		if v := s.store.revision(key, *revision); v.TS != 0 {
			v.Expiry = 0
			return v, nil
		}
		return txn.Version{}, nil
	}
	if asOf != nil {
		at, err := s.past(*asOf)
		v := s.store.newest(key, at)
		if !v.Live(at) {
			v = txn.Version{}
		}
		return v, err
	}
	r, err := t.buf.Do(&txn.Op{Kind: txn.OpGet, Key: key}, t.view, t.view.at)
	if !r.OK {
		return txn.Version{}, err
	}
	return r.Entry.Version, err
}

func (s *Server) past(asOf int64) (txn.Timestamp, error) {
	if at := txn.Timestamp(asOf); at > 0 && at <= s.store.tick() {
		return at, nil
	}
	return 0, txn.Errorf(txn.Invalid, "as_of", "as_of %d is not in the past", asOf)
}

func checkKey(user []byte) error {
	if n := len(user); n == 0 || n > txn.KeyBytesMax {
		return txn.Errorf(txn.Invalid, "key_size",
			"the key has %d bytes, allowed are 1 to %d", n, txn.KeyBytesMax)
	}
	return nil
}

func (s *Server) batchGet(r *cairnv1.BatchGetRequest) (proto.Message, error) {
	begun, err := s.beginBy(r.Begin, &r.Txn)
	if err != nil {
		return nil, err
	}
	out := &cairnv1.BatchGetResponse{ReadTs: int64(s.store.tick()), Begun: begun}
	if r.Txn != "" {
		t, err := s.open(r.Txn)
		if err != nil {
			return nil, err
		}
		out.Txn = t.next()
	}
	var gone []string
	for _, user := range r.Keys {
		res, err := s.single(&cairnv1.GetRequest{
			Keyspace: r.Keyspace, Txn: r.Txn, Key: user, AsOf: r.AsOf,
		})
		if err != nil {
			return nil, err
		}
		g := res.(*cairnv1.GetResponse)
		if !g.Found {
			gone = append(gone, fmt.Sprintf("%q", user))
		}
		out.Results = append(out.Results, &cairnv1.BatchGetResult{
			Found: g.Found, Entry: &cairnv1.Entry{
				Key: user, Value: g.Value, Revision: g.Revision, CommitTs: g.CommitTs,
				CreateTs: g.CreateTs, ExpiresAt: g.ExpiresAt,
			},
		})
	}
	if r.RequireAll && len(gone) > 0 {
		return nil, txn.Errorf(txn.NotFound, "keys_missing", "missing: %v", gone)
	}
	return out, nil
}

func (t *heldTxn) rangePage(s *Server, r *cairnv1.RangeRequest) (proto.Message, error) {
	base := s.store.key(r.Keyspace, nil)
	op := &txn.Op{Kind: txn.OpRange, Span: spanOf(base, r.Select), Reverse: r.Reverse,
		KeysOnly: r.KeysOnly}
	view := t.view
	if r.AsOf != nil {
		at, err := s.past(*r.AsOf)
		if err != nil {
			return nil, err
		}
		view = &snapshot{store: s.store, at: at}
	}
	limit := s.opts.Page
	if r.Limit > 0 {
		limit = min(limit, int(r.Limit))
	}
	if len(r.Cursor) > 8 {
		view = &snapshot{
			store: s.store, at: txn.Timestamp(binary.BigEndian.Uint64(r.Cursor)),
			read: view.read, spans: view.spans,
		}
		next := txn.Key(r.Cursor[8:])
		if r.Reverse {
			op.Span.End = next
		} else {
			op.Span.Start = next.Next()
		}
	}
	res, err := t.buf.Do(op, view, view.at)
	if err != nil {
		return nil, err
	}
	entries := slices.DeleteFunc(res.Entries, func(e txn.Entry) bool {
		return !selects(r.GetSelect(), e.Key.User())
	})
	out := &cairnv1.RangeResponse{CommitTs: int64(view.at), Txn: t.next()}
	if r.CountOnly {
		out.Count = int64(len(entries))
		return out, nil
	}
	for i := range entries {
		e := &entries[i]
		if len(out.Entries) == limit {
			last := entries[i-1].Key
			out.Cursor = binary.BigEndian.AppendUint64(nil, uint64(view.at))
			out.Cursor = append(out.Cursor, last...)
			break
		}
		out.Entries = append(out.Entries, entry(e.Key, &e.Version, !r.KeysOnly))
	}
	out.Count = int64(len(out.Entries))
	return out, nil
}

func spanOf(base txn.Key, sel *cairnv1.Selection) txn.Span {
	at := func(user []byte) txn.Key { return append(base.Clone(), user...) }
	switch by := sel.GetBy().(type) {
	case *cairnv1.Selection_Prefix:
		return txn.PrefixSpan(at(by.Prefix))
	case *cairnv1.Selection_Bucket:
		return txn.PrefixSpan(at(append(bytes.Clone(by.Bucket), '/')))
	case *cairnv1.Selection_Span:
		span := txn.Span{Start: at(by.Span.Start), End: txn.PrefixEnd(base)}
		if len(by.Span.End) > 0 {
			span.End = at(by.Span.End)
		}
		return span
	}
	return txn.PrefixSpan(base)
}

var errNoOp = errors.New("no such operation")
