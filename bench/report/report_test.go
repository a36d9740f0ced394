package report

import (
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/cairnkv/cairn/bench/load"
)

// latencies makes a histogram of n operations of so many microseconds each.
func latencies(t *testing.T, n, micros int64) string {
	t.Helper()
	h := hdrhistogram.New(1, 60_000_000, 3)
	if err := h.RecordValues(micros, n); err != nil {
		t.Fatal(err)
	}
	text, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func put(callers int) load.Run {
	return load.Run{Workload: "put", Way: "stream", Callers: callers, Keys: 100_000, ValueBytes: 256,
		Warm: time.Second, Last: 2 * time.Second}
}

// sample has 2 s with ops operations, each of as many microseconds, by two servers and a load.
func sample(t *testing.T, side string, round int, r load.Run, ops, micros int64) Sample {
	t.Helper()
	r.Seed = uint64(round)
	over := func(mebis ...int64) (all []load.Room) {
		for _, n := range mebis {
			all = append(all, load.Room{Memory: n << 20, Disk: n << 24})
		}
		return all
	}
	micro := func(each int64) time.Duration { return time.Duration(each*ops) * time.Microsecond }
	return Sample{Side: side, Round: round, Result: load.Result{
		Run: r, System: side, Ops: ops, Elapsed: 2 * time.Second,
		Latencies: latencies(t, ops, micros), Seconds: []int64{ops / 2, ops - ops/2},
		Processes: []load.Usage{
			{Role: "load", CPU: micro(10), Memory: 1 << 30, Written: 1 << 40},
			{Role: "member", Name: "m1", CPU: micro(40), Memory: 64 << 20, Written: 300 * ops,
				Over: over(32, 80, 64)},
			{Role: "member", Name: "m2", CPU: micro(50), Memory: 32 << 20, Written: 200 * ops,
				Over: over(16, 24, 32)},
		},
	}}
}

// alternating has three rounds of put and transfers at 1 and 64 callers, of cairn and etcd.
func alternating(t *testing.T) *File {
	t.Helper()
	f := &File{
		Format: Format, Began: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), Took: 90 * time.Second,
		Commit: "1a2b3c4", Machine: "2 cores, linux/amd64, go1.26.8", Command: "go run ./bench vs etcd",
		Sides: []Side{
			{Name: "cairn", Version: "1a2b3c4", Nodes: 3, Command: "bench drive", Procs: 2,
				Durability: "synced by a majority"},
			{Name: "etcd", Version: "3.7.3", Nodes: 3, Command: "peers --system etcd", Procs: 2,
				Durability: "synced by a majority"},
		},
		Pairs: []Pair{{Left: "transfer-two-optimistic", Right: "transfer-stm"}},
	}
	for round := 1; round <= 3; round++ {
		n := int64(round)
		for _, callers := range []int{1, 64} {
			r := put(callers)
			f.Samples = append(f.Samples,
				sample(t, "cairn", round, r, 3000*int64(callers)+100*n, 100*int64(callers)),
				sample(t, "etcd", round, r, 1000*int64(callers), 300*int64(callers)+n))
		}
		r := put(64)
		r.Workload = "transfer-two-optimistic"
		ours := sample(t, "cairn", round, r, 6000, 20_000)
		r.Workload = "transfer-stm"
		f.Samples = append(f.Samples, ours, sample(t, "etcd", round, r, 2000*n, 60_000))
	}
	return f
}
