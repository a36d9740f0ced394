package coordinator

import "sync/atomic"

// progress is what others than its owner may know of an open transaction.
type progress struct {
	read, written atomic.Int64
	waits         atomic.Bool
}

func (p *progress) set(t *Txn) {
	p.read.Store(int64(t.view.shown + t.view.scanned))
	p.written.Store(int64(len(t.buffer.Writes())))
}

// Progress is how far the transaction is: the keys that it has been shown and
// those that it will write, and whether it waits for a lock now. Unlike
// everything else of a Txn it may be called at any time.
func (t *Txn) Progress() (read, written int, waits bool) {
	p := &t.progress
	return int(p.read.Load()), int(p.written.Load()), p.waits.Load()
}

// Isolation is that of Begin.
func (t *Txn) Isolation() Isolation { return t.isolation }

// ReadOnly reports whether the transaction refuses writes.
func (t *Txn) ReadOnly() bool { return t.readOnly }
