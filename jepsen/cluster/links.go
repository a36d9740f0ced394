//go:build unix

package cluster

import (
	"errors"
	"sync"
	"time"
)

// Cut drops what from sends to to from now on, whoever dialled: nothing passes once it returns.
func (c *Cluster) Cut(from, to Node) { c.links.cut(pair{from, to}) }

// Slow lets each piece of what from sends to to take delay, and up to jitter more; none overtakes
// another. It does not slow down how connections are opened.
func (c *Cluster) Slow(from, to Node, delay, jitter time.Duration) {
	c.links.slow(pair{from, to}, delay, jitter)
}

// Mend undoes Cut and Slow. Connections that have lost something end, once both ways are whole.
func (c *Cluster) Mend(from, to Node) { c.links.mend(pair{from, to}) }

// MendAll mends every link.
func (c *Cluster) MendAll() { c.links.mendAll() }

// LinkState is what a link has done so far.
type LinkState struct {
	Passed, Dropped int64 // bytes
	Delayed         int64 // pieces
	Ends            int64 // of streams, that were lost; with namespaces they are packets
	// Dials are attempts to open a connection that have got no answer since it is cut; each time
	// that one was sent again counts. Linux counts them; with namespaces they are packets.
	Dials int64
}

// pair of nodes: what is said of it is about what from does to to.
type pair struct{ from, to Node }

func (p pair) reverse() pair { return pair{p.to, p.from} }

// links are all ways and doors of a cluster.
type links struct {
	mu    sync.Mutex
	ways  map[pair]*way
	doors map[pair]*door // by who dials whom
	up    map[Node]bool  // who listens
	errs  []error        // of doors that do not do as they should
}

func newLinks() *links {
	return &links{ways: make(map[pair]*way), doors: make(map[pair]*door), up: make(map[Node]bool)}
}

// way is that of a pair. There is one for any two nodes, whether they talk or not.
func (l *links) way(p pair) *way {
	if l.ways[p] == nil {
		l.ways[p] = new(way)
	}
	return l.ways[p]
}

// build makes the door through which p.from dials p.to, which listens at target.
func (l *links) build(p pair, target string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, err := newDoor(target, l.way(p), l.way(p.reverse()))
	if err == nil {
		l.doors[p] = d
	}
	return err
}

// address is what p.from dials to reach p.to.
func (l *links) address(p pair) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.doors[p].address
}

// listens is told whether a process does.
func (l *links) listens(n Node, up bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up[n] = up
	for p := range l.doors {
		if p.to == n {
			l.adjust(p)
		}
	}
}

// adjust makes the door of a pair, if there is one, behave as the world now is.
func (l *links) adjust(p pair) {
	d := l.doors[p]
	if d == nil {
		return
	}
	state := opens
	switch {
	case d.there.cut.Load() || d.back.cut.Load():
		state = hangs
	case !l.up[p.to]:
		state = refuses
	}
	if err := d.set(state); err != nil {
		l.errs = append(l.errs, err)
	}
}

// change does something to a way, and lets the doors that it leads through follow.
func (l *links) change(p pair, do func(*way)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count(p)
	do(l.way(p))
	for _, side := range []pair{p, p.reverse()} {
		l.adjust(side)
		if d := l.doors[side]; d != nil {
			d.mended()
		}
	}
}

func (l *links) cut(p pair) {
	l.change(p, func(w *way) {
		w.cut.Store(true)
		l.until(p, time.Now()) // who does not take what is being passed on does not hold us up
		w.quiet()
	})
}

// until is when a piece must have been passed on over a way; zero: whenever it can be.
func (l *links) until(p pair, at time.Time) {
	for _, side := range []pair{p, p.reverse()} {
		if d := l.doors[side]; d != nil {
			d.until(l.way(p), at)
		}
	}
}

// count takes note of who has dialled in vain.
func (l *links) count(p pair) {
	for _, side := range []pair{p, p.reverse()} {
		if d := l.doors[side]; d != nil {
			d.count()
		}
	}
}

func (l *links) slow(p pair, delay, jitter time.Duration) {
	l.change(p, func(w *way) { w.slow(delay, jitter) })
}

func (l *links) mend(p pair) {
	l.change(p, func(w *way) {
		l.until(p, time.Time{})
		w.cut.Store(false)
		w.slow(0, 0)
	})
}

// mendAll mends one way after the other. A connection that has lost something ends when both of its
// ways are whole.
func (l *links) mendAll() {
	l.mu.Lock()
	pairs := make([]pair, 0, len(l.ways))
	for p := range l.ways {
		pairs = append(pairs, p)
	}
	l.mu.Unlock()
	for _, p := range pairs {
		l.mend(p)
	}
}

func (l *links) state(p pair) LinkState {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count(p)
	return l.way(p).state()
}

// close ends all connections, and returns when nothing of the links is left.
func (l *links) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.doors {
		l.errs = append(l.errs, d.close())
	}
	return errors.Join(l.errs...)
}
