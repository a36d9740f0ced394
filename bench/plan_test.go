package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cairnkv/cairn/bench/load"
)

func small() *matrix {
	return &matrix{
		workloads: []string{"put", "transfer"}, ways: []string{"stream"}, callers: []int{1, 64},
		keys: []int{1000}, widths: []int{0}, bytes: []int{256}, last: time.Second, seed: 7,
	}
}

// draw names steps: round, side, workload, callers, seed.
func draw(steps []step) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "%d %c %s %d seed %d\n", s.round, 'A'+s.side, s.run.Workload, s.run.Callers, s.run.Seed)
	}
	return b.String()
}

func TestSidesTakeTurns(t *testing.T) {
	steps, err := plan(2, alike(small().runs(), 2))
	if err != nil {
		t.Fatal(err)
	}
	const want = `1 A put 1 seed 7
1 B put 1 seed 7
1 B put 64 seed 7
1 A put 64 seed 7
1 A transfer 1 seed 7
1 B transfer 1 seed 7
1 B transfer 64 seed 7
1 A transfer 64 seed 7
2 B put 1 seed 8
2 A put 1 seed 8
2 A put 64 seed 8
2 B put 64 seed 8
2 B transfer 1 seed 8
2 A transfer 1 seed 8
2 A transfer 64 seed 8
2 B transfer 64 seed 8
`
	if got := draw(steps); got != want {
		t.Errorf("the order is\n%s, want\n%s", got, want)
	}
}

func TestOneRunAgainstWorkloadsOfOtherNames(t *testing.T) {
	m := small()
	m.callers = []int{64}
	names := map[string][]string{"put": {"put"}, "transfer": {"stm", "cas"}}
	comparisons, pairs := against(m.runs(), names)
	steps, err := plan(1, comparisons)
	if err != nil {
		t.Fatal(err)
	}
	const want = `1 A put 64 seed 7
1 B put 64 seed 7
1 B cas 64 seed 7
1 B stm 64 seed 7
1 A transfer 64 seed 7
`
	if got := draw(steps); got != want {
		t.Errorf("the order is\n%s, want\n%s", got, want)
	}
	if got := fmt.Sprint(pairs); got != "[{transfer stm} {transfer cas}]" {
		t.Errorf("pairs are %s", got)
	}
}

func TestMatrixHasEveryCombinationOnce(t *testing.T) {
	m := small()
	m.ways, m.keys = []string{"stream", "unary"}, []int{10, 20, 30}
	m.widths, m.bytes = []int{2, 8}, []int{16, 256}
	runs := m.runs()
	if len(runs) != 2*2*2*3*2*2 {
		t.Fatalf("%d runs", len(runs))
	}
	seen := make(map[load.Run]bool)
	for _, r := range runs {
		if seen[r] {
			t.Errorf("twice: %+v", r)
		}
		seen[r] = true
		if r.Seed != 7 || r.Last != time.Second || r.Keys == 0 || r.ValueBytes == 0 || r.Way == "" {
			t.Errorf("unfinished: %+v", r)
		}
	}
}

func TestPlanHasLimits(t *testing.T) {
	one := alike(small().runs()[:1], 1)
	for rounds, fine := range map[int]bool{0: false, 1: true, roundsMax: true, roundsMax + 1: false} {
		if _, err := plan(rounds, one); (err == nil) != fine {
			t.Errorf("%d rounds: %v", rounds, err)
		}
	}
	if _, err := plan(roundsMax, slices.Repeat(one, 101)); err == nil {
		t.Error("10,100 runs are not too many")
	}
}

func TestMatrixIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(*matrix){
		"callers":     func(m *matrix) { m.callers = []int{1, load.CallersMax + 1} },
		"keys":        func(m *matrix) { m.keys = []int{0} },
		"width":       func(m *matrix) { m.widths = []int{-1} },
		"value-bytes": func(m *matrix) { m.bytes = []int{0} },
		"way":         func(m *matrix) { m.ways = []string{"pigeon"} },
		"workload":    func(m *matrix) { m.workloads = nil },
		"rate":        func(m *matrix) { m.rate = -1 },
		"zipf":        func(m *matrix) { m.zipf = -1 },
		"warm":        func(m *matrix) { m.warm = -1 },
		"last":        func(m *matrix) { m.last = 0 },
	} {
		m := small()
		if err := m.validate(); err != nil {
			t.Fatal(err)
		}
		spoil(m)
		if err := m.validate(); err == nil || !strings.Contains(err.Error(), "--"+name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
