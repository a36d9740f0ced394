package load

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// drainMax is how long operations may take that have begun when the time is up. They are not
// given up at once: a system would have to clean up after them, and count that as the next run's.
const drainMax = 10 * time.Second

// The pause of a caller in a closed loop after an operation that failed, which doubles while they
// go on failing. Else those that fail at once would take the CPU that the system needs to recover.
const (
	pauseFirst = 100 * time.Microsecond
	pauseMax   = 10 * time.Millisecond
)

// Measure does an operation as a run says, and returns what came of it, but for System and
// Processes. It calls sample when what counts begins, every second since then, and when it has
// ended; operations are on their way then. It returns when the last operation has ended.
func Measure(ctx context.Context, r Run, op Op, sample func() error) (*Result, error) {
	if err := r.Validate(); err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	wait, err := newAlarm()
	if err != nil {
		return nil, err
	}
	defer wait.close()
	return newMeasurement(r, op, wait.until).measure(ctx, sample)
}

// measurement is one run.
type measurement struct {
	run       Run
	op        Op
	until     func(time.Time) error // waits: see alarm
	values    *values
	callers   []*Caller
	recorders []*recorder
	base      time.Time // when the run began; times are since then
	silence   *silence
	due       chan time.Duration // operations of an open loop that are due
	over      chan struct{}      // closed when no operation may begin any more
}

func newMeasurement(r Run, op Op, until func(time.Time) error) *measurement {
	m := &measurement{run: r, op: op, until: until, values: newValues(r), callers: callers(r),
		silence: newSilence(r),
		due:     make(chan time.Duration), over: make(chan struct{})}
	for range min(r.Callers, recordersMax) {
		m.recorders = append(m.recorders, newRecorder(r))
	}
	return m
}

func (m *measurement) now() time.Duration { return time.Since(m.base) }

func (m *measurement) measure(ctx context.Context, sample func() error) (*Result, error) {
	working, giveUp := context.WithCancel(ctx)
	defer giveUp()
	var tasks sync.WaitGroup
	var pacing error
	m.base = time.Now()
	for _, c := range m.callers {
		if m.run.Rate > 0 {
			tasks.Go(func() { m.open(working, c) })
		} else {
			tasks.Go(func() { m.closed(working, c) })
		}
	}
	if m.run.Rate > 0 {
		tasks.Go(func() { pacing = m.pace(working) })
	}
	err := m.samples(ctx, sample)
	close(m.over)
	if err != nil {
		giveUp()
	}
	drain := time.AfterFunc(drainMax, giveUp)
	defer drain.Stop()
	tasks.Wait()
	if err == nil {
		err = pacing
	}
	if err == nil {
		err = ctx.Err() // else what was given up would look like the system's errors
	}
	if err != nil {
		return nil, fmt.Errorf("measuring %s: %w", m.run.Workload, err)
	}
	res, err := merge(m.run, m.recorders)
	if err == nil {
		res.Hole = m.silence.longest()
	}
	return res, err
}

const sampleEvery = time.Second

// samples waits for the time that counts to begin and to end.
func (m *measurement) samples(ctx context.Context, sample func() error) error {
	for at := m.run.Warm; ; at = min(at+sampleEvery, end(m.run)) {
		if err := pause(ctx, at-m.now()); err != nil {
			return err
		}
		if err := sample(); err != nil || at == end(m.run) {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// closed does one operation after the other, and pauses after those that fail: see pauseMax.
func (m *measurement) closed(ctx context.Context, c *Caller) {
	rest := time.Duration(0)
	for began := m.now(); began < end(m.run) && ctx.Err() == nil; {
		err := m.do(ctx, c)
		ended := m.now()
		m.ended(c, began, ended, err)
		began = ended
		if err == nil {
			rest = 0
			continue
		}
		rest = min(max(2*rest, pauseFirst), pauseMax)
		_ = pause(ctx, rest) // an end of ctx ends the loop
		began = m.now()
	}
}

// open does operations that are due.
func (m *measurement) open(ctx context.Context, c *Caller) {
	for began := range m.due {
		err := m.do(ctx, c)
		m.ended(c, began, m.now(), err)
	}
}

func (m *measurement) ended(c *Caller, began, ended time.Duration, err error) {
	m.recorder(c.ID).ended(began, ended, err)
	if err == nil {
		m.silence.ended(ended)
	}
}

func (m *measurement) do(ctx context.Context, c *Caller) error {
	c.Value = m.values.next(c.Rand)
	return m.op(ctx, c)
}

func (m *measurement) recorder(caller int) *recorder {
	return m.recorders[caller%len(m.recorders)]
}
