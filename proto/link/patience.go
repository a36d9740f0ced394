package link

import (
	"context"
	"time"
)

// patientContext bounds the calls made with it, and nothing else: its Done is its parent's.
type patientContext struct {
	context.Context
	until time.Time
}

type patienceKey struct{}

// WithPatience is a context with which a Call ends after d, or up to patienceStep later, as if it
// were done. That costs no timer for each call, and the handler's deadline is not until then.
func WithPatience(ctx context.Context, d time.Duration) context.Context {
	return &patientContext{ctx, time.Now().Add(d)}
}

// Value implements context.Context.
func (p *patientContext) Value(key any) any {
	if key == (patienceKey{}) {
		return p
	}
	return p.Context.Value(key)
}

// Err implements context.Context.
func (p *patientContext) Err() error {
	if err := p.Context.Err(); err != nil {
		return err
	}
	if time.Now().Before(p.until) {
		return nil
	}
	return context.DeadlineExceeded
}

// patient is until when a call waits that is made with ctx; zero: as long as ctx says.
func patient(ctx context.Context) time.Time {
	if p, ok := ctx.Value(patienceKey{}).(*patientContext); ok {
		return p.until
	}
	return time.Time{}
}

// watch sees to it that expire looks at p. The caller holds the lock.
func (s *session) watch(p *pending) {
	if !p.until.IsZero() && !s.watching {
		s.watching = true
		time.AfterFunc(patienceStep, s.expire)
	}
}

// expire gives up the calls whose patience is over, and comes again if there are more.
func (s *session) expire() {
	s.mu.Lock()
	defer s.unlock()
	s.watching = false
	now := time.Now()
	for _, p := range s.open { // order: each on its own
		switch {
		case p.until.IsZero() || p.left:
		case now.Before(p.until):
			s.watch(p)
		default:
			s.tell(p, outcome{err: s.leave(p, context.DeadlineExceeded)})
		}
	}
}
