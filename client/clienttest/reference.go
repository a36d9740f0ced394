package clienttest

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/cairnkv/cairn/client"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// The verbs here are made of gets, sets, deletes and ranges.

// note is what is known of a commit beside its writes.
type note struct{ principal, message string }

// separated moves a request about ephemeral keys to a keyspace that no client can name.
func separated(req proto.Message) proto.Message {
	r, ok := req.(interface {
		GetDurability() cairnv1.Durability
		GetKeyspace() string
	})
	if !ok || r.GetDurability() != cairnv1.Durability_DURABILITY_EPHEMERAL {
		return req
	}
	name := cmp.Or(r.GetKeyspace(), client.DefaultKeyspace) + " ephemeral"
	out := proto.Clone(req).ProtoReflect()
	fields := out.Descriptor().Fields()
	out.Set(fields.ByName("keyspace"), protoreflect.ValueOfString(name))
	return out.Interface()
}

func (t *heldTxn) get(s *Server, keyspace string, key []byte) (*cairnv1.GetResponse, error) {
	res, err := t.do(s, &cairnv1.GetRequest{Keyspace: keyspace, Key: key})
	if err != nil {
		return nil, err
	}
	return res.(*cairnv1.GetResponse), nil
}

func (t *heldTxn) timeToLive(
	s *Server, r *cairnv1.TimeToLiveRequest,
) (*cairnv1.TimeToLiveResponse, error) {
	g, err := t.get(s, r.Keyspace, r.Key)
	if err != nil {
		return nil, err
	}
	out := &cairnv1.TimeToLiveResponse{
		Revision: g.Revision, ExpiresAt: g.ExpiresAt, Txn: t.next(),
	}
	if !g.Found {
		out.TtlMs = -1
	} else if g.ExpiresAt != 0 {
		out.TtlMs = max(1, g.ExpiresAt-time.Now().UnixMilli())
	}
	return out, nil
}

func (t *heldTxn) update(
	s *Server, r *cairnv1.UpdateRequest,
) (*cairnv1.UpdateResponse, error) {
	g, err := t.get(s, r.Keyspace, r.Key)
	if err != nil {
		return nil, err
	}
	value, change, err := updated(g.Value, r)
	if err != nil {
		return nil, err
	}
	out := &cairnv1.UpdateResponse{
		Value: g.Value, Revision: g.Revision, CommitTs: g.CommitTs, CreateTs: g.CreateTs,
		ExpiresAt: g.ExpiresAt, PrevRevision: g.Revision, Txn: t.next(),
	}
	if !change {
		return out, nil
	}
	set := &cairnv1.SetRequest{
		Keyspace: r.Keyspace, Key: r.Key, Value: value, Conditions: r.Conditions,
		KeepTtl: g.Found, NoHistory: r.NoHistory,
	}
	if !g.Found {
		set.TtlMs = r.TtlIfNewMs
	}
	res, err := t.do(s, set)
	if err != nil {
		return nil, err
	}
	if w := res.(*cairnv1.SetResponse); w.Set {
		out.Updated, out.Value, out.Revision, out.Txn = true, value, w.Revision, w.Txn
		out.CommitTs, out.CreateTs, out.ExpiresAt = w.CommitTs, w.CreateTs, w.ExpiresAt
	}
	if out.Value != nil {
		out.ValueBytes = int64(len(typed(out.Value).Data))
	}
	if r.GetAppend() != nil {
		out.Value = nil
	}
	return out, nil
}

