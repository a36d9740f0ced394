package driver

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cairnkv/cairn/bench/load"
)

// fake is a system in this process. Its workloads: "fast", "bad" cannot be prepared, "hang" lasts.
type fake struct {
	processes        map[int]load.Usage
	began            chan struct{} // gets one when an operation of "hang" has begun
	released, closed atomic.Int64
	closing          error
}

func newFake() *fake { return &fake{began: make(chan struct{}, load.CallersMax)} }

func (f *fake) Prepare(_ context.Context, r load.Run) (load.Op, func(), error) {
	release := func() { f.released.Add(1) }
	switch r.Workload {
	case "fast":
		return func(context.Context, *load.Caller) error { return nil }, release, nil
	case "hang":
		return func(ctx context.Context, _ *load.Caller) error {
			f.began <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}, release, nil
	}
	return nil, nil, errors.New("no such workload")
}

func (f *fake) Processes() map[int]load.Usage { return f.processes }

func (f *fake) Close() error {
	f.closed.Add(1)
	return f.closing
}

func run(workload string) load.Run {
	return load.Run{Workload: workload, Callers: 2, Rate: 1000, Last: 100 * time.Millisecond, Keys: 1}
}

// served is Serve with its ends.
type served struct {
	in      *io.PipeWriter
	replies *json.Decoder
	end     chan error
}

func serve(t *testing.T, ctx context.Context, s System) *served {
	in, toServe := io.Pipe()
	fromServe, out := io.Pipe()
	v := &served{in: toServe, replies: json.NewDecoder(fromServe), end: make(chan error, 1)}
	go func() { v.end <- Serve(ctx, in, out, s) }()
	t.Cleanup(func() { _, _ = toServe.Close(), fromServe.Close() })
	if r := v.reply(t); !r.Ready {
		t.Fatalf("the first reply is %+v", r)
	}
	return v
}

func (v *served) ask(t *testing.T, r load.Run) {
	t.Helper()
	if err := json.NewEncoder(v.in).Encode(request{Run: r}); err != nil {
		t.Fatal(err)
	}
}

func (v *served) reply(t *testing.T) (r reply) {
	t.Helper()
	if err := v.replies.Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestServe(t *testing.T) {
	f := newFake()
	v := serve(t, t.Context(), f)
	for _, tc := range []struct{ workload, refused string }{
		{"fast", ""}, {"bad", "no such workload"}, {"fast", ""},
	} {
		v.ask(t, run(tc.workload))
		got := v.reply(t)
		if tc.refused != "" {
			if got.Result != nil || !strings.Contains(got.Error, tc.refused) {
				t.Errorf("%s: %+v", tc.workload, got)
			}
			continue
		}
		if got.Result == nil || got.Result.Ops == 0 || got.Result.Run != run(tc.workload) {
			t.Fatalf("%s: %+v", tc.workload, got)
		}
		if p := got.Result.Processes; len(p) != 1 || p[0].Role != "load" || p[0].Memory == 0 {
			t.Errorf("processes %+v: the one that makes the load is missing", p)
		} else if len(p[0].Over) != 2 || p[0].Over[1].Memory != p[0].Memory {
			t.Errorf("in the course of 100 ms it took %+v", p[0].Over)
		}
	}
	v.ask(t, load.Run{Workload: "fast"})
	if got := v.reply(t); !strings.Contains(got.Error, "callers") {
		t.Errorf("a run without callers: %+v", got)
	}
	if f.released.Load() != 2 || f.closed.Load() != 0 {
		t.Errorf("released %d times after two runs, closed %d times", f.released.Load(), f.closed.Load())
	}
	f.closing = errors.New("a member does not end")
	_ = v.in.Close()
	if err := <-v.end; !errors.Is(err, f.closing) || f.closed.Load() != 1 {
		t.Errorf("closed %d times: %v", f.closed.Load(), err)
	}
}

func TestServeGivesUpARun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, tc := range []struct {
		name   string
		giveUp func(*served)
		want   error
	}{
		{"when its input ends", func(v *served) { _ = v.in.Close() }, nil},
		{"when it is told to end", func(*served) { cancel() }, context.Canceled},
	} {
		f := newFake()
		v := serve(t, ctx, f)
		long := run("hang")
		long.Last = load.LastMax
		v.ask(t, long)
		<-f.began
		tc.giveUp(v)
		if err := <-v.end; !errors.Is(err, tc.want) || f.closed.Load() != 1 || f.released.Load() != 1 {
			t.Errorf("%s: %v; closed %d times, released %d times", tc.name, err, f.closed.Load(), f.released.Load())
		}
	}
}

func TestServeUnderstandsNothingElse(t *testing.T) {
	for _, line := range []string{"hello\n", `{"walk":{}}` + "\n", `{"run":{"callers":"many"}}` + "\n", `{"run":`} {
		f := newFake()
		v := serve(t, t.Context(), f)
		if _, err := io.WriteString(v.in, line); err != nil {
			t.Fatal(err)
		}
		_ = v.in.Close()
		if err := <-v.end; err == nil || f.closed.Load() != 1 {
			t.Errorf("%q: %v; closed %d times", line, err, f.closed.Load())
		}
	}
}
