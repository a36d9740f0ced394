package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRatiosAreOfTheSameRun(t *testing.T) {
	f := alternating(t)
	other := put(64)
	other.Keys = 7 // etcd did not run this
	f.Samples = append(f.Samples, sample(t, "cairn", 1, other, 10, 10))
	ratios, err := f.Ratios()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range ratios {
		r := &ratios[i]
		got = append(got, strings.Join([]string{r.Left.Side, r.Left.Case.Workload, r.Right.Side,
			r.Right.Case.Workload, r.PerSecond.String()}, " "))
	}
	want := "cairn put etcd put 3.20 ×, cairn put etcd put 3.00 ×, " +
		"cairn transfer-two-optimistic etcd transfer-stm 1.50 ×"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("ratios are %s, want %s", s, want)
	}
	f.Pairs = nil
	if ratios, err = f.Ratios(); err != nil || len(ratios) != 2 {
		t.Errorf("%d ratios without pairs, %v", len(ratios), err)
	}
}

// Who took the first turn does not decide where a row stands.
func TestOrderOfGroups(t *testing.T) {
	f := alternating(t)
	slices.Reverse(f.Samples[:6]) // of the first round
	groups, err := f.Groups()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range groups {
		got = append(got, fmt.Sprint(g.Side, " ", g.Case.Workload, " ", g.Case.Callers))
	}
	want := "cairn transfer-two-optimistic 64, etcd transfer-stm 64, cairn put 64, etcd put 64, " +
		"cairn put 1, etcd put 1"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("groups are %s, want %s", s, want)
	}
}

func TestCompareSaysWhatDiffers(t *testing.T) {
	old, now := alternating(t), alternating(t)
	for i := range now.Samples {
		now.Samples[i].Ops *= 2
	}
	now.Sides[0].Procs, now.Sides[1].Version, now.Machine = 1, "3.8.0", "4 cores"
	ratios, different, err := Compare(now, old)
	if err != nil {
		t.Fatal(err)
	}
	if len(ratios) != 6 {
		t.Errorf("%d ratios", len(ratios))
	}
	for i := range ratios {
		r := &ratios[i]
		if r.PerSecond.Of != 2 || r.CPU.Of != 0.5 || r.Left.Side != r.Right.Side {
			t.Errorf("%s by %s: %+v", r.Left.Case.Workload, r.Left.Side, r)
		}
	}
	want := `the machine was "2 cores, linux/amd64, go1.26.8" and is "4 cores"; ` +
		`GOMAXPROCS of cairn was "2" and is "1"; the version of etcd was "3.7.3" and is "3.8.0"`
	if got := strings.Join(different, "; "); got != want {
		t.Errorf("different: %s\nwant %s", got, want)
	}
}

// Percentiles come from all rounds together: a slow round weighs as much as it has operations.
func TestPercentilesAreNotAveraged(t *testing.T) {
	f := &File{Format: Format, Sides: []Side{{Name: "cairn"}}, Samples: []Sample{
		sample(t, "cairn", 2, put(1), 10, 9000),
		sample(t, "cairn", 1, put(1), 990, 1000),
	}}
	groups, err := f.Groups()
	if err != nil {
		t.Fatal(err)
	}
	g := groups[0]
	if len(groups) != 1 || g.Samples[0].Round != 1 {
		t.Fatalf("%d groups, the first round is %d", len(groups), g.Samples[0].Round)
	}
	for percentile, want := range map[float64]time.Duration{50: 1, 99: 1, 99.5: 9} {
		if got := g.Latency(percentile).Round(100 * time.Microsecond); got != want*time.Millisecond {
			t.Errorf("p%v is %s", percentile, got)
		}
	}
	f.Samples[0].Latencies = "garbage"
	if _, err := f.Groups(); err == nil || !strings.Contains(err.Error(), "round 2") {
		t.Errorf("garbage: %v", err)
	}
}

func TestUsage(t *testing.T) {
	groups, err := alternating(t).Groups()
	if err != nil {
		t.Fatal(err)
	}
	g := groups[0]
	if got := g.Processes(); len(got) != 3 || got[2].Role != RoleLoad {
		t.Errorf("processes %v", got)
	}
	for _, tc := range []struct {
		name      string
		got, want float64
	}{
		{"all", g.CPU().Median, 100},
		{"m2", g.CPUOf(Process{"member", "m2"}).Median, 50},
		{"nobody", g.CPUOf(Process{"member", "m3"}).Median, 0},
		{"memory without the load", g.Memory().Median, 96},
		{"written without the load", g.Written().Median, 500},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, tc.got, tc.want)
		}
	}
}

func TestErrorsAreSaid(t *testing.T) {
	f := alternating(t)
	for i := range f.Samples {
		f.Samples[i].Ops = 0
	}
	f.Samples[6].Errors, f.Samples[6].Error = 12, "no leader"
	var b strings.Builder
	if err := f.Text(&b); err != nil {
		t.Fatal(err)
	}
	if want := "put, cairn, 1 callers: 12 errors, the first one: no leader"; !strings.Contains(b.String(), want) {
		t.Errorf("%q is not in\n%s", want, b.String())
	}
	if strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
		t.Errorf("no number in\n%s", b.String())
	}
}
