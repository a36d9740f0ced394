package report

import (
	"slices"
	"testing"
	"time"
)

func one(targets []Target, t *testing.T, files ...*File) *Verdict {
	t.Helper()
	verdicts, err := Judge(targets, files)
	if err != nil || len(verdicts) != 1 {
		t.Fatalf("%d verdicts, %v", len(verdicts), err)
	}
	return verdicts[0]
}

func TestLimits(t *testing.T) {
	put64 := Target{Workload: "put", Peer: "etcd", Way: "stream", Callers: 64, Nodes: 3} // 3 times
	for _, tc := range []struct {
		metric     Metric
		floor, aim float64
		want       string
	}{
		{PerSecond, 3, 3.01, "floor reached"}, {PerSecond, 3, 3, "aim reached"},
		{PerSecond, 3.01, 4, "**not met**"},
		{P50, 0.4, 0.1, "floor reached"}, {P50, 0.5, 0.4, "aim reached"}, {P50, 0.3, 0.2, "**not met**"},
		{Memory, 1.5, 1, "aim reached"}, {Memory, 0.9, 0.5, "**not met**"},
	} {
		target := put64
		target.Metric, target.Floor, target.Aim = tc.metric, tc.floor, tc.aim
		if v := one([]Target{target}, t, alternating(t)); v.word() != tc.want {
			t.Errorf("%v, at least or most %v and %v: %s of %v", tc.metric, tc.floor, tc.aim, v.word(), v.Ratio)
		}
	}
}

// A target is about one arrangement: another one, however good, is no measurement of it.
func TestTargetsAreNotMixedUp(t *testing.T) {
	want := Target{Workload: "put", Peer: "etcd", Way: "stream", Callers: 64, Nodes: 3, Floor: 1, Aim: 1}
	for name, spoil := range map[string]func(*Target, *File){
		"nodes":     func(target *Target, _ *File) { target.Nodes = 1 },
		"one side":  func(_ *Target, f *File) { f.Sides[1].Nodes = 1 },
		"way":       func(target *Target, _ *File) { target.Way = "unary" },
		"callers":   func(target *Target, _ *File) { target.Callers = 256 },
		"keys":      func(target *Target, _ *File) { target.Keys = 1e6 },
		"peer":      func(target *Target, _ *File) { target.Peer = "nats" },
		"workload":  func(target *Target, _ *File) { target.Workload = "get" },
		"open loop": func(_ *Target, f *File) { each(f, func(s *Sample) { s.Run.Rate = 100 }) },
		"hot keys":  func(_ *Target, f *File) { each(f, func(s *Sample) { s.Run.Zipf = 0.99 }) },
		"no answer": func(_ *Target, f *File) { each(f, func(s *Sample) { s.Ops = 0 }) },
	} {
		target, f := want, alternating(t)
		if v := one([]Target{target}, t, f); !v.Measured {
			t.Fatal("it is not even found as it is")
		}
		spoil(&target, f)
		if v := one([]Target{target}, t, f); v.Measured || v.Met() || v.word() != "not measured" {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestErrorsOfATarget(t *testing.T) {
	target, f := Target{Workload: "put", Peer: "etcd", Way: "stream", Callers: 64, Nodes: 3, Floor: 3, Aim: 5},
		alternating(t)
	each(f, func(s *Sample) { s.Errors = 2 })
	if v := one([]Target{target}, t, f); v.word() != "floor reached, 12 errors" {
		t.Errorf("%s", v.word())
	}
}

func each(f *File, change func(*Sample)) {
	for i := range f.Samples {
		change(&f.Samples[i])
	}
}

func TestNewestFileCounts(t *testing.T) {
	target := Target{Workload: "put", Peer: "etcd", Way: "stream", Callers: 64, Nodes: 3, Floor: 3, Aim: 5}
	old, now, without := alternating(t), alternating(t), alternating(t)
	now.Began, without.Began = old.Began.Add(time.Hour), old.Began.Add(2*time.Hour)
	each(now, func(s *Sample) {
		if s.Side == "cairn" {
			s.Ops /= 2
		}
	})
	without.Samples = nil
	if v := one([]Target{target}, t, old, without, now); v.Met() || !v.Began.Equal(now.Began) {
		t.Errorf("%v of %s", v.Ratio, v.Began)
	}
}

func TestTargetOfTwoSizes(t *testing.T) {
	f := alternating(t)
	large := put(64)
	large.Keys = 1e7
	f.Samples = append(f.Samples, sample(t, "cairn", 1, large, 144_150, 10)) // three quarters
	target := Target{Workload: "put", Peer: "cairn", Way: "stream", Callers: 64, Nodes: 3,
		Keys: 1e7, PeerKeys: 1e5, Floor: 0.7, Aim: 0.9}
	if v := one([]Target{target}, t, f); v.word() != "floor reached" || v.Ratio.Of != 0.75 {
		t.Errorf("%s: %v", v.word(), v.Ratio)
	}
}

func TestGrowth(t *testing.T) {
	f := &File{Format: Format, Sides: []Side{{Name: "cairn"}}}
	for _, width := range []int{2, 8, 64} {
		r := put(64)
		r.Width = width
		s := sample(t, "cairn", 1, r, 100, int64(1000+20*width))
		s.Processes[0].CPU = time.Duration(100*(30+5*width)) * time.Microsecond
		f.Samples = append(f.Samples, s)
	}
	groups, err := f.Groups()
	if err != nil {
		t.Fatal(err)
	}
	table := slope(groups)
	if table == nil || len(table.Rows) != 1 {
		t.Fatalf("%+v", table)
	}
	// The two servers take 90 µs beside the load's 30 + 5 a key.
	want := []string{"put stream, 64 callers", "cairn", "2 to 64", "5.00", "120", "1.00", "20.0",
		"1,000", "1.00"}
	if row := table.Rows[0]; !slices.Equal(row, want) {
		t.Errorf("row %q, want %q", row, want)
	}
	if l := fit([]float64{1, 2, 3}, []float64{1, 9, 1}); l.slope != 0 || l.r2 != 0 {
		t.Errorf("a line through what is none: %+v", l)
	}
	if table := slope(groups[:2]); table != nil {
		t.Errorf("two points: %+v", table)
	}
}
