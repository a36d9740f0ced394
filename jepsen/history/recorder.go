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
	// written is how many of events are complete and in out; what is held is not, nor
	// is what came after it.
	written int
	held    map[int]bool // by place
	next    int          // process
	ok      int
	err     error
}

// NewRecorder begins a history on out.
func NewRecorder(out io.Writer) *Recorder {
	return &Recorder{began: time.Now(), out: out, held: map[int]bool{}}
}

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
	r.place(e)
	r.write()
}

// Hold is Add for an end of which the timestamp is found out afterwards: the event has its
// place and time now, and is written, with all that come later, once settle has been called.
func (r *Recorder) Hold(e Event) (settle func(ts uint64)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.place(e)
	r.held[at] = true
	return func(ts uint64) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events[at].TS = ts
		delete(r.held, at)
		r.write()
	}
}

// place dates e and puts it behind all others.
func (r *Recorder) place(e Event) (at int) {
	e.Time = int64(time.Since(r.began))
	if e.F == "" {
		e.F = "txn"
	}
	if e.Type == OK {
		r.ok++
	}
	r.events = append(r.events, e)
	return len(r.events) - 1
}

// write writes up to the first event that is held.
func (r *Recorder) write() {
	for ; r.written < len(r.events) && !r.held[r.written]; r.written++ {
		line, err := json.Marshal(r.events[r.written])
		if err == nil {
			_, err = r.out.Write(append(line, '\n'))
		}
		if r.err == nil {
			r.err = err
		}
	}
}

// Now is how long ago the history began: the clock of its events.
func (r *Recorder) Now() time.Duration { return time.Since(r.began) }

// OK is how many operations have ended well.
func (r *Recorder) OK() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ok
}

// Events are all that are written so far, and the first error of writing them.
func (r *Recorder) Events() ([]Event, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[:r.written:r.written], r.err
}
