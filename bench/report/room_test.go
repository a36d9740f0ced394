package report

import (
	"slices"
	"testing"
	"time"
)

// longRun is one of a minute whose systems grow by 48 MiB of memory, and 16 times as much data.
func longRun(t *testing.T, workload string, ops int64) *File {
	t.Helper()
	f := &File{Format: Format, Sides: []Side{{Name: "cairn", Nodes: 2}}}
	r := put(64)
	r.Workload, r.Last = workload, time.Minute
	f.Samples = []Sample{sample(t, "cairn", 1, r, ops, 10)}
	f.Samples[0].Seconds, f.Samples[0].Hole = []int64{1, 5, 3}, 1500*time.Millisecond
	f.Samples[0].LongestSync = 1400 * time.Millisecond
	f.Samples[0].Elapsed = 3 * time.Second
	return f
}

func rowOf(t *testing.T, table *Table, of string) []string {
	t.Helper()
	if table == nil || len(table.Rows) != 1 || table.Rows[0][0] != of {
		t.Fatalf("table %+v", table)
	}
	return table.Rows[0][2:]
}

func TestSteadiness(t *testing.T) {
	f := longRun(t, "put", 100)
	groups, err := f.Groups()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"1,500", "1,400", "0.01", "1", "3", "5"}
	if got := rowOf(t, steadiness(groups), "put"); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	f.Samples[0].Run.Last = 59 * time.Second
	if groups, err = f.Groups(); err != nil || steadiness(groups) != nil || f.versions(groups) != nil {
		t.Errorf("a run of 59 s is long, or %v", err)
	}
}

func TestVersions(t *testing.T) {
	const ops = 1 << 20 // of 272 bytes on two nodes
	for workload, want := range map[string][]string{
		"put":   {"1,048,576", "1,048,576", "544", "768", "71 %", "48", "48.0"},
		"mixed": {"1,048,576", "209,715", "109", "768", "14 %", "48", "240"},
	} {
		f := longRun(t, workload, ops)
		groups, err := f.Groups()
		if err != nil {
			t.Fatal(err)
		}
		if got := rowOf(t, f.versions(groups), workload); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", workload, got, want)
		}
	}
	f := longRun(t, "get", ops)
	if groups, err := f.Groups(); err != nil || f.versions(groups) != nil {
		t.Errorf("gets write versions, or %v", err)
	}
}

func TestHoleIsTheLongestOfAllRounds(t *testing.T) {
	g := &Group{}
	for _, hole := range []time.Duration{3, 7, 5} {
		s := Sample{}
		s.Hole = hole
		g.Samples = append(g.Samples, s)
	}
	if got := g.Hole(); got != 7 {
		t.Errorf("the hole is %d", got)
	}
}
