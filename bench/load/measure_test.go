package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func run(callers int, rate float64) Run {
	return Run{Workload: "put", Callers: callers, Rate: rate, Warm: time.Second, Last: 2 * time.Second,
		Keys: 100, ValueBytes: 16}
}

// measured does an operation in a bubble, whose clock goes only when everyone waits.
func measured(t *testing.T, r Run, op Op) *Result {
	t.Helper()
	res, err := newMeasurement(r, op, until).measure(t.Context(), func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func until(at time.Time) error {
	<-time.After(time.Until(at))
	return nil
}

func takes(d time.Duration) Op {
	return func(ctx context.Context, _ *Caller) error { return pause(ctx, d) }
}

// stalls lasts a millisecond, but for what is on its way in the third second of all.
func stalls() Op {
	begin := time.Now()
	return func(ctx context.Context, _ *Caller) error {
		if at := time.Since(begin); at >= 2*time.Second && at < 2500*time.Millisecond {
			return pause(ctx, 2500*time.Millisecond-at)
		}
		return pause(ctx, time.Millisecond)
	}
}

func latency(t *testing.T, res *Result, percentile float64) time.Duration {
	t.Helper()
	h, err := res.Histogram()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := h.TotalCount(), res.Ops+res.Unfinished; got != want {
		t.Fatalf("%d latencies for %d operations and %d unfinished", got, res.Ops, res.Unfinished)
	}
	return time.Duration(h.ValueAtPercentile(percentile)) * time.Microsecond
}

func near(got, want time.Duration) bool {
	return got >= want*99/100 && got <= want*101/100
}

func TestClosedLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		res := measured(t, run(40, 0), takes(10*time.Millisecond))
		if want := []int64{4000, 4000}; res.Ops != 8000 || !slices.Equal(res.Seconds, want) {
			t.Errorf("%d operations, by the second %v; want %v", res.Ops, res.Seconds, want)
		}
		if p1, p99 := latency(t, res, 1), latency(t, res, 99); !near(p1, 10*time.Millisecond) || p1 != p99 {
			t.Errorf("p1 %v, p99 %v; all took 10 ms", p1, p99)
		}
		if res.Elapsed != 2*time.Second || res.Errors != 0 || res.Unfinished != 0 {
			t.Errorf("%+v", res)
		}
	})
}

func TestClosedLoopIsAskedLessInAStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		res := measured(t, run(2, 0), stalls())
		if res.Ops < 2990 || res.Ops > 3010 {
			t.Errorf("%d operations; two callers do 1000 each in a second, and nothing for half of one", res.Ops)
		}
		if p99, p100 := latency(t, res, 99), latency(t, res, 100); !near(p99, time.Millisecond) ||
			!near(p100, 500*time.Millisecond) {
			t.Errorf("p99 %v, maximum %v; only the two operations in the stall are slow", p99, p100)
		}
	})
}

// What is due in a stall waits for its end, although callers are too few to begin it.
func TestOpenLoopCountsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		res := measured(t, run(2, 1000), stalls())
		if res.Ops+res.Unfinished != 2001 || res.Unfinished > 2 {
			t.Errorf("%d operations, %d unfinished: 1000 are due in a second", res.Ops, res.Unfinished)
		}
		// Of 2000, 500 were due in the stall, one waiting 1 ms more than the next.
		if p50 := latency(t, res, 50); !near(p50, time.Millisecond) {
			t.Errorf("p50 %v, outside of the stall it is 1 ms", p50)
		}
		if p90 := latency(t, res, 90); p90 < 300*time.Millisecond || p90 > 450*time.Millisecond {
			t.Errorf("p90 %v; a tenth of all had to wait for more than 300 ms", p90)
		}
	})
}

func TestOpenLoopOverloaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		res := measured(t, run(1, 200), takes(10*time.Millisecond))
		if res.Ops != 200 || !slices.Equal(res.Seconds, []int64{100, 100}) {
			t.Errorf("%d operations, by the second %v; one caller can do 100", res.Ops, res.Seconds)
		}
		// 600 are due in three seconds. 300 are done, of which 99 in the warm-up.
		if res.Unfinished != 301 {
			t.Errorf("%d unfinished, want 301", res.Unfinished)
		}
		if last := latency(t, res, 100); last < 1450*time.Millisecond || last > 1550*time.Millisecond {
			t.Errorf("the longest waited for %v; half of three seconds is its due", last)
		}
	})
}

func TestErrorsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		res := measured(t, run(1, 0), func(ctx context.Context, c *Caller) error {
			if i := n.Add(1); i%4 == 0 {
				return errors.Join(pause(ctx, 50*time.Millisecond), fmt.Errorf("number %d", i))
			}
			return pause(ctx, 10*time.Millisecond)
		})
		// Four take 80 ms and a pause of 0.1 ms.
		if res.Ops != 75 || res.Errors != 25 || res.Seconds[0]+res.Seconds[1] != 75 {
			t.Errorf("%d operations, %d errors, by the second %v", res.Ops, res.Errors, res.Seconds)
		}
		if !strings.Contains(res.Error, "number 52") {
			t.Errorf("the first error is %q, want the first that counts: number 52", res.Error)
		}
		if p100 := latency(t, res, 100); !near(p100, 10*time.Millisecond) {
			t.Errorf("maximum %v; errors are not among the latencies", p100)
		}
	})
}

func TestAClosedLoopOfErrorsDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var calls, well atomic.Int64
		res := measured(t, run(1, 0), func(ctx context.Context, _ *Caller) error {
			calls.Add(1)
			if at := time.Since(begin); at < 2*time.Second {
				return errors.New("at once")
			}
			well.Add(1)
			return pause(ctx, time.Millisecond)
		})
		if n := calls.Load() - well.Load(); n < 200 || n > 210 {
			t.Errorf("%d errors in two seconds: a pause grows to %v", n, pauseMax)
		}
		if res.Ops < 985 { // the pause is over with the first that ends well
			t.Errorf("%d operations of a millisecond in the last second", res.Ops)
		}
	})
}

func TestSampleIsCalledEverySecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var at []time.Duration
		r := run(1, 0)
		r.Last += 300 * time.Millisecond
		_, err := newMeasurement(r, takes(7*time.Second), until).measure(t.Context(), func() error {
			at = append(at, time.Since(begin))
			return nil
		})
		want := []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 3300 * time.Millisecond}
		if err != nil || !slices.Equal(at, want) {
			t.Errorf("samples at %v, want %v (%v)", at, want, err)
		}
		if waited := time.Since(begin); waited != 7*time.Second {
			t.Errorf("it returned after %v, the last operation after 7 s", waited)
		}
	})
}

func TestHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tc := range []struct {
			name string
			op   Op
			want time.Duration
		}{
			{"a stall of half a second, in all callers", stalls(), 500 * time.Millisecond},
			{"nothing ends", takes(time.Hour), 2 * time.Second},
			{"nothing ends well", func(ctx context.Context, _ *Caller) error {
				return errors.Join(pause(ctx, time.Millisecond), errors.New("no leader"))
			}, 2 * time.Second},
			{"half of the time at the end", takes(2 * time.Second), time.Second},
		} {
			if res := measured(t, run(2, 0), tc.op); !near(res.Hole, tc.want) {
				t.Errorf("%s: %v, want %v", tc.name, res.Hole, tc.want)
			}
		}
	})
}

func TestAnOperationThatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		res := measured(t, run(3, 0), takes(time.Hour))
		if waited := time.Since(begin); waited != 3*time.Second+drainMax {
			t.Errorf("it returned after %v", waited)
		}
		if res.Ops != 0 || res.Errors != 0 {
			t.Errorf("%+v", res)
		}
	})
}

func TestAMeasurementEndsEarly(t *testing.T) {
	for _, rate := range []float64{0, 10} {
		synctest.Test(t, func(t *testing.T) {
			cause := errors.New("no such process")
			_, err := newMeasurement(run(3, rate), takes(5*time.Millisecond), until).
				measure(t.Context(), func() error { return cause })
			if !errors.Is(err, cause) {
				t.Errorf("sample's error is lost: %v", err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
			defer cancel()
			begin := time.Now()
			_, err = newMeasurement(run(3, rate), takes(time.Hour), until).
				measure(ctx, func() error { return nil })
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 1500*time.Millisecond {
				t.Errorf("after %v: %v", time.Since(begin), err)
			}
		})
	}
}

// What is given up after the end has not failed by itself.
func TestAMeasurementEndsWhileItWaitsForTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := newMeasurement(run(3, 0), takes(time.Hour), until).measure(ctx, func() error { return nil })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// On the real clock, with the kernel's timer: what an idle system is measured to take.
func TestMeasure(t *testing.T) {
	r := run(8, 500)
	r.Warm, r.Last = 50*time.Millisecond, 300*time.Millisecond
	var calls atomic.Int64
	res, err := Measure(t.Context(), r, func(context.Context, *Caller) error {
		calls.Add(1)
		return nil
	}, func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if n := calls.Load(); n > 175 || res.Ops+res.Unfinished < 150 || res.Ops > n {
		t.Errorf("%d calls, %d operations, %d unfinished: 175 are due, 150 count", n, res.Ops, res.Unfinished)
	}
	t.Logf("p50 %v, p99 %v of nothing", latency(t, res, 50), latency(t, res, 99))
	r.Callers = 0
	if _, err := Measure(t.Context(), r, nil, nil); err == nil {
		t.Error("a run without callers was measured")
	}
}

func TestResultSurvivesJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		res := measured(t, run(4, 300), takes(3*time.Millisecond))
		res.Processes = []Usage{{Role: "load", Name: "driver", CPU: time.Second, Memory: 1 << 20}}
		text, err := json.Marshal(res)
		if err != nil {
			t.Fatal(err)
		}
		var back Result
		if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(*res, back) {
			t.Errorf("%+v became %+v (%v)", *res, back, err)
		}
		if got := latency(t, &back, 50); !near(got, 3*time.Millisecond) {
			t.Errorf("p50 %v", got)
		}
		back.Latencies = back.Latencies[:20]
		if _, err := back.Histogram(); err == nil {
			t.Error("half a histogram was decoded")
		}
	})
}
