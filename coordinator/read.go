package coordinator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// Read asks for the newest versions of keys at one timestamp.
type Read struct {
	// At is the snapshot; 0: everything that was committed before the call.
	At   txn.Timestamp
	Keys []txn.Key
	// Revision, if set, asks for that revision of Keys[0], not later than At.
	Revision *int64
	// Deadline is by Env.Now; 0: CommitTimeout from now.
	Deadline time.Duration
}

// Get reads keys of any shards at one snapshot, which it returns beside them.
// Versions answer Keys in order: tombstones and expired ones too, zero if none.
func (c *Coordinator) Get(ctx context.Context, r Read) (
	versions []txn.Version, at txn.Timestamp, err error,
) {
	until := c.until(r.Deadline)
	if r.At == 0 {
		var ok bool
		if versions, at, ok = c.getNow(ctx, &r, until); ok {
			return versions, at, c.env.Point("coordinator.read.after-snapshot")
		}
	}
	at, err = c.snapshot(ctx, r.At, until)
	if err == nil {
		s := snapshot{c: c, at: at, until: until}
		versions, err = s.get(ctx, r.Keys, r.Revision)
	}
	if err != nil {
		return nil, 0, failed("coordinator.Get", 0, err)
	}
	return versions, at, nil
}

// snapshot is committed state at one timestamp, as far as it can be read
// before until.
type snapshot struct {
	c     *Coordinator
	at    txn.Timestamp
	until time.Duration
}

// get reads keys, one request a shard, all in parallel (F2).
func (s snapshot) get(
	ctx context.Context, keys []txn.Key, revision *int64,
) ([]txn.Version, error) {
	rs, err := s.c.routes(ctx, s.until)
	if err != nil {
		return nil, err
	}
	groups, err := rs.groups(keys)
	if err != nil {
		return nil, err
	}
	versions := make([]txn.Version, len(keys))
	err = s.c.parallel("coordinator.read", len(groups), func(i int) error {
		return s.getGroup(ctx, rs, &groups[i], getting{keys, revision, versions})
	})
	if err == nil {
		err = s.c.env.Point("coordinator.read.after-snapshot")
	}
	return versions, err
}

// getting is a get under way: versions answer keys, of which the first may be
// asked for by revision.
type getting struct {
	keys     []txn.Key
	revision *int64
	versions []txn.Version
}

func (s snapshot) getGroup(ctx context.Context, rs routes, g *group, of getting) error {
	req := &shardrpc.ReadRequest{Target: rs.target(g.route), At: s.at}
	for _, place := range g.places {
		req.Keys = append(req.Keys, of.keys[place])
	}
	if g.places[0] == 0 {
		req.Revision = of.revision
	}
	resp, err := s.ask(ctx, req)
	if err != nil {
		return err
	}
	got := resp.Versions
	if resp.Moved { // these keys may lie on several shards now
		if got, err = s.get(ctx, req.Keys, req.Revision); err != nil {
			return err
		}
	}
	if len(got) != len(g.places) {
		return &txn.Error{Kind: txn.Internal, Reason: "short_answer",
			Err: fmt.Errorf("a shard answered %d of %d keys", len(got), len(g.places))}
	}
	for i, place := range g.places {
		of.versions[place] = got[i]
	}
	return nil
}

// ask gets the answer to one read, and what is in its way out of it. An
// answer Moved leaves fresh routes behind.
func (s snapshot) ask(
	ctx context.Context, req *shardrpc.ReadRequest,
) (*shardrpc.ReadResponse, error) {
	pause := backoff{c: s.c}
	var last error
	for s.c.env.Now() < s.until {
		resp, err := send(ctx, s.c, s.until,
			func(ctx context.Context) (*shardrpc.ReadResponse, error) {
				return s.c.shards.Read(ctx, req)
			})
		switch {
		case stopped(err):
			return nil, err
		case err != nil && ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			last = err
		case resp.Moved:
			if err := s.c.moved(ctx, &pause, s.until); err != nil {
				return nil, err
			}
			return resp, nil
		case resp.Err != nil:
			return nil, resp.Err
		case resp.Retry:
			last = errNotServing
		case resp.TooOld != 0:
			return nil, &txn.Error{Kind: txn.TooOld, Reason: "history_gone", Oldest: resp.TooOld,
				Err: fmt.Errorf("history before %d is collected, asked for %d", resp.TooOld, s.at)}
		case len(resp.Blocked) > 0:
			if err := s.c.unblockAll(ctx, resp.Blocked, s.until); err != nil {
				return nil, err
			}
			continue
		default:
			return resp, nil
		}
		if err := pause.sleep(ctx, s.until); err != nil {
			return nil, noAnswer(err, last)
		}
	}
	return nil, errTimeIsUp
}

// moved gets fresh routes and pauses, lest a map that lags behind makes the
// caller spin.
func (c *Coordinator) moved(ctx context.Context, pause *backoff, until time.Duration) error {
	err := c.refreshRoutes(ctx, until)
	if stopped(err) {
		return err
	}
	if perr := pause.sleep(ctx, until); perr != nil {
		return noAnswer(perr, errors.Join(errMoved, err))
	}
	return nil
}
