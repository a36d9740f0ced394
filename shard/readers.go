package shard

import (
	"sync"

	"github.com/cairnkv/cairn/mvcc"
)

// idleReadersMax is how many readers wait for the next read; more are closed.
const idleReadersMax = 64

// reader reads the whole shard as one batch has left it.
type reader struct {
	*mvcc.Reader
	it    mvcc.Iterator
	batch uint64 // see Replica.mu
}

// readers are those that no read has: to open an iterator costs as much as to find a
// key by it, and until something is applied the next read needs the same. They hold
// files and memtables, so none idles for longer than a tick.
type readers struct {
	mu     sync.Mutex
	idle   []*reader
	batch  uint64 // of all that are idle
	closed bool
}

// take is an idle reader of a batch; nil if there is none.
func (s *readers) take(batch uint64) *reader {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.idle)
	if n == 0 || s.batch != batch {
		return nil
	}
	rd := s.idle[n-1]
	s.idle = s.idle[:n-1]
	return rd
}

// put takes a reader back, unless it is of no use any more.
func (s *readers) put(rd *reader) {
	s.mu.Lock()
	keep := !s.closed && len(s.idle) < idleReadersMax && s.batch == rd.batch &&
		rd.it.Error() == nil
	if keep {
		s.idle = append(s.idle, rd)
	}
	s.mu.Unlock()
	if !keep {
		_ = rd.it.Close()
	}
}

// drop closes all that are idle; from now on those of batch are kept.
func (s *readers) drop(batch uint64) {
	s.mu.Lock()
	idle := s.idle
	s.idle, s.batch = nil, batch
	s.mu.Unlock()
	for _, rd := range idle {
		_ = rd.it.Close()
	}
}

// close is drop, for good.
func (s *readers) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.drop(0)
}

// openReader is a reader of what is applied now; r.mu must be held.
func (r *Replica) openReader() (*reader, error) {
	if rd := r.readers.take(r.mu.batch); rd != nil {
		return rd, nil
	}
	it, err := r.openIter()
	if err != nil {
		return nil, err
	}
	return &reader{mvcc.NewReader(it, nil), it, r.mu.batch}, nil
}

// openIter shows all versions of the shard.
func (r *Replica) openIter() (mvcc.Iterator, error) {
	lower, upper := mvcc.DataBounds(r.o.Route.Span)
	return r.o.State.NewIter(mvcc.IterOptions{Lower: lower, Upper: upper})
}
