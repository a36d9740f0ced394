package coordinator_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// story is one file of testdata: a coordinator and the shards it talks to.
type story struct {
	t    *testing.T
	env  *lockstep
	fake *fake
	c    *coordinator.Coordinator
	open *coordinator.Txn
	// token is that of the last unknown outcome.
	token string
}

func newStory(t *testing.T) *story { return newStoryOf(t, coordinator.TwoPhase) }

func newStoryOf(t *testing.T, mode coordinator.CommitMode) *story {
	e := newLockstep()
	s := &story{t: t, env: e, fake: newFake(t, e)}
	s.fake.routes = cuts(1, "m")
	var err error
	s.c, err = coordinator.New(coordinator.Options{Env: e, Shards: s.fake, Session: 7, Commit: mode})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// cuts is a map whose shards are numbered from first+1 on.
func cuts(first shardrpc.ShardID, at ...string) []shardrpc.Route {
	routes := []shardrpc.Route{{Shard: first + 1, Epoch: 1}}
	for i, cut := range at {
		routes[i].Span.End = key(cut)
		routes = append(routes, shardrpc.Route{
			Shard: routes[i].Shard + 1, Epoch: 1, Span: txn.Span{Start: key(cut)},
		})
	}
	return routes
}

// Each file tells one story. Shard s2 holds everything before m, s3 the rest.
// Those of testdata/parallel are told in parallel mode.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		mode := coordinator.TwoPhase
		if filepath.Base(filepath.Dir(path)) == "parallel" {
			mode = coordinator.Parallel
		}
		s := newStoryOf(t, mode)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			s.t, s.fake.t = t, t
			return s.command(d)
		})
	})
}

func (s *story) command(d *datadriven.TestData) string {
	s.fake.log.Reset()
	out := ""
	ctx := context.Background()
	if d.HasArg("cancelled") {
		gone, cancel := context.WithCancel(ctx)
		cancel()
		ctx = gone
	}
	deadline := time.Duration(0)
	if d.HasArg("within") {
		var text string
		d.ScanArgs(s.t, "within", &text)
		within, err := time.ParseDuration(text)
		if err != nil {
			d.Fatalf(s.t, "%v", err)
		}
		deadline = s.env.Now() + within
	}
	switch d.Cmd {
	case "answers":
		s.plan(d.Input)
		return ""
	case "data":
		s.store(d.Input)
		return ""
	case "plant":
		s.env.points[d.CmdArgs[0].Key] = errLost
		if d.HasArg("stop") {
			s.env.points[d.CmdArgs[0].Key] = env.ErrStopped
		}
		return ""
	case "beside":
		s.fake.beside = d.CmdArgs[0].Key == "yes"
		return ""
	case "move": // what the shards say is there after the next refresh
		s.fake.next = cuts(11, "m")
		s.fake.routes, s.fake.next = s.fake.next, nil
		return ""
	case "pass":
		s.env.run(s.t, func() { _ = s.env.Sleep(ctx, time.Hour) })
		return ""
	}
	s.env.run(s.t, func() {
		out = s.call(ctx, d, deadline)
		fmt.Fprintf(&s.fake.log, "= %s\n", out)
	})
	return s.fake.log.String()
}

