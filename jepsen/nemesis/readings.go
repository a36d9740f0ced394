//go:build unix

package nemesis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cairnkv/cairn/internal/fault"
	"github.com/cairnkv/cairn/jepsen/cluster"
)

const (
	// wallSlack is how far a wall clock may be from what it was set to: who is asked may be late.
	wallSlack = time.Second
	// runSlack is what clocks are told in, and what two of a right machine may differ by.
	runSlack = time.Millisecond
	// runs is how long a clock is looked at whose process has just been started.
	runs = time.Second
)

// reading is what the clocks of a process showed, at some time from one moment of ours to another.
type reading struct {
	fault.State
	from, to time.Time
}

// read tells a process something, and reads its clocks after that.
func read(
	ctx context.Context, c *cluster.Cluster, n cluster.Node, do fault.Command,
) (r reading, err error) {
	r.from = time.Now()
	r.State, err = c.Command(ctx, n, do)
	r.to = time.Now()
	return r, err
}

// shows says what is wrong with a clock that was set just now.
func (r reading) shows(set fault.Clock) error {
	if r.Clock != set {
		return fmt.Errorf("it was told %+v and has %+v", set, r.Clock)
	}
	ahead := time.Duration(r.WallMicros-r.to.UnixMicro()) * time.Microsecond
	want := time.Duration(set.OffsetMicros) * time.Microsecond
	if (ahead - want).Abs() > wallSlack {
		return fmt.Errorf("it is %v ahead, and was set to be %v", ahead, want)
	}
	return nil
}

// ran says whether no right clock could have gone on like that from one reading to another. It is
// an error if none that goes as this one should could have either.
func ran(from, to reading) (wrong bool, err error) {
	least, most := to.from.Sub(from.to), to.to.Sub(from.from)
	gone := time.Duration(to.NowMicros-from.NowMicros) * time.Microsecond
	if !between(gone, least, most, from.Clock.Rate) {
		return false, fmt.Errorf("at the rate %v it went on by %v in %v to %v",
			from.Clock.Rate, gone, least, most)
	}
	return !between(gone, least, most, 1), nil
}

func between(gone, least, most time.Duration, rate float64) bool {
	return float64(gone+runSlack) >= float64(least)*rate &&
		float64(gone-runSlack) <= float64(most)*rate
}

// readings are those of many processes, whose clocks were set so.
type readings struct {
	c    *cluster.Cluster
	set  map[cluster.Node]fault.Clock
	last map[cluster.Node]reading
}

// proof says how the clocks went, of the processes that run now.
func (a *readings) proof(ctx context.Context) (string, error) {
	fresh, err := a.renew(ctx)
	if err == nil && fresh {
		cluster.Sleep(ctx, runs)
	}
	seen, wrong, odd := 0, 0, 0
	for n, was := range a.last { // order: each on its own
		r, readErr := read(ctx, a.c, n, fault.Command{})
		if errors.Is(readErr, cluster.ErrDown) || readErr == nil && r.Pid != was.Pid {
			continue
		}
		var now bool
		if readErr == nil {
			now, readErr = ran(was, r)
		}
		if readErr != nil {
			err = errors.Join(err, fmt.Errorf("the clock of %s: %w", n, readErr))
		}
		seen++
		if now {
			wrong++
		}
		if rate := a.set[n].Rate; rate != 1 {
			odd++
		}
	}
	switch {
	case err != nil:
		return "", err
	case seen == 0:
		return "", errors.New("no process was left whose clock could be read")
	case odd > 0 && wrong == 0:
		return "", fmt.Errorf("of %d clocks none went otherwise than a right one", odd)
	case odd > 0:
		return fmt.Sprintf("%d of %d clocks went as no right one does, each at its rate",
			wrong, seen), nil
	}
	return fmt.Sprintf("each showed what it was set to, and %d went on from there", seen), nil
}

// renew reads the clocks of processes that were started since; they have what was set.
func (a *readings) renew(ctx context.Context) (fresh bool, err error) {
	var errs []error
	for n, set := range a.set { // order: each on its own
		r, err := read(ctx, a.c, n, fault.Command{})
		was, known := a.last[n]
		switch {
		case errors.Is(err, cluster.ErrDown):
		case err != nil:
			errs = append(errs, fmt.Errorf("the clock of %s: %w", n, err))
		case r.Clock != set:
			errs = append(errs, fmt.Errorf("the clock of %s: set to %+v, and after a start %+v",
				n, set, r.Clock))
		case !known || was.Pid != r.Pid:
			a.last[n], fresh = r, true
		}
	}
	return fresh, errors.Join(errs...)
}
