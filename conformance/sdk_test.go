package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/txn"
)

// sdk is the Go SDK.
type sdk struct {
	db  *client.DB
	txs map[string]*client.Txn
}

func newSDK(t *testing.T, endpoint string) way {
	t.Helper()
	db, err := client.Dial(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return &sdk{db, make(map[string]*client.Txn)}
}

func (w *sdk) cannot(s *Step) string {
	switch {
	case s.Cursor != nil || s.says("more", "end", "cur"):
		return "pages and their cursors are the SDK's own"
	case s.Op == "stream":
		return "a Scan is read page by page, whatever the server offers"
	case s.Op == "execute" && !all(append(s.Then, s.Else...), func(o *Step) bool { return o.Op != "count" }):
		return "a Program has no count"
	case s.Op == "execute" && !all(append(s.Then, s.Else...), func(o *Step) bool { return !o.Eph }):
		return "a Program is of persistent keys"
	case s.Op == "execute" && s.Keyspace != "":
		return "a Program is of the DB's keyspace"
	}
	return ""
}

func (w *sdk) silent(_ *Step, what string) bool {
	return what == "as" || what == "ts=" || what == "bytes=" || what == "count=" // of batches and listings
}

// kv is where the step's keys are.
func (w *sdk) kv(s *Step) *client.KV {
	kv := &w.db.KV
	if s.Tx != "" {
		kv = &w.txs[s.Tx].KV
	}
	if s.Keyspace != "" {
		kv = kv.In(s.Keyspace)
	}
	if s.Eph {
		kv = kv.Ephemeral()
	}
	return kv
}

func (w *sdk) do(ctx context.Context, s *Step) (answer, error) {
	if s.Tx != "" && s.Op != "begin" && w.txs[s.Tx] == nil {
		return answer{}, fmt.Errorf("transaction %s was not begun", s.Tx)
	}
	a, err := w.call(ctx, s)
	if err == nil {
		return a, nil
	}
	e, ok := errors.AsType[*txn.Error](err)
	if !ok {
		return answer{}, err
	}
	kind := map[txn.ErrorKind]string{
		txn.Invalid: "invalid_argument", txn.NotFound: "not_found", txn.Conflict: "conflict",
		txn.Wounded: "wounded", txn.Unavailable: "unavailable", txn.Exhausted: "resource_exhausted",
		txn.TooOld: "too_old", txn.Deadline: "deadline_exceeded", txn.Unknown: "unknown",
	}[e.Kind]
	f := &failure{kind: kind, reason: e.Reason, message: e.Error()}
	if f.reason == "value" || f.reason == "txn_ended" { // the SDK's own word
		f.reason = ""
	}
	return answer{failed: f}, nil
}

func (w *sdk) call(ctx context.Context, s *Step) (answer, error) {
	switch s.Op {
	case "get", "exists", "ttl", "mget", "range", "count", "history":
		return w.read(ctx, s)
	case "set", "delete", "extend", "increment", "append", "min", "max":
		return w.write(ctx, s)
	case "mset", "mdelete", "delete-range", "revert":
		return w.writeMany(ctx, s)
	case "execute":
		return w.execute(ctx, s)
	case "begin", "commit", "rollback":
		return w.transaction(ctx, s)
	}
	return w.keyspace(ctx, s)
}

func millis(t time.Time) *int64 {
	if t.IsZero() {
		return int64p(0)
	}
	return int64p(t.UnixMilli())
}

func duration(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

func entryAnswer(e client.Entry, value bool) answer {
	a := answer{done: yesOrNo(e.Found()), key: e.Key, revision: int64p(e.Revision)}
	if !e.Found() {
		return a
	}
	a.commit, a.create, a.expires = int64p(int64(e.CommitTS)), int64p(int64(e.CreateTS)), millis(e.ExpiresAt)
	if value {
		a.value = &e.Value
	}
	return a
}

func readOptions(s *Step) (opts []client.ReadOption) {
	if s.Revision != nil {
		opts = append(opts, client.AtRevision(*s.Revision))
	}
	if s.AsOf != nil {
		opts = append(opts, client.AsOf(client.Timestamp(s.AsOf.At)))
	}
	if s.Locking {
		opts = append(opts, client.ForUpdate())
	}
	return opts
}

func (w *sdk) read(ctx context.Context, s *Step) (a answer, err error) {
	kv := w.kv(s)
	switch s.Op {
	case "get":
		e, err := kv.Get(ctx, s.Keys[0], readOptions(s)...)
		return entryAnswer(e, true), err
	case "exists":
		e, err := kv.Exists(ctx, s.Keys[0], readOptions(s)...)
		return entryAnswer(e, false), err
	case "ttl":
		r, err := kv.TTL(ctx, s.Keys[0])
		return ttlAnswer(r), err
	case "mget":
		o := client.BatchGetOptions{RequireAll: s.All, ForUpdate: s.Locking}
		if s.AsOf != nil {
			o.AsOf = client.Timestamp(s.AsOf.At)
		}
		entries, err := kv.BatchGet(ctx, s.Keys, o)
		for _, e := range entries {
			a.items = append(a.items, entryAnswer(e, true))
		}
		return a, err
	case "count":
		n, err := kv.Count(ctx, rangeOf(s))
		return answer{count: &n}, err
	case "history":
		o := client.HistoryOptions{Limit: s.Limit, KeysOnly: s.KeysOnly, Page: s.Page}
		for h, err := range kv.History(ctx, s.Keys[0], o) {
			if err != nil {
				return a, err
			}
			a.items = append(a.items, historyAnswer(h, !s.KeysOnly))
		}
		return a, nil
	}
	for e, err := range kv.Scan(ctx, rangeOf(s)) {
		if err != nil {
			return a, err
		}
		a.items = append(a.items, entryAnswer(e, !s.KeysOnly))
	}
	return a, nil
}

func ttlAnswer(r client.TTLResult) answer {
	left := r.Left.Milliseconds()
	if !r.Found() {
		left = -1
	}
	return answer{done: yesOrNo(r.Found()), revision: &r.Revision, ttl: &left, expires: millis(r.ExpiresAt)}
}

func historyAnswer(h client.HistoryEntry, values bool) answer {
	a := entryAnswer(h.Entry, values && h.Change != client.ChangeDeleted)
	a.operation, a.message = strings.NewReplacer("deleted", "delete", "extended", "extend").Replace(h.Change.String()),
		h.Message
	return a
}

func rangeOf(s *Step) client.Range {
	r := client.Range{}
	if s.Select != nil {
		switch s.Select.By {
		case "span":
			r = client.Span(s.Select.Start, s.Select.End)
		case "bucket":
			r = client.Bucket(s.Select.Start)
		default:
			r = client.Prefix(s.Select.Start)
		}
		r.Glob = s.Select.Glob
	}
	r.Limit, r.Page, r.Reverse, r.KeysOnly = s.Limit, s.Page, s.Reverse, s.KeysOnly
	if s.AsOf != nil {
		r.AsOf = client.Timestamp(s.AsOf.At)
	}
	return r
}

func conditionsOf(s *Step) client.Conditions {
	c := client.Conditions{
		Absent: s.If.Absent, Present: s.If.Present, Value: s.If.Value, Revision: s.If.Revision,
	}
	if s.If.CommitTS != nil {
		c.CommitTS = client.Timestamp(s.If.CommitTS.At)
	}
	return c
}

func setOptions(s *Step) client.SetOptions {
	return client.SetOptions{
		If: conditionsOf(s), TTL: duration(s.ttl()), KeepTTL: s.KeepTTL, NoHistory: s.NoRev,
		ReturnPrev: s.Prev, RequestID: s.ID, Message: s.Message,
	}
}

func deleteOptions(s *Step) client.DeleteOptions {
	return client.DeleteOptions{If: conditionsOf(s), ReturnPrev: s.Prev, RequestID: s.ID, Message: s.Message}
}

func updateOptions(s *Step) client.UpdateOptions {
	return client.UpdateOptions{
		If: conditionsOf(s), LowerBound: s.Lower, UpperBound: s.Upper, TTLIfNew: duration(s.ttl()),
		NoHistory: s.NoRev, RequestID: s.ID, Message: s.Message,
	}
}

func setAnswer(r client.SetResult) answer {
	a := answer{
		done: &r.Set, revision: &r.Revision, commit: int64p(int64(r.CommitTS)), prev: &r.PrevRevision,
		create: int64p(int64(r.CreateTS)), expires: millis(r.ExpiresAt),
	}
	if r.Prev != nil {
		was := entryAnswer(*r.Prev, true)
		a.was = &was
	}
	return a
}

func deleteAnswer(r client.DeleteResult) answer {
	a := answer{
		done: &r.Deleted, revision: &r.Revision, commit: int64p(int64(r.CommitTS)), prev: &r.PrevRevision,
	}
	if r.Prev != nil {
		was := entryAnswer(*r.Prev, true)
		a.was = &was
	}
	return a
}

func extendAnswer(r client.ExtendResult) answer {
	return answer{
		done: &r.Extended, revision: &r.Revision, commit: int64p(int64(r.CommitTS)), expires: millis(r.ExpiresAt),
	}
}

func updateAnswer(r client.UpdateResult) answer {
	a := answer{
		done: &r.Updated, revision: &r.Revision, commit: int64p(int64(r.CommitTS)), prev: &r.PrevRevision,
		create: int64p(int64(r.CreateTS)), expires: millis(r.ExpiresAt),
	}
	if r.Revision >= 0 || r.Value.Data != nil {
		a.value = &r.Value
	}
	return a
}

func (w *sdk) write(ctx context.Context, s *Step) (answer, error) {
	kv, key := w.kv(s), s.Keys[0]
	switch s.Op {
	case "set":
		r, err := kv.Set(ctx, key, *s.Value, setOptions(s))
		return setAnswer(r), err
	case "delete":
		r, err := kv.Delete(ctx, key, deleteOptions(s))
		return deleteAnswer(r), err
	case "extend":
		o := client.ExtendOptions{RequestID: s.ID, Message: s.Message}
		r, err := kv.ExtendWith(ctx, key, duration(s.ttl()), o)
		return extendAnswer(r), err
	}
	update := map[string]func(context.Context, string, client.Value, client.UpdateOptions) (
		client.UpdateResult, error){
		"increment": kv.Increment, "append": kv.Append, "min": kv.Min, "max": kv.Max,
	}[s.Op]
	r, err := update(ctx, key, *s.Value, updateOptions(s))
	return updateAnswer(r), err
}

func (w *sdk) writeMany(ctx context.Context, s *Step) (a answer, err error) {
	kv, o := w.kv(s), client.BatchOptions{RequireAll: s.All, RequestID: s.ID, Message: s.Message}
	switch s.Op {
	case "mset":
		var items []client.SetItem
		for _, item := range s.Items {
			items = append(items, client.SetItem{
				Key: item.Keys[0], Value: *item.Value, If: conditionsOf(item), TTL: duration(item.ttl()),
				KeepTTL: item.KeepTTL, NoHistory: item.NoRev,
			})
		}
		results, err := kv.BatchSet(ctx, items, o)
		for _, r := range results {
			a.items = append(a.items, setAnswer(r))
			if r.Set {
				a.commit = int64p(int64(r.CommitTS))
			}
		}
		return a, err
	case "mdelete":
		results, err := kv.BatchDelete(ctx, s.Keys, o)
		for _, r := range results {
			a.items = append(a.items, deleteAnswer(r))
		}
		return a, err
	case "delete-range":
		d := client.DeleteRangeOptions{DryRun: s.DryRun, RequestID: s.ID, Message: s.Message}
		r, err := kv.DeleteRange(ctx, rangeOf(s), d)
		return answer{count: &r.Count, commit: int64p(int64(r.CommitTS))}, err
	}
	v := client.RevertOptions{DryRun: s.DryRun, RequestID: s.ID, Message: s.Message}
	if s.Select != nil {
		r := rangeOf(s)
		r.AsOf = 0
		out, err := kv.RevertRange(ctx, r, client.Timestamp(s.AsOf.At), v)
		return revertAnswer(out), err
	}
	out, err := kv.Revert(ctx, s.Keys[0], readOptions(s)[0], v)
	return revertAnswer(out), err
}

func revertAnswer(r client.RevertResult) answer {
	a := answer{count: &r.Count, commit: int64p(int64(r.CommitTS))}
	for _, c := range r.Changes {
		item := answer{key: c.Key}
		for _, side := range []*client.Entry{c.From, c.To} {
			if side == nil {
				side = &client.Entry{Revision: txn.NoRevision}
			}
			item.items = append(item.items, entryAnswer(*side, true))
		}
		a.items = append(a.items, item)
	}
	return a
}

func all(list []*Step, ok func(*Step) bool) bool {
	return !slices.ContainsFunc(list, func(s *Step) bool { return !ok(s) })
}
