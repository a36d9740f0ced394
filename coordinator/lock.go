package coordinator

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// lockStep is how long one request may wait in a shard's queue. Whoever waits
// for longer asks again, lest a leader that is gone hold up the caller.
const lockStep = time.Second

// lockSet is what one transaction holds of locks, over all its attempts, as
// far as it was told: a shard forgets its locks with its leadership. They are
// advisory, so being wrong costs an abort and nothing else. It has one owner.
type lockSet struct {
	c   *Coordinator
	id  txn.ID // of the attempt that asks
	age txn.Age

	keys  map[string]txn.LockMode
	spans []heldSpan
	// asked has a key of every shard that may hold or queue something.
	asked []askedShard
}

type heldSpan struct {
	txn.Span
	mode txn.LockMode
}

type askedShard struct {
	shard shardrpc.ShardID
	key   txn.Key
}

func (c *Coordinator) newLockSet(id txn.ID, age txn.Age) *lockSet {
	return &lockSet{c: c, id: id, age: age, keys: make(map[string]txn.LockMode)}
}

// locksMax is how many keys and spans one request locks.
const locksMax = txn.WriteKeysMax

// wanted is locks to take, in one mode.
type wanted struct {
	keys  []txn.Key
	spans []txn.Span
	mode  txn.LockMode
}

func (w *wanted) empty() bool { return len(w.keys) == 0 && len(w.spans) == 0 }

// without is as much of w as fits one request, less what l holds, in the order
// of keys.
func (w wanted) without(l *lockSet) wanted {
	left := wanted{mode: w.mode}
	for _, k := range w.keys {
		if mode, held := l.keys[string(k)]; held && mode >= w.mode {
			continue
		}
		if l.spanAt(k, w.mode) == nil {
			left.keys = append(left.keys, k)
		}
	}
	slices.SortFunc(left.keys, txn.Key.Compare)
	left.keys = slices.CompactFunc(left.keys, func(a, b txn.Key) bool { return a.Compare(b) == 0 })
	for _, s := range w.spans {
		if s, some := l.rest(s, w.mode); some {
			left.spans = append(left.spans, s)
		}
	}
	left.keys = left.keys[:min(len(left.keys), locksMax)]
	left.spans = left.spans[:min(len(left.spans), locksMax-len(left.keys))]
	return left
}

// rest is s from the first key on that no span covers.
func (l *lockSet) rest(s txn.Span, mode txn.LockMode) (left txn.Span, some bool) {
	for !s.Empty() {
		h := l.spanAt(s.Start, mode)
		switch {
		case h == nil:
			return s, true
		case len(h.End) == 0:
			return s, false
		}
		s.Start = h.End
	}
	return s, false
}

// spanAt is a span that is held and has k in it; nil if there is none.
func (l *lockSet) spanAt(k txn.Key, mode txn.LockMode) *heldSpan {
	i := slices.IndexFunc(l.spans, func(h heldSpan) bool { return h.mode >= mode && h.Contains(k) })
	if i < 0 {
		return nil
	}
	return &l.spans[i]
}

// lockPart is what is wanted of one shard.
type lockPart struct {
	wanted
	to      shardrpc.Target
	granted bool
}

// key is one of the keys of the part's shard.
func (p *lockPart) key() txn.Key {
	if len(p.keys) > 0 {
		return p.keys[0]
	}
	return p.spans[0].Start
}

// byShard cuts w into parts, in key order.
func (w *wanted) byShard(rs routes) ([]lockPart, error) {
	all := make([]lockPart, len(rs))
	for _, k := range w.keys {
		r, err := rs.find(k)
		if err != nil {
			return nil, err
		}
		all[r].keys = append(all[r].keys, k)
	}
	var parts []lockPart
	for r := range all {
		for _, s := range w.spans {
			if some := s.Intersect(rs[r].Span); !some.Empty() {
				all[r].spans = append(all[r].spans, some)
			}
		}
		if !all[r].empty() {
			all[r].mode, all[r].to = w.mode, rs.target(r)
			parts = append(parts, all[r])
		}
	}
	return parts, nil
}

