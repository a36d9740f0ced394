package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// pageBytes is the budget of a page whose caller named none.
const pageBytes = 1 << 20

// Scan asks for one page of the live entries of a span at one timestamp.
type Scan struct {
	// At is the snapshot; 0: everything that was committed before the call.
	At       txn.Timestamp
	Span     txn.Span
	Reverse  bool
	KeysOnly bool
	Limit    int // entries; 0: as many as fit into Bytes
	Bytes    int // of keys and values, but at least one entry; 0: 1 MiB
	// Deadline is by Env.Now; 0: CommitTimeout from now.
	Deadline time.Duration
}

// Page is a part of a scan.
type Page struct {
	Entries []txn.Entry
	At      txn.Timestamp
	More    bool // entries may follow, from Next
	// Next bounds the following page: forward its Span.Start, reverse its Span.End.
	Next txn.Key
}

// Scan reads a page over as many shards as it takes, in key order or its
// reverse, all at one snapshot.
func (c *Coordinator) Scan(ctx context.Context, s Scan) (*Page, error) {
	until := c.until(s.Deadline)
	at, err := c.snapshot(ctx, s.At, until)
	if err != nil {
		return nil, failed("coordinator.Scan", 0, err)
	}
	page, err := snapshot{c: c, at: at, until: until}.scan(ctx, s)
	if err == nil {
		err = c.env.Point("coordinator.read.after-snapshot")
	}
	if err != nil {
		return nil, failed("coordinator.Scan", 0, err)
	}
	return page, nil
}

// scan walks the shards of want.Span one after the other until the page is
// full. Its snapshot is s, not want.At. want counts down what still fits.
func (s snapshot) scan(ctx context.Context, want Scan) (*Page, error) {
	if want.Bytes <= 0 {
		want.Bytes = pageBytes
	}
	page := &Page{At: s.at}
	rest := want.Span
	for !rest.Empty() {
		rs, err := s.c.routes(ctx, s.until)
		if err != nil {
			return nil, err
		}
		resp, part, err := s.scanShard(ctx, rs, &want, rest)
		if err != nil {
			return nil, err
		}
		if resp.Moved {
			continue
		}
		full := want.Limit > 0 && len(resp.Entries) >= want.Limit
		want.Limit -= min(want.Limit, len(resp.Entries))
		for i := range resp.Entries {
			want.Bytes -= len(resp.Entries[i].Key) + len(resp.Entries[i].Value.Data)
		}
		page.Entries = append(page.Entries, resp.Entries...)
		left, over, err := after(rest, part, resp, want.Reverse)
		if err != nil || over {
			return page, err
		}
		rest = left
		if full || resp.More || want.Bytes <= 0 {
			page.More, page.Next = true, rest.Start
			if want.Reverse {
				page.Next = rest.End
			}
			return page, nil
		}
	}
	return page, nil
}

// scanShard reads as much of rest as its first shard (or last, in reverse)
// holds and the page can take. part is what that shard holds of rest.
func (s snapshot) scanShard(
	ctx context.Context, rs routes, want *Scan, rest txn.Span,
) (resp *shardrpc.ReadResponse, part txn.Span, err error) {
	var i int
	if want.Reverse {
		i, err = rs.findBefore(rest.End)
	} else {
		i, err = rs.find(rest.Start)
	}
	if err != nil {
		return nil, part, err
	}
	part = rest.Intersect(rs[i].Span)
	resp, err = s.ask(ctx, &shardrpc.ReadRequest{
		Target: rs.target(i), At: s.at,
		Scan: &shardrpc.Scan{Span: part, Reverse: want.Reverse, KeysOnly: want.KeysOnly,
			Limit: want.Limit, Bytes: want.Bytes},
	})
	return resp, part, err
}

// changed asks the shards of span, one after the other until one says yes,
// whether it has changed since. If not, expiry is when the first of its values
// expires; 0: none does.
func (s snapshot) changed(ctx context.Context, span txn.Span, since txn.Timestamp) (
	changed bool, expiry txn.Timestamp, err error,
) {
	for over := false; !over; {
		rs, err := s.c.routes(ctx, s.until)
		if err != nil {
			return false, 0, err
		}
		i, err := rs.find(span.Start)
		if err != nil {
			return false, 0, err
		}
		part := span.Intersect(rs[i].Span)
		resp, err := s.ask(ctx, &shardrpc.ReadRequest{
			Target: rs.target(i), At: s.at, Scan: &shardrpc.Scan{Span: part, Since: since},
		})
		switch {
		case err != nil:
			return false, 0, err
		case resp.Moved:
			continue
		case resp.Changed:
			return true, 0, nil
		case expiry == 0 || resp.Expiry != 0 && resp.Expiry < expiry:
			expiry = resp.Expiry
		}
		if span, over, err = after(span, part, resp, false); err != nil {
			return false, 0, err
		}
	}
	return false, expiry, nil
}

// after is what is left of rest once part of it was read, over if nothing is.
func after(
	rest, part txn.Span, resp *shardrpc.ReadResponse, reverse bool,
) (left txn.Span, over bool, err error) {
	if resp.More {
		if len(resp.Entries) == 0 {
			return rest, false, &txn.Error{Kind: txn.Internal, Reason: "short_answer",
				Err: errors.New("a shard answered a scan with nothing but the promise of more")}
		}
		last := resp.Entries[len(resp.Entries)-1].Key
		if reverse {
			rest.End = last
			return rest, false, nil
		}
		rest.Start = last.Next()
		return rest, false, nil
	}
	// An empty bound of a part is the end of all keys, not a place to go on from.
	if reverse {
		over = len(part.Start) == 0
		rest.End = part.Start
		return rest, over || rest.Empty(), nil
	}
	over = len(part.End) == 0
	rest.Start = part.End
	return rest, over || rest.Empty(), nil
}
