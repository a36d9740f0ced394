package fault_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cairnkv/cairn/internal/fault"
)

func TestDriftReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, began := fault.NewDrift(), time.Now()
		want := func(now, wall time.Duration) {
			t.Helper()
			if got := d.Now(); got != now {
				t.Errorf("Now is %v, want %v", got, now)
			}
			if got := time.Duration(d.Wall()-time.Now().UnixMicro()) * time.Microsecond; got != wall {
				t.Errorf("Wall is %v ahead, want %v", got, wall)
			}
		}
		wait := func(s float64) { <-time.After(time.Duration(s * float64(time.Second))) }
		want(0, 0)
		wait(10)
		want(10*time.Second, 0)
		d.Set(fault.Clock{OffsetMicros: 5_000_000})
		want(10*time.Second, 5*time.Second) // Wall jumps, Now does not
		d.Set(fault.Clock{OffsetMicros: -2_000_000, Rate: 1.5})
		want(10*time.Second, -2*time.Second)
		wait(10)
		want(25*time.Second, 3*time.Second) // both run ahead
		d.Set(fault.Clock{Rate: 0.5})
		want(25*time.Second, 0)
		wait(10)
		want(30*time.Second, -5*time.Second)
		d.Set(fault.Clock{})
		want(30*time.Second, 0)
		wait(10)
		want(40*time.Second, 0)
		if got := time.Since(began); got != 40*time.Second {
			t.Errorf("it took %v", got)
		}
	})
}

func TestDriftTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name       string
			begin, set float64 // rates, the second after one second of the machine
			after      time.Duration
			want       time.Duration // of the machine
		}{
			{"right", 1, 1, 2 * time.Second, 2 * time.Second},
			{"fast", 2, 2, 4 * time.Second, 2 * time.Second},
			{"slow", 0.5, 0.5, time.Second, 2 * time.Second},
			{"made fast", 1, 2, 3 * time.Second, 2 * time.Second},
			{"made slow", 1, 0.5, 2 * time.Second, 3 * time.Second},
			{"at once", 1, 1, 0, 0},
			{"long ago", 1, 1, -time.Second, 0},
		} {
			d := fault.NewDrift()
			d.Set(fault.Clock{Rate: c.begin})
			timer, began := d.NewTimer(c.after), time.Now()
			change := time.AfterFunc(time.Second, func() { d.Set(fault.Clock{Rate: c.set}) })
			<-timer.C
			change.Stop()
			if took := (time.Since(began)).Round(time.Microsecond); took != c.want {
				t.Errorf("%s: it fired after %v, want %v", c.name, took, c.want)
			}
			if timer.Stop() {
				t.Errorf("%s: Stop says that it had not fired", c.name)
			}
		}
	})
}

func TestDriftTimerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fault.NewDrift()
		timer := d.NewTimer(time.Second)
		if !timer.Stop() || timer.Stop() {
			t.Error("Stop is wrong about a timer that waits")
		}
		d.Set(fault.Clock{Rate: 10})
		select {
		case <-timer.C:
			t.Error("it fired")
		case <-time.After(time.Minute):
		}
	})
}

// However often it is set, whoever reads it twice reads no less.
func TestDriftNeverGoesBack(t *testing.T) {
	d := fault.NewDrift()
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for last := time.Duration(0); ; {
				now := d.Now()
				if now < last {
					t.Errorf("%v after %v", now, last)
					return
				}
				last = now
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for i := range 20_000 {
		d.Set(fault.Clock{OffsetMicros: int64(i), Rate: []float64{0.1, 10, 1}[i%3]})
	}
	close(stop)
	readers.Wait()
}