// updated is what becomes of old, and whether that is anything else.
func updated(old *cairnv1.Value, r *cairnv1.UpdateRequest) (*cairnv1.Value, bool, error) {
	operand := r.GetIncrement()
	for _, v := range []*cairnv1.Value{r.GetAppend(), r.GetMin(), r.GetMax()} {
		if v != nil {
			operand = v
		}
	}
	had, by := typed(old), typed(operand)
	if old == nil {
		had = txn.Value{}
	} else if had.Type != by.Type {
		return nil, false, txn.Errorf(txn.Invalid, "type_mismatch",
			"the value is of type %v, the operand of type %v", had.Type, by.Type)
	}
	switch r.By.(type) {
	case *cairnv1.UpdateRequest_Increment:
		sum := operand
		if old != nil && by.Type == txn.Int {
			if a, b := had.Int(), by.Int(); (a+b < a) != (b < 0) {
				return nil, false, txn.Errorf(txn.Invalid, "integer_overflow", "%d + %d is no int64", a, b)
			}
			sum = &cairnv1.Value{Kind: &cairnv1.Value_IntValue{IntValue: had.Int() + by.Int()}}
		} else if old != nil {
			sum = &cairnv1.Value{Kind: &cairnv1.Value_FloatValue{FloatValue: had.Float() + by.Float()}}
		}
		if by.Type != txn.Int && by.Type != txn.Float {
			return nil, false, txn.Errorf(txn.Invalid, "type_mismatch", "%v is no number", by.Type)
		}
		return sum, between(sum, r.LowerBound, r.UpperBound), nil
	case *cairnv1.UpdateRequest_Append:
		all := append(bytes.Clone(had.Data), by.Data...)
		if by.Type == txn.String {
			return &cairnv1.Value{Kind: &cairnv1.Value_StringValue{StringValue: string(all)}}, true, nil
		}
		return &cairnv1.Value{Kind: &cairnv1.Value_BytesValue{BytesValue: all}}, true, nil
	}
	order, _ := by.Compare(had)
	_, least := r.By.(*cairnv1.UpdateRequest_Min)
	return operand, old == nil || least && order < 0 || !least && order > 0, nil
}

func between(v, lower, upper *cairnv1.Value) bool {
	if lower != nil {
		if order, _ := typed(v).Compare(typed(lower)); order < 0 {
			return false
		}
	}
	if upper != nil {
		if order, _ := typed(v).Compare(typed(upper)); order > 0 {
			return false
		}
	}
	return true
}

func (t *heldTxn) batchSet(
	s *Server, r *cairnv1.BatchSetRequest,
) (*cairnv1.BatchSetResponse, error) {
	var keys [][]byte
	for _, item := range r.Items {
		keys = append(keys, item.Key)
	}
	if err := t.requireAll(s, r.Keyspace, keys, r.RequireAll); err != nil {
		return nil, err
	}
	out := &cairnv1.BatchSetResponse{CommitTs: int64(t.view.at)}
	for _, item := range r.Items {
		res, err := t.do(s, &cairnv1.SetRequest{
			Keyspace: r.Keyspace, Key: item.Key, Value: item.Value, Conditions: item.Conditions,
			TtlMs: item.TtlMs, KeepTtl: item.KeepTtl, NoHistory: item.NoHistory,
		})
		if err != nil {
			return nil, err
		}
		out.Results = append(out.Results, res.(*cairnv1.SetResponse))
	}
	out.Txn = t.next()
	return out, nil
}

func (t *heldTxn) batchDelete(
	s *Server, r *cairnv1.BatchDeleteRequest,
) (*cairnv1.BatchDeleteResponse, error) {
	if err := t.requireAll(s, r.Keyspace, r.Keys, r.RequireAll); err != nil {
		return nil, err
	}
	out := &cairnv1.BatchDeleteResponse{CommitTs: int64(t.view.at)}
	for _, key := range r.Keys {
		res, err := t.do(s, &cairnv1.DeleteRequest{Keyspace: r.Keyspace, Key: key})
		if err != nil {
			return nil, err
		}
		out.Results = append(out.Results, res.(*cairnv1.DeleteResponse))
	}
	out.Txn = t.next()
	return out, nil
}

func (t *heldTxn) requireAll(s *Server, keyspace string, keys [][]byte, wanted bool) error {
	var gone []string
	for _, key := range keys {
		g, err := t.get(s, keyspace, key)
		if err != nil {
			return err
		}
		if !g.Found {
			gone = append(gone, fmt.Sprintf("%q", key))
		}
	}
	if slices.Sort(gone); wanted && len(gone) > 0 {
		return txn.Errorf(txn.NotFound, "keys_missing", "missing: %v", gone)
	}
	return nil
}

func (t *heldTxn) deleteRange(
	s *Server, r *cairnv1.DeleteRangeRequest,
) (*cairnv1.DeleteRangeResponse, error) {
	if r.Select == nil {
		return nil, txn.Errorf(txn.Invalid, "select_missing", "a deletion says what it selects")
	}
	out := &cairnv1.DeleteRangeResponse{CommitTs: int64(t.view.at)}
	for _, key := range s.selected(r.Keyspace, r.Select) {
		res, err := t.do(s, &cairnv1.GetRequest{Keyspace: r.Keyspace, Key: key})
		if err != nil {
			return nil, err
		}
		if !res.(*cairnv1.GetResponse).Found {
			continue
		}
		out.Count++
		if r.DryRun {
			continue
		}
		if _, err := t.do(s, &cairnv1.DeleteRequest{Keyspace: r.Keyspace, Key: key}); err != nil {
			return nil, err
		}
	}
	out.Txn = t.next()
	return out, nil
}

