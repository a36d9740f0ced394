package member

import (
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
		queue []appending
	}
	signal chan struct{} // of one place
}

type appending struct {
	to *hosted
	a  *shard.Append
}

func newAppender(m *Member) *appender { return &appender{m: m, signal: make(chan struct{}, 1)} }

func (p *appender) put(to *hosted, a *shard.Append) {
	p.mu.Lock()
	p.mu.queue = append(p.mu.queue, appending{to, a})
	p.mu.Unlock()
	p.wake()
}

func (p *appender) wake() {
	select {
	case p.signal <- struct{}{}:
	default:
	}
}

func (p *appender) run() {
	var queue []appending
	for {
		select {
		case <-p.signal:
		case <-p.m.stop:
			return
		case <-p.m.failed:
			return
		}
		p.mu.Lock()
		queue, p.mu.queue = p.mu.queue, queue[:0]
		p.mu.Unlock()
		if len(queue) == 0 {
			continue
		}
		if err := p.write(queue); err != nil {
			p.m.fail(err)
			return
		}
		for _, q := range queue {
			q.to.worker.post(q.to, shard.Appended{})
		}
		clear(queue)
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
