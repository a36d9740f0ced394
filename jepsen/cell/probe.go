package cell

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cairnkv/cairn/client"
)

const (
	probeEvery = 100 * time.Millisecond // while a round lasts
	probeRest  = 4                      // times as long otherwise: they cost what the load needs
	probeMax   = 2 * time.Second        // what a probe may take
	probesOpen = 64                     // of a shard, at the same time
)

// probedShards are what keys begin with that lie in the shards 2 to 5 (the default of --split).
// Whatever is written needs shard 1 too, the oracle's.
var probedShards = []struct {
	id     uint64
	prefix string
}{{2, "0"}, {3, "a"}, {4, "m"}, {5, "z"}}

// commit is a probe that was acknowledged.
type commit struct{ began, ended time.Duration }

// probes write to every shard all the time, through gateways by chance. While a round of faults
// lasts another one begins every probeEvery, whatever became of those before: so what they see of
// an outage is longer than it was by that and one write at most.
type probes struct {
	hurt   atomic.Bool // a round lasts
	now    func() time.Duration
	dbs    []*client.DB
	cancel context.CancelFunc
	all    sync.WaitGroup

	mu      sync.Mutex
	commits map[uint64][]commit // by shard, in the order of their ends
	changed chan struct{}       // closed and made anew at each commit
}

// startProbes probes until stop. Times are those of now.
func startProbes(
	ctx context.Context, endpoints []string, now func() time.Duration,
) (*probes, error) {
	p := &probes{now: now, commits: map[uint64][]commit{}, changed: make(chan struct{})}
	for _, e := range endpoints {
		db, err := client.New(client.Options{Endpoint: e})
		if err != nil {
			p.close()
			return nil, err
		}
		p.dbs = append(p.dbs, db)
	}
	ctx, p.cancel = context.WithCancel(ctx)
	for _, shard := range probedShards {
		p.all.Go(func() { p.probe(ctx, shard.id, shard.prefix) })
	}
	return p, nil
}

// probe begins a write to a shard every probeEvery.
func (p *probes) probe(ctx context.Context, shard uint64, prefix string) {
	var open sync.WaitGroup
	defer open.Wait()
	room := make(chan struct{}, probesOpen)
	ticks := time.NewTicker(probeEvery)
	defer ticks.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		if !p.hurt.Load() && i%probeRest != 0 {
			continue
		}
		select {
		case room <- struct{}{}:
		default:
			continue
		}
		open.Go(func() {
			p.once(ctx, shard, fmt.Sprintf("%sprobe/%d", prefix, i%probesOpen), p.dbs[rand.IntN(len(p.dbs))])
			<-room
		})
	}
}

func (p *probes) once(ctx context.Context, shard uint64, key string, db *client.DB) {
	ctx, cancel := context.WithTimeout(ctx, probeMax)
	defer cancel()
	began := p.now()
	if _, err := db.Set(ctx, key, client.IntValue(int64(began)), client.SetOptions{}); err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.commits[shard] = append(p.commits[shard], commit{began, p.now()})
	close(p.changed)
	p.changed = make(chan struct{})
}

// stop ends the probes and waits for them.
func (p *probes) stop() {
	p.cancel()
	p.all.Wait()
	p.close()
}

func (p *probes) close() {
	for _, db := range p.dbs {
		db.Close()
	}
}

// first is the end of the first commit on a shard that began at since or later.
func (p *probes) first(shard uint64, since time.Duration) (ended time.Duration, ok bool) {
	i := slices.IndexFunc(p.commits[shard], func(c commit) bool { return c.began >= since })
	if i < 0 {
		return 0, false
	}
	return p.commits[shard][i].ended, true
}

// await returns when every shard has committed what began at since or later, with how long after
// since the last of them did; with an error how long it has waited.
func (p *probes) await(ctx context.Context, since time.Duration) (time.Duration, error) {
	for {
		p.mu.Lock()
		var last time.Duration
		missing := uint64(0)
		for _, shard := range probedShards {
			ended, ok := p.first(shard.id, since)
			if !ok {
				missing = shard.id
			}
			last = max(last, ended)
		}
		changed := p.changed
		p.mu.Unlock()
		if missing == 0 {
			return last - since, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			waited := p.now() - since
			return waited, fmt.Errorf("shard %d has not committed anything for %v", missing, waited)
		}
	}
}

// gaps are the times without a commit, by shard, that are longer than least.
func (p *probes) gaps(least time.Duration) map[uint64][]gap {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[uint64][]gap{}
	for shard, commits := range p.commits {
		for i := 1; i < len(commits); i++ {
			if from, to := commits[i-1].ended, commits[i].ended; to-from > least {
				all[shard] = append(all[shard], gap{from, to})
			}
		}
	}
	return all
}

// longest is the longest time within from and to in which some shard committed nothing.
func (p *probes) longest(from, to time.Duration) (most time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, shard := range probedShards {
		last := from
		for _, c := range p.commits[shard.id] {
			if c.ended >= from && c.ended <= to {
				most = max(most, c.ended-last)
				last = c.ended
			}
		}
		most = max(most, to-last)
	}
	return most
}

// gap is a time in which a shard committed nothing.
type gap struct{ from, to time.Duration }
