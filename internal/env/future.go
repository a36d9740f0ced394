package env

import "sync"

// Future is an event that happens once. The zero Future has not happened.
type Future struct {
	mu       sync.Mutex
	done     bool
	wakes    []func()
	happened chan struct{} // for those who wait on channels; nil: nobody yet
}

// Resolve makes it happen; later calls do nothing. It never blocks.
func (f *Future) Resolve() {
	f.mu.Lock()
	wakes := f.wakes
	if f.happened != nil && !f.done {
		close(f.happened)
	}
	f.done, f.wakes = true, nil
	f.mu.Unlock()
	for _, wake := range wakes {
		wake()
	}
}

// Done reports whether it has happened.
func (f *Future) Done() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.done
}

// wait is a channel that is closed when it happens, the same for all who wait; nil if it has.
func (f *Future) wait() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done {
		return nil
	}
	if f.happened == nil {
		f.happened = make(chan struct{})
	}
	return f.happened
}

// OnDone calls wake once when it happens: now, if it has. An Env uses it to
// wait; wake must not block.
func (f *Future) OnDone(wake func()) {
	f.mu.Lock()
	if !f.done {
		f.wakes = append(f.wakes, wake)
		f.mu.Unlock()
		return
	}
	f.mu.Unlock()
	wake()
}
