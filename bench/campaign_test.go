package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/cairnkv/cairn/bench/load"
	"github.com/cairnkv/cairn/bench/report"
)

// made is a result of so many operations in a second.
func made(t *testing.T, r load.Run, perSecond int64) *load.Result {
	t.Helper()
	h := hdrhistogram.New(1, 1_000_000, 3)
	if err := h.RecordValues(1_000_000/perSecond, perSecond); err != nil {
		t.Fatal(err)
	}
	text, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		t.Fatal(err)
	}
	return &load.Result{Run: r, Ops: perSecond, Elapsed: time.Second, Latencies: string(text),
		Seconds: []int64{perSecond}, Processes: []load.Usage{{Role: "load", CPU: time.Millisecond}}}
}

// stage is a campaign of two sides whose systems are made up.
type stage struct {
	campaign
	said   *strings.Builder
	opened []string
	closed []string
	speed  map[string]int64
	fail   func(side string, r load.Run) error
}

func set(t *testing.T, rounds int) *stage {
	t.Helper()
	st := &stage{said: &strings.Builder{}, speed: map[string]int64{"new": 1000, "old": 500}}
	m := small()
	m.callers = []int{64}
	steps, err := plan(rounds, alike(m.runs(), 2))
	if err != nil {
		t.Fatal(err)
	}
	st.campaign = campaign{
		sides: []*side{{Side: report.Side{Name: "new"}}, {Side: report.Side{Name: "old"}}},
		steps: steps, out: t.TempDir(), say: st.said,
		file: &report.File{Format: report.Format, Began: time.Now()},
	}
	st.start = func(_ context.Context, s *side) (*measured, error) {
		st.opened = append(st.opened, s.Name)
		run := func(_ context.Context, r load.Run) (*load.Result, error) {
			if st.fail != nil {
				if err := st.fail(s.Name, r); err != nil {
					return nil, err
				}
			}
			return made(t, r, st.speed[s.Name]), nil
		}
		return &measured{run: run, close: func() error {
			st.closed = append(st.closed, s.Name)
			return nil
		}}, nil
	}
	return st
}

func TestCampaign(t *testing.T) {
	st := set(t, 3)
	if err := st.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := st.tell(&options{plots: true}); err != nil {
		t.Fatal(err)
	}
	f, err := report.Read(filepath.Join(st.out, resultsFile))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Samples) != 3*2*2 || f.Took <= 0 {
		t.Errorf("%d samples, took %s", len(f.Samples), f.Took)
	}
	ratios, err := f.Ratios()
	if err != nil {
		t.Fatal(err)
	}
	for i := range ratios {
		if ratios[i].PerSecond.Of != 2 {
			t.Errorf("%s is %v", ratios[i].Left.Case.Workload, ratios[i].PerSecond)
		}
	}
	for pattern, want := range map[string]int{"plots/*.svg": 8, "latencies/*.hgrm": 4} {
		files, err := filepath.Glob(filepath.Join(st.out, pattern))
		if err != nil || len(files) != want {
			t.Errorf("%s: %d files, want %d; %v", pattern, len(files), want, err)
		}
	}
	if fmt.Sprint(st.opened, st.closed) != "[new old] [new old]" {
		t.Errorf("opened %v, closed %v", st.opened, st.closed)
	}
	for _, want := range []string{"12/12 round 3", "Throughput and latency", "2.00 ×"} {
		if !strings.Contains(st.said.String(), want) {
			t.Errorf("%q is not in\n%s", want, st.said)
		}
	}
}

// A campaign that is broken off leaves the rounds that are over, and no process.
func TestCampaignBrokenOff(t *testing.T) {
	st := set(t, 3)
	broken := errors.New("the disk is full")
	st.fail = func(side string, r load.Run) error {
		if r.Seed == 8 && side == "old" { // in the second round
			return broken
		}
		return nil
	}
	err := st.run(t.Context())
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "put by old, 64 callers, round 2") {
		t.Errorf("the error is %v", err)
	}
	if len(st.closed) != 2 {
		t.Errorf("closed are %v", st.closed)
	}
	f, err := report.Read(filepath.Join(st.out, resultsFile))
	if err != nil || len(f.Samples) != 4 {
		t.Errorf("what is left: %+v, %v", f, err)
	}
}

func TestCampaignClosesWhatHasStarted(t *testing.T) {
	st := set(t, 1)
	start := st.start
	st.start = func(ctx context.Context, s *side) (*measured, error) {
		if s.Name == "old" {
			return nil, errors.New("no such program")
		}
		return start(ctx, s)
	}
	if err := st.run(t.Context()); err == nil || !strings.Contains(err.Error(), "start old") {
		t.Errorf("the error is %v", err)
	}
	if fmt.Sprint(st.closed) != "[new]" {
		t.Errorf("closed are %v", st.closed)
	}
}

// A system is not measured with more keys than a run says.
func TestFewerKeysAreThoseOfAnother(t *testing.T) {
	st, m := set(t, 1), small()
	m.workloads, m.callers, m.keys = []string{"put"}, []int{1, 64}, []int{100, 1000}
	steps, err := plan(2, alike(m.runs(), 1))
	if err != nil {
		t.Fatal(err)
	}
	st.sides, st.steps = st.sides[:1], steps
	if err := st.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(st.opened, st.closed) != "[new new] [new new]" {
		t.Errorf("two rounds up to 1000 keys: opened %v, closed %v", st.opened, st.closed)
	}
}

func TestGuardJudges(t *testing.T) {
	for _, tc := range []struct {
		now  int64
		code int
	}{{500, 0}, {451, 0}, {449, exitSlower}} {
		st := set(t, 3)
		st.speed["new"] = tc.now
		if err := st.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		code, err := judge(st.say, st.file, guardRatio)
		if err != nil || code != tc.code {
			t.Errorf("%d against 500: code %d, want %d; %v", tc.now, code, tc.code, err)
		}
		if slower := strings.Count(st.said.String(), ": slower\n"); (slower == 2) != (tc.code != 0) {
			t.Errorf("%d are slower in\n%s", slower, st.said)
		}
		if tc.code == 0 && !strings.Contains(st.said.String(), "too noisy") {
			t.Errorf("three rounds are enough in\n%s", st.said)
		}
	}
	if _, err := judge(&strings.Builder{}, &report.File{}, guardRatio); err == nil {
		t.Error("a guard that compared nothing passes")
	}
}
