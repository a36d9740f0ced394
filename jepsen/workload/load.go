package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/jepsen/history"
)

const (
	initialPause = 100 * time.Millisecond // before another attempt to write what there is at first
	finalPause   = 200 * time.Millisecond // before another attempt of a final read
)

// Load is a workload that runs.
type Load struct {
	o       Options
	source  source
	ctx     context.Context // of all calls
	stopped chan struct{}   // no new operations
	stop    func()
	running sync.WaitGroup
	workers []*worker
}

// Start writes what the workload needs and lets its clients go, until Stop or
// the end of ctx, which ends calls under way, too. There must be nothing of an
// earlier load of its kind.
func Start(ctx context.Context, w Workload, o Options) (*Load, error) {
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("workload %s: %w", w.Name, err)
	}
	l := &Load{o: o, source: w.begin(o.Clients), ctx: ctx, stopped: make(chan struct{})}
	l.stop = sync.OnceFunc(func() { close(l.stopped) })
	if err := l.furnish(ctx); err != nil {
		return nil, fmt.Errorf("workload %s: cannot write what it begins with: %w", w.Name, err)
	}
	for i := range o.Clients {
		c, err := newWorker(l, i)
		if err != nil {
			l.close()
			return nil, err
		}
		l.workers = append(l.workers, c)
	}
	for _, c := range l.workers {
		l.running.Go(c.run)
	}
	return l, nil
}

// furnish writes what there is at first, once.
func (l *Load) furnish(ctx context.Context) error {
	layout, mops := l.source.initial()
	if len(mops) == 0 {
		return nil
	}
	p := client.Program{If: client.KeyMissing(layout.store(mops[0].Key))}
	for _, m := range mops {
		p.Then = append(p.Then,
			client.SetOp(layout.store(m.Key), client.IntValue(m.N), client.SetOptions{}))
	}
	for attempt := 0; ; attempt++ {
		out, err := l.program(ctx, l.o.Endpoints[attempt%len(l.o.Endpoints)], p)
		switch {
		case err == nil && !out.Succeeded && attempt == 0:
			return fmt.Errorf("there is %q already: it needs a cluster without it", mops[0].Key)
		case err == nil: // if not by this attempt by one before
			l.o.Recorder.Add(history.Event{Type: history.OK, F: history.Init, Value: mops,
				Process: l.o.Recorder.Process(), TS: uint64(out.CommitTS)})
			return nil
		case pause(ctx, initialPause) != nil:
			return err
		}
	}
}

func (l *Load) program(
	ctx context.Context, endpoint string, p client.Program,
) (client.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, l.o.CallMax)
	defer cancel()
	db, err := client.Dial(endpoint)
	if err != nil {
		return client.Outcome{}, err
	}
	defer db.Close()
	return db.Execute(ctx, p)
}

// Stop lets no new operation begin and waits for those under way, which is as
// long as one may take. A second one does nothing.
func (l *Load) Stop() {
	l.stop()
	l.running.Wait()
	l.close()
}

func (l *Load) close() {
	for _, c := range l.workers {
		c.route.close()
	}
}

// Final stops the load, then reads everything through every gateway, again and
// again until that works or ctx ends.
func (l *Load) Final(ctx context.Context) error {
	l.Stop()
	plans := l.source.final()
	for i, endpoint := range l.o.Endpoints {
		if err := l.readAll(ctx, plans, endpoint, i); err != nil {
			return fmt.Errorf("final reads by %s: %w", endpoint, err)
		}
	}
	return nil
}

func (l *Load) readAll(ctx context.Context, plans []*plan, endpoint string, i int) error {
	r, err := newRoute([]string{endpoint}, 0)
	if err != nil {
		return err
	}
	defer r.close()
	c := &worker{load: l, route: r, gateway: fmt.Sprint("g", i+1), process: l.o.Recorder.Process(),
		rand: rand.New(rand.NewPCG(l.o.Seed, uint64(i)))}
	for _, p := range plans {
		for {
			e := c.do(ctx, p)
			if e.outcome == history.OK {
				break
			}
			if pause(ctx, finalPause) != nil {
				return errors.Join(e.err, ctx.Err())
			}
		}
	}
	return nil
}