// selected are the keys of a selection that ever were.
func (s *Server) selected(keyspace string, sel *cairnv1.Selection) (keys [][]byte) {
	span := spanOf(s.store.key(keyspace, nil), sel)
	for _, key := range s.store.keys {
		if span.Contains(key) && selects(sel, key.User()) {
			keys = append(keys, key.User())
		}
	}
	return keys
}

// selects reports whether a key of the selection's span belongs to it.
func selects(sel *cairnv1.Selection, key []byte) bool {
	if _, ok := sel.GetBy().(*cairnv1.Selection_Bucket); ok &&
		bytes.IndexByte(key[len(sel.GetBucket())+1:], '/') >= 0 {
		return false
	}
	return len(sel.GetGlob()) == 0 || txn.Glob(sel.GetGlob()).Match(key)
}

func (t *heldTxn) revert(
	s *Server, r *cairnv1.RevertRequest,
) (*cairnv1.RevertResponse, error) {
	keys := [][]byte{r.GetKey()}
	if r.GetSelect() != nil {
		keys = s.selected(r.Keyspace, r.GetSelect())
	}
	out := &cairnv1.RevertResponse{CommitTs: int64(t.view.at)}
	for _, user := range keys {
		key := s.store.key(r.Keyspace, user)
		then := s.store.newest(key, txn.Timestamp(r.GetAsOf()))
		if _, ok := r.To.(*cairnv1.RevertRequest_Revision); ok {
			i := slices.IndexFunc(s.store.remembered(key), func(v txn.Version) bool {
				return v.Revision == r.GetRevision()
			})
			if i < 0 {
				return nil, txn.Errorf(txn.NotFound, "revision_missing", "no revision %d", r.GetRevision())
			}
			then = s.store.remembered(key)[i]
		}
		now := s.store.newest(key, t.view.at)
		was, is := then.Live(then.TS), now.Live(t.view.at)
		if !was && !is || was && is && then.Value.Matches(now.Value) {
			continue
		}
		out.Count++
		change := &cairnv1.RevertChange{Key: user}
		var req proto.Message = &cairnv1.DeleteRequest{Keyspace: r.Keyspace, Key: user}
		if is {
			change.From = entry(key, &now, true)
		}
		if was {
			change.To = entry(key, &then, true)
			req = &cairnv1.SetRequest{Keyspace: r.Keyspace, Key: user, Value: change.To.Value}
		}
		if r.DryRun {
			out.Changes = append(out.Changes, change)
		} else if _, err := t.do(s, req); err != nil {
			return nil, err
		}
	}
	out.Txn = t.next()
	return out, nil
}

// history answers everything that store has of a key; its cursor is how many were answered.
func (s *Server) history(r *cairnv1.HistoryRequest) (*cairnv1.HistoryResponse, error) {
	if err := checkKey(r.Key); err != nil {
		return nil, err
	}
	key := s.store.key(r.Keyspace, r.Key)
	all := s.store.remembered(key)
	from, limit := len(r.Cursor), s.opts.Page
	if r.Limit > 0 {
		limit = min(limit, int(r.Limit))
	}
	out := &cairnv1.HistoryResponse{Txn: r.Txn}
	for i := from; i < len(all); i++ {
		if i == from+limit {
			out.Cursor = bytes.Repeat([]byte{'+'}, i)
			break
		}
		v := &all[i]
		note := s.notes[v.TS]
		h := &cairnv1.HistoryEntry{
			Operation: cairnv1.HistoryOperation_HISTORY_OPERATION_SET,
			Principal: note.principal, Message: note.message,
		}
		switch v.Kind {
		case txn.KindDelete:
			h.Operation = cairnv1.HistoryOperation_HISTORY_OPERATION_DELETE
			h.Entry = &cairnv1.Entry{Key: r.Key, Revision: v.Revision, CommitTs: int64(v.TS)}
		case txn.KindExtend:
			h.Operation = cairnv1.HistoryOperation_HISTORY_OPERATION_EXTEND
		}
		if h.Entry == nil {
			h.Entry = entry(key, v, !r.KeysOnly)
		}
		out.Entries = append(out.Entries, h)
	}
	return out, nil
}
