package link

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// BenchmarkCall prints what a call costs both sides together, in CPU time of this process, which
// is the generator of load too.
func BenchmarkCall(b *testing.B) {
	for _, callers := range []int{1, 64, 256} {
		for _, limit := range []time.Duration{0, time.Minute} {
			b.Run(fmt.Sprintf("callers=%d/limit=%v", callers, limit), func(b *testing.B) {
				benchCall(b, callers, limit)
			})
		}
	}
}

func benchCall(b *testing.B, callers int, limit time.Duration) {
	_, url := serveAt(b, echo, ServerOptions{})
	c := dial(b, url, Options{})
	payload := make([]byte, 300)
	if _, err := c.Call(b.Context(), 1, payload); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetParallelism((callers + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	before := cpuTime(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			ctx, cancel := b.Context(), context.CancelFunc(func() {})
			if limit > 0 {
				ctx, cancel = context.WithTimeout(ctx, limit)
			}
			if _, err := c.Call(ctx, 1, payload); err != nil {
				b.Error(err)
			}
			cancel()
		}
	})
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// BenchmarkPost prints what a posted message costs both sides together, from where it is posted to
// where it arrives. At most 64 are under way.
func BenchmarkPost(b *testing.B) {
	for _, size := range []int{32, 4 << 10} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) { benchPost(b, size) })
	}
}

func benchPost(b *testing.B, size int) {
	const ahead = 64
	room := make(chan struct{}, ahead)
	_, url := serveAt(b, echo, ServerOptions{Posted: func(Identity, uint8, []byte) { <-room }})
	c := dial(b, url, Options{})
	met(b, c)
	payload := make([]byte, size)
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	for b.Loop() {
		room <- struct{}{}
		if err := c.Post(1, payload); err != nil {
			b.Fatal(err)
		}
	}
	for range ahead { // all have arrived
		room <- struct{}{}
	}
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
