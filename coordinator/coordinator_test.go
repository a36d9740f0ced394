package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/txn"
)

func TestOptionsReportEverything(t *testing.T) {
	_, err := coordinator.New(coordinator.Options{Session: 1 << 24, CommitTimeout: -1, BackgroundMax: -1})
	if txn.KindOf(err) != txn.Invalid {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"Env", "Shards", "Session", "CommitTimeout", "BackgroundMax"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

// A caller that comes while a request to the oracle is under way waits for
// the next one (T4), which it shares, and no two get the same timestamp.
func TestTimestampsAreShared(t *testing.T) {
	s := newStory(t)
	s.plan("ts s0 ok delay=20ms\nts s0 lost")
	var got []txn.Timestamp
	s.env.run(t, func() {
		for i := range 5 {
			s.env.Go("caller", func() {
				_ = s.env.Sleep(t.Context(), time.Duration(i)*time.Millisecond)
				tx, err := s.c.Begin(t.Context(), coordinator.BeginOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				got = append(got, tx.ReadTS())
			})
		}
	})
	slices.Sort(got)
	if len(slices.Compact(got)) != 5 {
		t.Errorf("timestamps are not unique: %v", got)
	}
	// The first caller sends for itself; the four others share one request.
	// It is lost, and each of them queues again.
	log := s.fake.log.String()
	if !strings.HasPrefix(log, "ts s0 1 -> ok\nts s0 4 -> lost\n") {
		t.Errorf("requests:\n%s", log)
	}
}

// Each shard prewrites at a timestamp of its own; the answer tells of the one
// at which all of it was committed.
func TestAnswersTellTheCommitTimestamp(t *testing.T) {
	s := newStory(t)
	s.plan("prewrite s3 ok ts=500")
	s.env.run(t, func() {
		res, err := s.c.Execute(t.Context(), program("set a 1\nset n 2"), coordinator.CommitOptions{})
		if err != nil {
			t.Error(err)
			return
		}
		for i := range res.Results {
			e := &res.Results[i].Entry
			if res.CommitTS != 500 || e.TS != 500 || e.CreateTS != 500 {
				t.Errorf("committed at %d: %v is at %d, created at %d", res.CommitTS, e.Key, e.TS, e.CreateTS)
			}
		}
	})
}

// What one shard prepared on top of a value that expires before the commit
// would not be what the commit makes: the attempt is aborted and run again.
func TestExpiryUnderAWriteBoundsTheCommit(t *testing.T) {
	s := newStory(t)
	s.plan("prewrite s2 ok expiry=450\nprewrite s3 ok ts=500")
	s.env.run(t, func() {
		res, err := s.c.Execute(t.Context(), program("set a 1\nset n 2"), coordinator.CommitOptions{})
		if err != nil || res.Attempts != 2 {
			t.Errorf("%+v, %v", res, err)
		}
	})
}

// Over the bound, a caller cleans up behind itself before it is answered.
func TestBackgroundIsBounded(t *testing.T) {
	e := newLockstep()
	f := newFake(t, e)
	f.routes = cuts(1, "m")
	c, err := coordinator.New(coordinator.Options{Env: e, Shards: f, Session: 7, BackgroundMax: 1})
	if err != nil {
		t.Fatal(err)
	}
	f.script["resolve s3"] = []reply{{word: "ok", args: map[string]string{"delay": "30s"}}}
	e.run(t, func() {
		for i := range 2 {
			if _, err := c.Execute(t.Context(), program("set a 1\nset n 2"), coordinator.CommitOptions{}); err != nil {
				t.Error(err)
			}
			fmt.Fprintf(&f.log, "answer %d\n", i+1)
		}
	})
	_, second, _ := strings.Cut(f.log.String(), "answer 1\n")
	before, _, _ := strings.Cut(second, "answer 2\n")
	if strings.Count(before, "resolve s2 7.2") != 1 {
		t.Errorf("the second was answered before it was resolved:\n%s", f.log.String())
	}
}

// The context says so too late: what was sent goes on.
func TestCancelDoesNotAbort(t *testing.T) {
	for _, text := range []string{"set a 1", "set a 1\nset n 2"} {
		s := newStory(t)
		ctx, cancel := context.WithCancel(t.Context())
		s.plan("commit s2 lost delay=10ms\nprewrite s3 lost delay=10ms")
		s.env.run(t, func() {
			s.env.Go("leaver", func() {
				_ = s.env.Sleep(t.Context(), 5*time.Millisecond)
				cancel()
			})
			if _, err := s.c.Execute(ctx, program(text), coordinator.CommitOptions{}); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		})
		if ctx.Err() == nil {
			t.Error("nobody left")
		}
	}
}

// A stopped process sends nothing more, wherever it stops.
func TestStopAnywhere(t *testing.T) {
	points := []string{
		"coordinator.begin.after-ts", "coordinator.read.after-snapshot",
		"coordinator.validate.before", "coordinator.prewrite.before-first",
		"coordinator.prewrite.after-k", "coordinator.prewrite.after-all",
		"coordinator.decide.before", "coordinator.decide.after-propose", "coordinator.decide.after",
		"coordinator.ack.before", "coordinator.resolve.before-first", "coordinator.resolve.after-k",
		"coordinator.lock.before-rpc", "coordinator.lock.after-k", "coordinator.lock.after-all",
		"coordinator.unlock.before-first", "coordinator.unlock.after-k",
	}
	for _, point := range points {
		s := newStory(t)
		s.env.points[point] = env.ErrStopped
		var err error
		atStop := -1
		s.env.run(t, func() {
			var tx *coordinator.Txn
			if tx, err = s.c.Begin(t.Context(), coordinator.BeginOptions{Mode: coordinator.Pessimistic}); err != nil {
				return
			}
			for _, op := range program("get a\nset n 1\nset z 2\nget q").Then {
				if _, err = tx.Do(t.Context(), &op, 0); err != nil {
					return
				}
			}
			_, err = tx.Commit(t.Context(), coordinator.CommitOptions{})
			atStop = s.fake.log.Len()
		})
		acked := strings.HasPrefix(point, "coordinator.resolve") || strings.HasPrefix(point, "coordinator.unlock")
		if acked != (err == nil) || !acked && !errors.Is(err, env.ErrStopped) {
			t.Errorf("%s: %v", point, err)
		}
		if _, planted := s.env.points[point]; planted {
			t.Errorf("%s was not reached", point)
		}
		if acked || atStop < 0 {
			continue
		}
		for line := range strings.Lines(s.fake.log.String()[atStop:]) {
			if !strings.HasPrefix(line, "prewrite") { // those were on their way
				t.Errorf("%s: sent after the stop: %s", point, line)
			}
		}
	}
}

// A buffered write goes to a single shard as an operation: there it has to
// become the same write again.
func TestWritesSurviveOnePhase(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	live := oneState{}
	for range 2000 {
		var b txn.Buffer
		for range 1 + rng.IntN(5) {
			op := txn.Op{Kind: []txn.OpKind{txn.OpSet, txn.OpDelete, txn.OpExtend}[rng.IntN(3)],
				Key: key(string(rune('a' + rng.IntN(2))))}
			switch op.Kind {
			case txn.OpSet:
				op.Value = txn.IntValue(rng.Int64())
				op.NoHistory = rng.IntN(2) == 0
				if op.KeepTTL = rng.IntN(2) == 0; !op.KeepTTL {
					op.TTL = rng.Int64N(3)
				}
			case txn.OpExtend:
				op.TTL = rng.Int64N(3)
			}
			if _, err := b.Do(&op, live, 100); err != nil {
				t.Fatal(err)
			}
		}
		p := txn.Program{Then: coordinator.WriteOps(b.Writes())}
		out, err := p.Run(live, 100)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(out.Writes, b.Writes()) {
			t.Fatalf("buffered %+v\nevaluated %+v", b.Writes(), out.Writes)
		}
	}
}

// oneState is a View where every key is there.
type oneState struct{}

func (oneState) Get(txn.Key) (txn.Version, error) {
	return txn.Version{TS: 50, Expiry: 5000, Value: txn.IntValue(1)}, nil
}

func (oneState) Scan(txn.Scan, func(txn.Entry) bool) error { return nil }

func (oneState) Changed(txn.Span, txn.Timestamp) (bool, error) { return false, nil }

// The same, with tasks that really run side by side (for -race).
func TestSideBySide(t *testing.T) {
	e := env.NewReal()
	f := newFake(t, e)
	f.routes = cuts(1, "m")
	c, err := coordinator.New(coordinator.Options{Env: e, Shards: f, Session: 7, BackgroundMax: 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{"commit s2", "prewrite s2", "prewrite s3", "decide s2", "read s3", "ts s0"} {
		for _, word := range []string{"lost", "retry", "ok", "refused:conflict", "ok", "lost"} {
			if word[0] != 'r' || call[0] == 'c' || call[0] == 'p' {
				f.script[call] = append(f.script[call], reply{word: word})
			}
		}
	}
	var all [8]env.Future
	for i := range all {
		e.Go("caller", func() {
			defer all[i].Resolve()
			for _, text := range []string{"set a 1", "set a 1\nset n 2", "if n absent\nset a 1\nget z"} {
				if _, err := c.Execute(context.Background(), program(text), coordinator.CommitOptions{}); err != nil {
					t.Errorf("%s: %v", text, err)
				}
			}
		})
	}
	for i := range all {
		if err := e.Wait(t.Context(), &all[i], 0); err != nil {
			t.Fatal(err)
		}
	}
	e.Close()
}

// Whoever watches hears of every stage, every retry and every wait for locks.
func TestObserver(t *testing.T) {
	s := newStory(t)
	var heard []string
	s.c.Observe(coordinator.Observer{
		Stage:   func(st coordinator.Stage, _ time.Duration) { heard = append(heard, st.String()) },
		Retried: func(reason string) { heard = append(heard, "again: "+reason) },
		Locked: func(reason string, took time.Duration) {
			heard = append(heard, fmt.Sprintf("locks: %q after %v", reason, took))
		},
	})
	s.plan("prewrite s3 refused:intent key=n txn=9.1 primary=a\nlock s2 refused:wounded key=b delay=3ms")
	s.env.run(t, func() {
		_, err := s.c.Execute(t.Context(), program("if b absent\nset a 1\nset n 2"), coordinator.CommitOptions{})
		if err != nil {
			t.Error(err)
		}
		if _, err := s.c.Execute(t.Context(), program("set a 1"), coordinator.CommitOptions{}); err != nil {
			t.Error(err)
		}
		tx, err := s.c.Begin(t.Context(), coordinator.BeginOptions{Mode: coordinator.Pessimistic})
		if err != nil {
			t.Fatal(err)
		}
		op := program("get b").Then[0]
		if _, err := tx.Do(t.Context(), &op, 0); txn.KindOf(err) != txn.Wounded {
			t.Error(err)
		}
		tx, err = s.c.Begin(t.Context(), coordinator.BeginOptions{Mode: coordinator.Pessimistic})
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range program("get a\nget n\nget a").Then {
			if _, err := tx.Do(t.Context(), &op, 0); err != nil {
				t.Error(err)
			}
		}
		if _, err := tx.Commit(t.Context(), coordinator.CommitOptions{}); err != nil {
			t.Error(err)
		}
	})
	want := []string{"prewrite", "again: intent", "prewrite", "decide", "one_phase", "resolve",
		`locks: "wounded" after 3ms`, `locks: "" after 0s`, `locks: "" after 0s`, "validate"}
	slices.Sort(heard)
	slices.Sort(want)
	if !slices.Equal(heard, want) {
		t.Errorf("heard %q\nwant  %q", heard, want)
	}
}

// A shard that cannot be reached for minutes is told in the end, and holds up no other. Once the
// session is over nobody has to be told any more.
func TestUnlockGoesOn(t *testing.T) {
	for _, lives := range []bool{true, false} {
		s := newStory(t)
		for range 90 * transactionsAtOnce {
			s.fake.script["unlock s2"] = append(s.fake.script["unlock s2"], reply{word: "hang"})
		}
		s.env.run(t, func() {
			for range transactionsAtOnce {
				tx, err := s.c.Begin(t.Context(), coordinator.BeginOptions{Mode: coordinator.Pessimistic})
				if err != nil {
					t.Error(err)
					return
				}
				if err := tx.Lock(t.Context(), []txn.Key{key("a"), key("n")}, true, 0); err != nil {
					t.Error(err)
				}
				tx.Rollback()
			}
			_ = s.env.Sleep(t.Context(), time.Millisecond)
			if n := strings.Count(s.fake.log.String(), "unlock s3"); n != transactionsAtOnce {
				t.Errorf("%d of %d transactions have unlocked the other shard", n, transactionsAtOnce)
			}
			if !lives {
				s.c.SetSession(8)
			}
		})
		done := strings.Count(s.fake.log.String(), "unlock s2") - strings.Count(s.fake.log.String(), "hang\n")
		if want := map[bool]int{true: transactionsAtOnce, false: 0}[lives]; done != want {
			t.Errorf("%d of %d transactions have unlocked the shard that came back (session lives: %v)", done,
				transactionsAtOnce, lives)
		}
	}
}

// A commit whose intents nobody could resolve in time keeps no locks: who waits for one of them
// would not meet the intent.
func TestUnlocksWhatItCannotResolve(t *testing.T) {
	for _, mode := range []coordinator.CommitMode{coordinator.TwoPhase, coordinator.Parallel} {
		s := newStoryOf(t, mode)
		for range 90 {
			s.fake.script["resolve s3"] = append(s.fake.script["resolve s3"], reply{word: "hang"})
		}
		s.env.run(t, func() {
			tx, err := s.c.Begin(t.Context(), coordinator.BeginOptions{Mode: coordinator.Pessimistic})
			if err != nil {
				t.Error(err)
				return
			}
			for _, k := range []string{"a", "n"} {
				if _, err := tx.Do(t.Context(), &txn.Op{Kind: txn.OpSet, Key: key(k)}, 0); err != nil {
					t.Error(err)
				}
			}
			if _, err := tx.Commit(t.Context(), coordinator.CommitOptions{}); err != nil {
				t.Error(err)
			}
		})
		for _, shard := range []string{"unlock s2", "unlock s3"} {
			if n := strings.Count(s.fake.log.String(), shard); n != 1 {
				t.Errorf("%v: %d times %s", mode, n, shard)
			}
		}
	}
}

const transactionsAtOnce = 20

// TestSession: ids are of the session that is held, and without one nothing that may write begins.
func TestSession(t *testing.T) {
	s := newStory(t)
	s.env.run(t, func() {
		for _, session := range []uint32{0, 3, 0, 4} {
			s.c.SetSession(session)
			tx, err := s.c.Begin(t.Context(), coordinator.BeginOptions{})
			if session != 0 {
				if err != nil || tx.ID().Session() != session {
					t.Errorf("under session %d: %v, %v", session, tx, err)
				}
				continue
			}
			_, err2 := s.c.Execute(t.Context(), program("set a 1"), coordinator.CommitOptions{})
			if txn.KindOf(err) != txn.Unavailable || txn.KindOf(err2) != txn.Unavailable {
				t.Errorf("without a session: %v, %v", err, err2)
			}
		}
	})
}
