package history

import (
	"encoding/json"
	"io"
	"sync"
	"time"
)

// Recorder writes a history while it happens. Its methods are safe for
// concurrent use; the order of its lines is that of the calls.
type Recorder struct {
	began time.Time

	mu     sync.Mutex
	out    io.Writer
	events []Event
	next   int // process
	err    error
}

// NewRecorder begins a history on out.
func NewRecorder(out io.Writer) *Recorder { return &Recorder{began: time.Now(), out: out} }

// Process is one that has not been used.
func (r *Recorder) Process() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	return r.next - 1
}

// Add writes an event and dates it. Call it for an invocation before anything is
// sent, and for an end after all of the answer is there. The caller must not
// change e.Value any more.
func (r *Recorder) Add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Time = int64(time.Since(r.began))
	if e.F == "" {
		e.F = "txn"
	}
	r.events = append(r.events, e)
	line, err := json.Marshal(e)
	if err == nil {
		_, err = r.out.Write(append(line, '\n'))
	}
	if r.err == nil {
		r.err = err
	}
}

// Now is how long ago the history began: the clock of its events.
func (r *Recorder) Now() time.Duration { return time.Since(r.began) }

// Events are all so far, and the first error of writing them.
func (r *Recorder) Events() ([]Event, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[:len(r.events):len(r.events)], r.err
}