// acquire waits until all that is wanted is granted, by all shards at once.
// Wounded says that an older transaction took a lock away, Conflict that until
// came first; either way some locks may be held.
func (l *lockSet) acquire(ctx context.Context, want wanted, until time.Duration) error {
	if left := want.without(l); left.empty() {
		return nil
	}
	began := l.c.env.Now()
	err := l.acquireAll(ctx, want, until)
	if !stopped(err) {
		l.c.locked(reasonOf(err), l.c.env.Now()-began)
	}
	return err
}

// reasonOf is the word for why a call failed; empty if it did not.
func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	e, _ := errors.AsType[*txn.Error](failed("", 0, err))
	return e.Reason
}

func (l *lockSet) acquireAll(ctx context.Context, want wanted, until time.Duration) error {
	pause := backoff{c: l.c}
	for {
		left := want.without(l)
		if left.empty() {
			return nil
		}
		rs, err := l.c.routes(ctx, until)
		if err != nil {
			return err
		}
		parts, err := left.byShard(rs)
		if err != nil {
			return err
		}
		if err := l.c.env.Point("coordinator.lock.before-rpc"); err != nil {
			return err
		}
		err = l.acquireParts(ctx, parts, until)
		moved := false
		for i := range parts {
			if parts[i].granted {
				l.note(&parts[i])
			} else {
				moved = true
			}
		}
		if err == nil {
			err = l.c.env.Point("coordinator.lock.after-all")
		}
		if err == nil && moved {
			err = l.c.moved(ctx, &pause, until)
		}
		if err != nil {
			return err
		}
	}
}

