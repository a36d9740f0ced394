package coordinator

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// router holds the shard map until a shard says that it moved.
type router struct {
	mu     sync.Mutex
	routes routes
}

// routes is a shard map in key order, without gaps. It is never changed.
type routes []shardrpc.Route

// routes is the map as it was last seen.
func (c *Coordinator) routes(ctx context.Context, until time.Duration) (routes, error) {
	pause := backoff{c: c}
	for {
		if held := c.held(); held != nil {
			return held, nil
		}
		err := c.refreshRoutes(ctx, until)
		switch {
		case stopped(err):
			return nil, err
		case err == nil:
			continue
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
		if perr := pause.sleep(ctx, until); perr != nil {
			return nil, noAnswer(perr, err)
		}
	}
}

// held is the map as it was last seen; nil: it never was.
func (c *Coordinator) held() routes {
	c.router.mu.Lock()
	defer c.router.mu.Unlock()
	return c.router.routes
}

// refreshRoutes asks once for the map.
func (c *Coordinator) refreshRoutes(ctx context.Context, until time.Duration) error {
	got, err := send(ctx, c, until, c.shards.Routes)
	if err != nil {
		return err
	}
	if len(got) == 0 {
		return errors.New("the shard map is empty")
	}
	sorted := slices.SortedFunc(slices.Values(got), func(a, b shardrpc.Route) int {
		return a.Span.Start.Compare(b.Span.Start)
	})
	c.router.mu.Lock()
	defer c.router.mu.Unlock()
	c.router.routes = sorted
	return nil
}

// find is the place of the route that holds key.
func (rs routes) find(key txn.Key) (int, error) {
	i, exact := slices.BinarySearchFunc(rs, key, func(r shardrpc.Route, k txn.Key) int {
		return r.Span.Start.Compare(k)
	})
	if !exact {
		i--
	}
	if i < 0 || !rs[i].Span.Contains(key) {
		return 0, noRoute(key)
	}
	return i, nil
}

// findBefore is the place of the route that holds the keys just before end.
func (rs routes) findBefore(end txn.Key) (int, error) {
	if len(end) == 0 {
		return len(rs) - 1, nil
	}
	i, _ := slices.BinarySearchFunc(rs, end, func(r shardrpc.Route, k txn.Key) int {
		return r.Span.Start.Compare(k)
	})
	if i == 0 {
		return 0, noRoute(end)
	}
	return i - 1, nil
}

func noRoute(key txn.Key) error {
	return &txn.Error{Kind: txn.Internal, Reason: "no_route", Key: key,
		Err: errors.New("the shard map has no shard for it")}
}

func (rs routes) target(i int) shardrpc.Target {
	return shardrpc.Target{Shard: rs[i].Shard, Epoch: rs[i].Epoch}
}

// only is the place of the route that holds all of keys, if there is one.
func (rs routes) only(keys []txn.Key) (place int, ok bool) {
	for i, key := range keys {
		at, err := rs.find(key)
		if err != nil || i > 0 && at != place {
			return 0, false
		}
		place = at
	}
	return place, len(keys) > 0
}

// group is the places, in some list of keys, of those that one shard holds.
type group struct {
	route  int
	places []int
}

// groups sorts keys by shard; groups are in key order, places ascend.
func (rs routes) groups(keys []txn.Key) ([]group, error) {
	if len(keys) == 1 {
		r, err := rs.find(keys[0])
		if err != nil {
			return nil, err
		}
		return []group{{r, []int{0}}}, nil
	}
	byRoute := make([][]int, len(rs))
	for i, key := range keys {
		r, err := rs.find(key)
		if err != nil {
			return nil, err
		}
		byRoute[r] = append(byRoute[r], i)
	}
	var groups []group
	for r, places := range byRoute {
		if len(places) > 0 {
			groups = append(groups, group{r, places})
		}
	}
	return groups, nil
}

// footprint is everything that a transaction touches.
type footprint struct {
	keys  []txn.Key
	spans []txn.Span
}

// oneHolds reports whether one route holds all of f.
func (rs routes) oneHolds(f *footprint) bool {
	at := -1
	fits := func(i int) bool {
		ok := at < 0 || at == i
		at = i
		return ok
	}
	for _, key := range f.keys {
		if i, err := rs.find(key); err != nil || !fits(i) {
			return false
		}
	}
	for _, span := range f.spans {
		if span.Empty() {
			continue
		}
		first, err := rs.find(span.Start)
		last, err2 := rs.findBefore(span.End)
		if err != nil || err2 != nil || first != last || !fits(first) {
			return false
		}
	}
	return at >= 0
}
