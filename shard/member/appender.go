package member

import (
	"runtime"
	"sync"

	"github.com/cairnkv/cairn/shard"
)

// appender writes the logs of all replicas: whatever has queued while the last
// batch was synced goes into the next, with one sync. A replica has at most
// one append outstanding, which bounds the queue.
type appender struct {
	m     *Member
	times syncTimes
	mu    struct {
		sync.Mutex
		queue   []appending
		batch   uint64    // how many there were
		writing bool      // the last one
		held    []*hosted // that wait for it
	}
	signal chan struct{} // of one place
}

type appending struct {
	to *hosted
	a  *shard.Append
}

func newAppender(m *Member) *appender { return &appender{m: m, signal: make(chan struct{}, 1)} }

// put queues what a pass of a worker came to: together, so that one sync serves all of it.
func (p *appender) put(all []appending) {
	if len(all) == 0 {
		return
	}
	p.mu.Lock()
	p.mu.queue = append(p.mu.queue, all...)
	p.mu.Unlock()
	p.wake()
}

// hold reports whether a batch is being written. When it is done h's effects are taken again: an
// entry could not be written before that anyway, and so it carries all that comes meanwhile. It
// waits for one batch only: others may have filled the next by then, and the one after that.
func (p *appender) hold(h *hosted) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.mu.writing, h.waits != 0 && h.waits != p.mu.batch:
		h.waits = 0
		return false
	case h.waits == 0:
		h.waits = p.mu.batch
		p.mu.held = append(p.mu.held, h)
	}
	return true
}

func (p *appender) wake() {
	select {
	case p.signal <- struct{}{}:
	default:
	}
}

func (p *appender) run() {
	var queue []appending
	var held []*hosted
	for {
		select {
		case <-p.signal:
		case <-p.m.stop:
			return
		case <-p.m.failed:
			return
		}
		runtime.Gosched() // whoever can run now may be about to put something
		p.mu.Lock()
		queue, p.mu.queue = p.mu.queue, queue[:0]
		if p.mu.writing = len(queue) > 0; p.mu.writing {
			p.mu.batch++
		}
		p.mu.Unlock()
		if len(queue) == 0 {
			continue
		}
		if err := p.write(queue); err != nil {
			p.m.fail(err)
			return
		}
		p.mu.Lock()
		held, p.mu.held = p.mu.held, held[:0]
		p.mu.writing = false
		p.mu.Unlock()
		for _, q := range queue {
			q.to.worker.post(q.to, shard.Appended{})
		}
		for _, h := range held {
			h.worker.post(h, nil)
		}
		clear(queue)
		clear(held)
	}
}

func (p *appender) write(queue []appending) error {
	b := p.m.log.NewBatch()
	defer b.Close()
	sync := false
	for _, q := range queue {
		q.a.WriteTo(b)
		sync = sync || q.a.Sync
	}
	if !sync {
		return b.Commit(false)
	}
	began := p.m.o.Env.Now()
	err := b.Commit(true)
	p.times.note(p.m.o.Env.Now() - began)
	return err
}
