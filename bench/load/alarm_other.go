//go:build !linux

package load

import "time"

// alarm wakes a goroutine at a moment, as exactly as the runtime's timers do.
type alarm struct{}

func newAlarm() (*alarm, error) { return &alarm{}, nil }

func (a *alarm) until(at time.Time) error {
	<-time.After(time.Until(at))
	return nil
}

func (a *alarm) close() {}
