package coordinator

import (
	"context"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// History asks for one page of the versions of a key, newest first.
type History struct {
	// At is the snapshot; 0: everything that was committed before the call.
	At  txn.Timestamp
	Key txn.Key
	// From is where the page begins, the Next of the one before; 0: at the newest.
	From     txn.Timestamp
	KeysOnly bool
	Limit    int // versions; 0: as many as fit into Bytes
	Bytes    int // of the versions, but at least one; 0: 1 MiB
	// Deadline is by Env.Now; 0: CommitTimeout from now.
	Deadline time.Duration
}

// Versions is a page of a History.
type Versions struct {
	Versions []txn.Version // tombstones and extends among them
	At       txn.Timestamp
	Next     txn.Timestamp // where the following page begins; 0: there is none
}

// History reads a page of a key's history. A key that never was has none.
func (c *Coordinator) History(ctx context.Context, h History) (*Versions, error) {
	until := c.until(h.Deadline)
	at, err := c.snapshot(ctx, h.At, until)
	if err != nil {
		return nil, failed("coordinator.History", 0, err)
	}
	page, err := snapshot{c: c, at: at, until: until}.history(ctx, h)
	if err == nil {
		err = c.env.Point("coordinator.read.after-snapshot")
	}
	if err != nil {
		return nil, failed("coordinator.History", 0, err)
	}
	return page, nil
}

// history is read at s, not at want.At.
func (s snapshot) history(ctx context.Context, want History) (*Versions, error) {
	part := &shardrpc.History{
		From: want.From, KeysOnly: want.KeysOnly, Limit: want.Limit, Bytes: want.Bytes,
	}
	if part.From == 0 || part.From > s.at {
		part.From = s.at
	}
	if part.Bytes <= 0 {
		part.Bytes = pageBytes
	}
	for {
		rs, err := s.c.routes(ctx, s.until)
		if err != nil {
			return nil, err
		}
		i, err := rs.find(want.Key)
		if err != nil {
			return nil, err
		}
		resp, err := s.ask(ctx, &shardrpc.ReadRequest{
			Target: rs.target(i), At: s.at, Keys: []txn.Key{want.Key}, History: part,
		})
		if err != nil {
			return nil, err
		}
		if !resp.Moved {
			return &Versions{Versions: resp.Versions, At: s.at, Next: resp.Next}, nil
		}
	}
}
