package workload_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cairnkv/cairn/jepsen/history"
	"github.com/cairnkv/cairn/jepsen/workload"
)

const (
	quickOps = 250 // committed
	longOps  = 2000
	// keepVariable is a directory for the histories; without it they are not kept.
	keepVariable = "CAIRN_WORKLOAD_KEEP"
	// longVariable puts each workload on a cluster, too.
	longVariable = "CAIRN_CLUSTER_ROUNDS"
	// costMax is the CPU of all processes for one committed operation. At 10 ms two cores do 200 a
	// second; where others need them, too, there is more waiting and less in a batch.
	costMax = 15 * time.Millisecond
)

// TestAlone runs every workload for a moment against one gateway. Something is committed in every
// mode, and by every kind of client.
func TestAlone(t *testing.T) {
	endpoints, committed := alone(t), map[string]int{}
	for _, w := range workload.All() {
		t.Run(w.Name, func(t *testing.T) {
			h := record(t, w, endpoints, quickOps)
			h.check(t)
			for mode, n := range h.modes {
				base, suffix, _ := strings.Cut(mode, "-")
				committed[base] += n[history.OK]
				committed["-"+suffix] += n[history.OK]
			}
		})
	}
	for _, mode := range []string{
		"optimistic", "pessimistic", "update", "updatelocking", "view", "asof", "oneshot", "batch", "get",
		"scan", "set", "cas", "create", "append", "increment", "delete", "final", "-", "-unary", "-roaming",
	} {
		if committed[mode] == 0 {
			t.Errorf("nothing was committed by %q: %v", mode, committed)
		}
	}
}

// TestTogether runs every workload against a cluster: CAIRN_CLUSTER_ROUNDS=1.
func TestTogether(t *testing.T) {
	if os.Getenv(longVariable) == "" {
		t.Skip("long: " + longVariable + "=1")
	}
	program(t, "gateway") // which costs, too
	program(t, "shard")
	for _, w := range workload.All() {
		oks, took, before := 0, time.Duration(0), cpu(t)
		t.Run(w.Name, func(t *testing.T) {
			endpoints := together(t)
			h := record(t, w, endpoints, longOps)
			h.check(t)
			if n := forwarded(t, endpoints[0]) + forwarded(t, endpoints[1]); n == 0 {
				t.Error("no transaction went on at another gateway")
			}
			oks, took = h.oks, h.took
		})
		if oks == 0 { // left out
			continue
		}
		cost := (cpu(t) - before) / time.Duration(oks)
		t.Logf("%s: %.0f committed operations a second, each %v of CPU", w.Name,
			float64(oks)/took.Seconds(), cost.Round(10*time.Microsecond))
		if cost > costMax {
			t.Errorf("%s: %v of CPU for a committed operation, at most %v", w.Name, cost, costMax)
		}
	}
}

// cpu is what this process and those that it has started and ended have used so far.
func cpu(t *testing.T) (used time.Duration) {
	t.Helper()
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			t.Fatal(err)
		}
		used += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return used
}

// recorded is the history of a load.
type recorded struct {
	text   []byte
	took   time.Duration // but for the final reads
	events []history.Event
	oks    int
	modes  map[string]map[history.Type]int
}

// awaitEvents returns when there are so many of a kind.
func awaitEvents(t *testing.T, r *history.Recorder, kind func(*history.Event) bool, n int) {
	t.Helper()
	seen, had := 0, 0
	for end := time.Now().Add(patience); had < n; <-time.After(10 * time.Millisecond) {
		events, err := r.Events()
		if err != nil {
			t.Fatal(err)
		}
		for ; seen < len(events); seen++ {
			if kind(&events[seen]) {
				had++
			}
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d events in %v", had, n, patience)
		}
	}
}

// record runs a workload until so much is committed and reads its history back.
func record(t *testing.T, w workload.Workload, endpoints []string, oks int) *recorded {
	t.Helper()
	var out bytes.Buffer
	r := history.NewRecorder(&out)
	l, err := workload.Start(t.Context(), w, workload.Options{Endpoints: endpoints, Recorder: r, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	awaitEvents(t, r, func(e *history.Event) bool { return e.Type == history.OK }, oks)
	took := r.Now()
	if err := l.Final(within(t)); err != nil {
		t.Error(err)
	}
	h := &recorded{text: out.Bytes(), took: took, modes: map[string]map[history.Type]int{}}
	if h.events, err = history.ReadEvents(&out); err != nil {
		t.Fatal(err)
	}
	for _, e := range h.events {
		if h.modes[e.Mode] == nil {
			h.modes[e.Mode] = map[history.Type]int{}
		}
		h.modes[e.Mode][e.Type]++
		if e.Type == history.OK && e.F == "txn" {
			h.oks++
		}
	}
	h.keep(t)
	return h
}

func (h *recorded) keep(t *testing.T) {
	t.Helper()
	if dir := os.Getenv(keepVariable); dir != "" {
		name := filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "-")+".jsonl")
		if err := os.WriteFile(name, h.text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// check looks at the form of a history: what is in it is for package check.
func (h *recorded) check(t *testing.T) {
	t.Helper()
	last := int64(0)
	for i, e := range h.events {
		if e.Time < last {
			t.Fatalf("event %d is of %d, after one of %d", i, e.Time, last)
		}
		last = e.Time
	}
	rest := slices.DeleteFunc(slices.Clone(h.events), func(e history.Event) bool { return e.F == history.Init })
	ops, err := history.Pair(rest)
	if err != nil {
		t.Fatal(err)
	}
	for _, odd := range told(ops) {
		t.Error(odd)
	}
	finals := 0
	for i := range ops {
		if ops[i].Mode == "final" {
			finals++
		}
		if len(ops[i].Mops) == 0 {
			t.Errorf("%v does nothing", &ops[i])
		}
		if ops[i].TS == 0 && ops[i].Type == history.OK && (ops[i].Writes() || ops[i].Mode == "final") {
			t.Errorf("%v has no timestamp", &ops[i])
		}
	}
	if finals == 0 {
		t.Error("nothing was read at the end")
	}
	var report strings.Builder
	for _, m := range slices.Sorted(maps.Keys(h.modes)) {
		fmt.Fprintf(&report, "\n%-24s %v", m, h.modes[m])
	}
	t.Logf("%d ok%s", h.oks, report.String())
}