func (s *story) call(ctx context.Context, d *datadriven.TestData, deadline time.Duration) string {
	switch d.Cmd {
	case "get":
		var r coordinator.Read
		r.Deadline = deadline
		for name := range strings.FieldsSeq(d.Input) {
			r.Keys = append(r.Keys, key(name))
		}
		if d.HasArg("revision") {
			r.Revision = new(int64)
			d.ScanArgs(s.t, "revision", r.Revision)
		}
		if d.HasArg("at") {
			var at int64
			d.ScanArgs(s.t, "at", &at)
			r.At = txn.Timestamp(at)
		}
		versions, at, err := s.c.Get(ctx, r)
		if err != nil {
			return s.failure(err)
		}
		var got []string
		for i := range versions {
			got = append(got, fmt.Sprintf("%s@%d", versions[i].Value.Data, versions[i].TS))
		}
		return fmt.Sprintf("at %d: %s", at, strings.Join(got, " "))
	case "scan":
		return s.scan(ctx, d)
	case "history":
		return s.history(ctx, d)
	case "ephemeral":
		return s.ephemeral(ctx, d, deadline)
	case "execute":
		res, err := s.c.Execute(ctx, program(d.Input), s.options(d, deadline))
		if err != nil {
			return s.failure(err)
		}
		return fmt.Sprintf("commit=%d succeeded=%v attempts=%d", res.CommitTS, res.Succeeded, res.Attempts)
	case "sweep":
		n, err := s.c.Sweep(ctx, deadline)
		if err != nil {
			return s.failure(err)
		}
		return fmt.Sprintf("%d cleared away", n)
	case "begin":
		var err error
		o := coordinator.BeginOptions{Deadline: deadline, ReadOnly: d.HasArg("read-only")}
		if d.HasArg("snapshot") {
			o.Isolation = coordinator.Snapshot
		}
		if d.HasArg("pessimistic") {
			o.Mode = coordinator.Pessimistic
		}
		if d.HasArg("low") {
			o.Priority = coordinator.PriorityLow
		}
		if d.HasArg("high") {
			o.Priority = coordinator.PriorityHigh
		}
		if d.HasArg("again") {
			age := s.open.Age()
			o.Age = &age
		}
		s.open, err = s.c.Begin(ctx, o)
		if err != nil {
			return s.failure(err)
		}
		return fmt.Sprintf("txn %v at %d", s.open.ID(), s.open.ReadTS())
	case "do":
		p := program(d.Input)
		var got []string
		for i := range p.Then {
			do := s.open.Do
			if d.HasArg("for-update") {
				do = s.open.DoForUpdate
			}
			res, err := do(ctx, &p.Then[i], deadline)
			if err != nil {
				return s.failure(err)
			}
			got = append(got, fmt.Sprintf("ok=%v count=%d", res.OK, res.Count))
		}
		return strings.Join(got, "; ")
	case "prefetch":
		var keys []txn.Key
		for name := range strings.FieldsSeq(d.Input) {
			keys = append(keys, key(name))
		}
		if err := s.open.Prefetch(ctx, keys, d.HasArg("for-update"), deadline); err != nil {
			return s.failure(err)
		}
		return "prefetched"
	case "outcome":
		return s.outcome(ctx, d, deadline)
	case "rollback":
		s.open.Rollback()
		return "rolled back"
	case "commit":
		done, err := s.open.Commit(ctx, s.options(d, deadline))
		if err != nil {
			return s.failure(err)
		}
		return fmt.Sprintf("commit=%d written=%d", done.CommitTS, len(done.Written))
	}
	return "unknown command"
}

func (s *story) scan(ctx context.Context, d *datadriven.TestData) string {
	want := coordinator.Scan{Reverse: d.HasArg("reverse")}
	if d.HasArg("limit") {
		d.ScanArgs(s.t, "limit", &want.Limit)
	}
	if d.HasArg("bytes") {
		d.ScanArgs(s.t, "bytes", &want.Bytes)
	}
	want.Span = span(strings.TrimSpace(d.Input))
	var out []string
	for {
		page, err := s.c.Scan(ctx, want)
		if err != nil {
			return s.failure(err)
		}
		var keys []txn.Key
		for i := range page.Entries {
			keys = append(keys, page.Entries[i].Key)
		}
		out = append(out, fmt.Sprintf("at %d: %s", page.At, keyList(keys)))
		if !page.More {
			return strings.Join(out, ", ")
		}
		want.At = page.At
		if want.Reverse {
			want.Span.End = page.Next
		} else {
			want.Span.Start = page.Next
		}
	}
}

func (s *story) failure(err error) string {
	e, ok := err.(*txn.Error)
	if !ok {
		return err.Error()
	}
	if e.Kind == txn.Unknown {
		s.token = e.Token
	}
	owned := ""
	if e.Token != "" {
		owned += fmt.Sprintf(", token: %s", tokenText(e.Token))
	}
	if e.Txn != 0 && s.c.Owns(e.Txn) {
		owned += ", still owned"
	}
	if e.Other != 0 {
		owned += fmt.Sprintf(", other %v age=%d", e.Other, e.OtherAge)
	}
	return fmt.Sprintf("%v [%s] txn=%v key=%s%s", e.Kind, e.Reason, e.Txn, bound(e.Key), owned)
}

