package load

import (
	"context"
	"time"
)

// coarse is how long before an operation is due the pace is no longer kept by the runtime's
// timers: they are up to a millisecond late in a process that has nothing else to do.
const coarse = 2 * time.Millisecond

// pace hands out the operations of an open loop when they are due, and later if no caller is
// free: what is due never depends on the system. What was not begun is late.
func (m *measurement) pace(ctx context.Context) error {
	defer close(m.due)
	for i := 0; ; i++ {
		due := m.intended(i)
		if due >= end(m.run) {
			return nil
		}
		if err := m.await(ctx, due); err != nil {
			return err
		}
		select {
		case m.due <- due:
		case <-m.over:
			m.remaining(i)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// intended is when an operation is due: they are evenly spaced.
func (m *measurement) intended(i int) time.Duration {
	return time.Duration(float64(i) / m.run.Rate * float64(time.Second))
}

func (m *measurement) await(ctx context.Context, due time.Duration) error {
	if ahead := due - m.now(); ahead > coarse {
		if err := pause(ctx, ahead-coarse); err != nil {
			return err
		}
	}
	if m.now() >= due {
		return nil
	}
	return m.until(m.base.Add(due))
}

// remaining records all operations from one that was due and that no caller has begun.
func (m *measurement) remaining(from int) {
	r := m.recorder(0)
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := from; m.intended(i) < end(m.run); i++ {
		r.late(m.intended(i))
	}
}