// acquireParts asks all shards side by side. Once one has failed nobody waits
// for the others: what they grant goes with the rest.
func (l *lockSet) acquireParts(
	ctx context.Context, parts []lockPart, until time.Duration,
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var first error
	for i := range parts {
		l.ask(&parts[i])
	}
	err := l.c.parallel("coordinator.lock", len(parts), func(i int) error {
		err := l.lockShard(ctx, &parts[i], until)
		if err != nil && !stopped(err) {
			mu.Lock()
			defer mu.Unlock()
			if first == nil {
				first = err
			}
			cancel()
		}
		return err
	})
	if err == nil || stopped(err) {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	return first
}

// ask notes that a shard may hold something from now on.
func (l *lockSet) ask(p *lockPart) {
	if !slices.ContainsFunc(l.asked, func(a askedShard) bool { return a.shard == p.to.Shard }) {
		l.asked = append(l.asked, askedShard{p.to.Shard, p.key().Clone()})
	}
}

func (l *lockSet) note(p *lockPart) {
	for _, k := range p.keys {
		l.keys[string(k)] = max(p.mode, l.keys[string(k)])
	}
	for _, s := range p.spans {
		l.spans = append(l.spans, heldSpan{
			txn.Span{Start: s.Start.Clone(), End: s.End.Clone()}, p.mode})
	}
}

// lockShard asks one shard until it has granted its part, or has moved.
func (l *lockSet) lockShard(ctx context.Context, p *lockPart, until time.Duration) error {
	c := l.c
	pause := backoff{c: c}
	req := shardrpc.LockRequest{Target: p.to, Txn: l.id, Age: l.age,
		Keys: p.keys, Spans: p.spans, Mode: p.mode}
	var last error
	// The answer to a wait in vain has to come in time, too.
	patience := until - (until-c.env.Now())/8
	for stale := false; ; {
		if c.env.Now() >= until {
			return errTimeIsUp
		}
		base, err := c.lockBase(ctx, stale, until)
		if err != nil {
			return err
		}
		wait := min(max(patience-c.env.Now(), 0), lockStep)
		r := req
		r.BaseTS, r.Wait = base, wait.Milliseconds()
		resp, err := sendWithin(ctx, c, min(until, c.env.Now()+wait+c.opts.AttemptTimeout),
			func(ctx context.Context) (*shardrpc.LockResponse, error) {
				return c.shards.Lock(ctx, &r)
			})
		if err == nil {
			err = c.env.Point("coordinator.lock.after-k")
		}
		switch {
		case stopped(err):
			return err
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			last = err
		case resp.Answer == shardrpc.OK:
			p.granted = true
			return nil
		case resp.Answer == shardrpc.Moved:
			return nil
		case resp.Answer != shardrpc.Refused:
			last = errNotServing
		case resp.Reason == shardrpc.ReasonStale:
			stale, last = true, errNotServing
		default:
			refused := (&refusal{id: l.id, reply: resp.Reply}).err()
			if resp.Reason != shardrpc.ReasonLockTimeout {
				return refused
			}
			// The shard may have waited for less than it was asked to.
			if err := pause.sleep(ctx, patience); errors.Is(err, env.ErrTimeout) {
				return refused
			} else if err != nil {
				return err
			}
			continue
		}
		if err := pause.sleep(ctx, until); err != nil {
			return noAnswer(err, last)
		}
	}
}

// lockBase is a timestamp for a request to lock; a fresh one if a shard found
// the last one too old.
func (c *Coordinator) lockBase(
	ctx context.Context, stale bool, until time.Duration,
) (txn.Timestamp, error) {
	if stale {
		return c.fresh(ctx, until)
	}
	return c.base(ctx, until)
}

// again prepares for another attempt of the same transaction: what its locks
// are now, the shards will say.
func (l *lockSet) again(id txn.ID) {
	l.id, l.spans = id, nil
	clear(l.keys)
}

// release lets everything go, behind the caller's back. What done wrote lies at
// shards that unlock it themselves.
func (l *lockSet) release(done *Committed) {
	asked := l.asked
	l.asked = nil
	if done != nil {
		written := l.c.shardsOf(done.Written)
		asked = slices.DeleteFunc(asked, func(a askedShard) bool {
			return slices.Contains(written, a.shard)
		})
	}
	if len(asked) == 0 {
		return
	}
	req := shardrpc.UnlockRequest{Txn: l.id, Age: l.age}
	req.BaseTS, _ = l.c.newest() // no lock request of it had a later one
	l.c.unlockLater(asked, req)
}

// unlocksMax is how many transactions' locks may be on their way back.
const unlocksMax = 16_384

// unlockLater lets the locks of a transaction go behind the caller's back, and
// does not give up while their session lasts: a lock that is forgotten keeps
// everyone who is younger from its key. With the session the shards forget it.
// Over the limit the caller does it, and waits for AttemptTimeout at most.
func (c *Coordinator) unlockLater(asked []askedShard, req shardrpc.UnlockRequest) {
	each := func(until func() time.Duration, again bool) {
		if stopped(c.env.Point("coordinator.unlock.before-first")) {
			return
		}
		_ = c.parallel("coordinator.unlock", len(asked), func(i int) error {
			for {
				err := c.unlock(asked[i].key, req, until())
				lasts := c.session.Load() == req.Txn.Session()
				if err == nil || stopped(err) || !again || !lasts {
					return err
				}
				if err := c.env.Sleep(context.Background(), pauseMax); err != nil {
					return err
				}
			}
		})
	}
	if c.unlocks.Add(1) > unlocksMax {
		c.unlocks.Add(-1)
		end := c.env.Now() + c.opts.AttemptTimeout
		each(func() time.Duration { return end }, false)
		return
	}
	c.env.Go("coordinator.unlock", func() {
		defer c.unlocks.Add(-1)
		each(func() time.Duration { return c.env.Now() + cleanUpMax }, true)
	})
}

func (c *Coordinator) unlock(key txn.Key, req shardrpc.UnlockRequest, until time.Duration) error {
	return c.deliver(context.Background(), delivery{key: key, until: until,
		send: func(ctx context.Context, to shardrpc.Target) (shardrpc.Answer, error) {
			r := req
			r.Target = to
			resp, err := send(ctx, c, until,
				func(ctx context.Context) (*shardrpc.UnlockResponse, error) {
					return c.shards.Unlock(ctx, &r)
				})
			if err == nil {
				err = c.env.Point("coordinator.unlock.after-k")
			}
			if err != nil {
				return shardrpc.Retry, err
			}
			return resp.Answer, nil
		}})
}

// shardsOf is the shards of some written keys, by the routes that are held.
func (c *Coordinator) shardsOf(written []txn.Written) []shardrpc.ShardID {
	c.router.mu.Lock()
	rs := c.router.routes
	c.router.mu.Unlock()
	var ids []shardrpc.ShardID
	for i := range written {
		r, err := rs.find(written[i].Key)
		if err == nil && !slices.Contains(ids, rs[r].Shard) {
			ids = append(ids, rs[r].Shard)
		}
	}
	return ids
}