// plan reads lines of: method shard answer key=value...
func (s *story) plan(input string) {
	for line := range strings.SplitSeq(input, "\n") {
		words := strings.Fields(line)
		r := reply{word: words[2], args: make(map[string]string)}
		for _, w := range words[3:] {
			name, value, _ := strings.Cut(w, "=")
			r.args[name] = value
		}
		to := words[0] + " " + words[1]
		s.fake.script[to] = append(s.fake.script[to], r)
	}
}

// store reads lines of: key timestamp value [expiry]
func (s *story) store(input string) {
	for line := range strings.SplitSeq(input, "\n") {
		var k, value string
		var ts, expiry int64
		_, _ = fmt.Sscan(line, &k, &ts, &value, &expiry)
		s.fake.data[string(key(k))] = txn.Version{
			TS: txn.Timestamp(ts), Expiry: txn.Timestamp(expiry), Value: txn.StringValue(value),
		}
	}
}

func span(text string) txn.Span {
	start, end, _ := strings.Cut(text, "..")
	s := txn.Span{Start: key(start)}
	if end != "" {
		s.End = key(end)
	}
	return s
}

// test reads: key absent|present; revision key = number; count start..end < number; unchanged
// start..end since.
func test(words []string) txn.Test {
	var t txn.Test
	relation := []string{"=", "!=", "<", "<=", ">", ">="}
	switch words[0] {
	case "revision":
		t = txn.Test{Kind: txn.TestCompare, Attribute: txn.AttributeRevision, Key: key(words[1])}
	case "count":
		t = txn.Test{Kind: txn.TestCount, Span: span(words[1])}
	case "unchanged":
		t = txn.Test{Kind: txn.TestUnchanged, Span: span(words[1])}
		_, _ = fmt.Sscan(words[2], &t.Since)
		return t
	default:
		t.Key = key(words[0])
		t.Cond = txn.Cond{Absent: words[1] == "absent", Present: words[1] == "present"}
		return t
	}
	t.Is = txn.Relation(slices.Index(relation, words[2]))
	_, _ = fmt.Sscan(words[3], &t.N)
	return t
}

// program reads lines of: if test; get key; set key value;
// delete key; extend key ms; range start..end [limit]; else starts the other branch.
func program(input string) *txn.Program {
	p := new(txn.Program)
	branch := &p.Then
	for line := range strings.SplitSeq(input, "\n") {
		words := append(strings.Fields(line), "", "", "")
		op := txn.Op{Key: key(words[1])}
		switch words[0] {
		case "if":
			p.If.Kind = txn.TestAll
			p.If.Of = append(p.If.Of, test(words[1:]))
			continue
		case "else":
			branch = &p.Else
			continue
		case "get":
			op.Kind = txn.OpGet
		case "set":
			op.Kind, op.Value = txn.OpSet, txn.StringValue(words[2])
		case "delete":
			op.Kind = txn.OpDelete
		case "range":
			op = txn.Op{Kind: txn.OpRange, Span: span(words[1])}
			_, _ = fmt.Sscan(words[2], &op.Limit)
			op.Reverse = words[3] == "reverse"
		}
		*branch = append(*branch, op)
	}
	return p
}

func (s *story) history(ctx context.Context, d *datadriven.TestData) string {
	number := func(name string) (n int64) {
		d.MaybeScanArgs(s.t, name, &n)
		return n
	}
	page, err := s.c.History(ctx, coordinator.History{
		Key: key(strings.TrimSpace(d.Input)), At: txn.Timestamp(number("at")), From: txn.Timestamp(number("from")),
		Limit: int(number("limit")), Bytes: int(number("bytes")), KeysOnly: d.HasArg("keys-only"),
	})
	if err != nil {
		return s.failure(err)
	}
	return fmt.Sprintf("at %d: %d versions, next %d", page.At, len(page.Versions), page.Next)
}
