package conformance

import (
	"context"
	"time"

	"github.com/cairnkv/cairn/client"
)

func (w *sdk) transaction(ctx context.Context, s *Step) (answer, error) {
	switch s.Op {
	case "begin":
		o := client.TxnOptions{ReadOnly: s.Begin.ReadOnly, Pessimistic: s.Begin.Pessimistic, Message: s.Message}
		if s.Begin.Snapshot {
			o.Isolation = client.Snapshot
		}
		if s.AsOf != nil {
			o.AsOf = client.Timestamp(s.AsOf.At)
		}
		tx, err := w.db.Begin(ctx, o)
		if err == nil {
			w.txs[s.Tx] = tx
		}
		return answer{}, err
	case "commit":
		r, err := w.txs[s.Tx].Commit(ctx)
		return answer{commit: int64p(int64(r.CommitTS))}, err
	}
	return answer{}, w.txs[s.Tx].Rollback(ctx)
}

func (w *sdk) execute(ctx context.Context, s *Step) (answer, error) {
	p := client.Program{RequestID: s.ID, Message: s.Message}
	if s.Test != nil {
		p.If = conditionOf(s.Test)
	}
	for _, step := range s.Then {
		p.Then = append(p.Then, opOf(step))
	}
	for _, step := range s.Else {
		p.Else = append(p.Else, opOf(step))
	}
	out, err := w.db.Execute(ctx, p)
	if err != nil {
		return answer{}, err
	}
	a := answer{done: &out.Succeeded, commit: int64p(int64(out.CommitTS))}
	ran := s.Then
	if !out.Succeeded {
		ran = s.Else
	}
	for i, r := range out.Results {
		a.items = append(a.items, resultAnswer(ran[i], r))
	}
	return a, nil
}

func opOf(s *Step) client.Op {
	if s.Keyspace != "" {
		return plainOpOf(s).In(s.Keyspace)
	}
	return plainOpOf(s)
}

func plainOpOf(s *Step) client.Op {
	switch s.Op {
	case "get":
		return client.GetOp(s.Keys[0], readOptions(s)...)
	case "exists":
		return client.ExistsOp(s.Keys[0], readOptions(s)...)
	case "set":
		return client.SetOp(s.Keys[0], *s.Value, setOptions(s))
	case "delete":
		return client.DeleteOp(s.Keys[0], deleteOptions(s))
	case "extend":
		return client.ExtendOp(s.Keys[0], duration(s.ttl()))
	case "ttl":
		return client.TTLOp(s.Keys[0])
	case "increment":
		return client.IncrementOp(s.Keys[0], *s.Value, updateOptions(s))
	case "append":
		return client.AppendOp(s.Keys[0], *s.Value, updateOptions(s))
	case "min":
		return client.MinOp(s.Keys[0], *s.Value, updateOptions(s))
	case "max":
		return client.MaxOp(s.Keys[0], *s.Value, updateOptions(s))
	case "range":
		return client.RangeOp(rangeOf(s))
	case "delete-range":
		return client.DeleteRangeOp(rangeOf(s), client.DeleteRangeOptions{DryRun: s.DryRun})
	case "revert":
		return client.RevertOp(s.Keys[0], readOptions(s)[0], client.RevertOptions{DryRun: s.DryRun})
	}
	return client.Op{}
}

func resultAnswer(s *Step, r client.Result) answer {
	switch s.Op {
	case "get", "exists":
		return entryAnswer(r.Get, s.Op == "get")
	case "set":
		return setAnswer(r.Set)
	case "delete":
		return deleteAnswer(r.Delete)
	case "extend":
		return extendAnswer(r.Extend)
	case "ttl":
		return ttlAnswer(r.TTL)
	case "increment", "append", "min", "max":
		return updateAnswer(r.Update)
	case "delete-range":
		return answer{count: &r.DeleteRange.Count}
	case "revert":
		return revertAnswer(r.Revert)
	}
	var a answer
	for _, e := range r.Entries {
		a.items = append(a.items, entryAnswer(e, !s.KeysOnly))
	}
	return a
}

func conditionOf(t *Test) client.Condition {
	var of []client.Condition
	for _, below := range t.Of {
		of = append(of, conditionOf(below))
	}
	is := map[string]client.Is{
		"=": client.Equal, "!=": client.NotEqual, "<": client.Less, "<=": client.LessOrEqual,
		">": client.Greater, ">=": client.GreaterOrEqual,
	}[t.Relation]
	switch t.Op {
	case "and":
		return client.AllOf(of...)
	case "or":
		return client.AnyOf(of...)
	case "not":
		return client.Not(of[0])
	case "exists":
		return client.KeyExists(t.Key)
	case "missing":
		return client.KeyMissing(t.Key)
	case "value":
		return client.ValueIs(t.Key, is, *t.Value)
	case "revision":
		return client.RevisionIs(t.Key, is, t.Number)
	case "commit_ts":
		return client.CommitTSIs(t.Key, is, client.Timestamp(t.Moment.At))
	case "create_ts":
		return client.CreateTSIs(t.Key, is, client.Timestamp(t.Moment.At))
	case "count":
		return client.CountIs(rangeOf(&Step{Select: t.Select}), is, t.Number)
	}
	return client.UnchangedSince(rangeOf(&Step{Select: t.Select}), client.Timestamp(t.Moment.At))
}

func (w *sdk) keyspace(ctx context.Context, s *Step) (answer, error) {
	option := func(name string) *int64 {
		if n, ok := s.Options[name]; ok {
			return &n
		}
		return nil
	}
	lasting := func(name string) *time.Duration {
		if n := option(name); n != nil {
			d := duration(*n)
			return &d
		}
		return nil
	}
	switch s.Op {
	case "make":
		k, created, err := w.db.CreateKeyspace(ctx, s.Keyspace, client.KeyspaceOptions{
			HistoryAge: duration(s.Options["history_age"]), HistoryCount: s.Options["history_count"],
			DefaultTTL: duration(s.Options["default_ttl"]), ValueBytesMax: s.Options["value_bytes_max"],
			BytesMax: s.Options["bytes_max"],
		})
		return answer{done: &created, options: keyspaceOptions(k)}, err
	case "change":
		k, err := w.db.UpdateKeyspace(ctx, s.Keyspace, client.KeyspaceUpdate{
			HistoryAge: lasting("history_age"), HistoryCount: option("history_count"),
			DefaultTTL: lasting("default_ttl"), ValueBytesMax: option("value_bytes_max"),
			BytesMax: option("bytes_max"),
		})
		return answer{options: keyspaceOptions(k)}, err
	case "drop":
		deleted, err := w.db.DeleteKeyspace(ctx, s.Keyspace)
		return answer{done: &deleted}, err
	case "keyspaces":
		var a answer
		all, err := w.db.Keyspaces(ctx)
		for _, k := range all {
			a.names = append(a.names, k.Name)
		}
		return a, err
	}
	st, err := w.db.Keyspace(ctx, s.Keyspace)
	a := answer{options: keyspaceOptions(st.Keyspace)}
	a.options["keys"], a.options["bytes"], a.options["versions"] = st.Keys, st.Bytes, st.Versions
	return a, err
}

func keyspaceOptions(k client.Keyspace) map[string]int64 {
	return map[string]int64{
		"history_age": k.HistoryAge.Milliseconds(), "history_count": k.HistoryCount,
		"default_ttl": k.DefaultTTL.Milliseconds(), "value_bytes_max": k.ValueBytesMax, "bytes_max": k.BytesMax,
	}
}
