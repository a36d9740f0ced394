package remote

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/proto/shardrpc"
)

// readSoon begins a read of shard 2; what comes of it comes by the channel.
func readSoon(ctx context.Context, c *Client, within time.Duration) (end func(error), told <-chan error) {
	errs := make(chan error, 2)
	end = c.ReadSoon(ctx, &shardrpc.ReadRequest{Target: shardrpc.Target{Shard: 2}}, within,
		func(_ *shardrpc.ReadResponse, err error) { errs <- err })
	return end, errs
}

// A read asks the leader as far as is known, and what it hears counts for all calls.
func TestReadSoon(t *testing.T) {
	f := newFakes(t, 3)
	c := f.dial(t, 1)
	f.knows(t, c)
	read := func() error {
		_, told := readSoon(t.Context(), c, time.Minute)
		return <-told
	}
	if err := read(); err != nil {
		t.Fatal(err)
	}
	f.change(func() { f.leader = 2 })
	if n, ok := errors.AsType[*shardrpc.NotLeader](read()); !ok || n.Leader != 2 {
		t.Errorf("the former leader: %v", n)
	}
	eventually(t, "the new leader is asked", func() bool { return read() == nil })
	asked, _ := f.count(2)
	for range 3 {
		if err := read(); err != nil {
			t.Fatal(err)
		}
	}
	if now, _ := f.count(2); now != asked+3 {
		t.Errorf("the new leader was asked %d times in 3 reads", now-asked)
	}
}

// A leader that does not answer in time is asked no more; that nobody waits tells nothing about it.
func TestReadSoonOfTheSilent(t *testing.T) {
	f := newFakes(t, 1)
	c := f.dial(t, 1)
	f.knows(t, c)
	paused := make(chan struct{})
	f.change(func() { f.byID[1].silent = paused })
	ctx, cancel := context.WithCancel(t.Context())
	end, told := readSoon(ctx, c, time.Minute)
	cancel()
	end(context.Canceled)
	if err := <-told; !errors.Is(err, context.Canceled) {
		t.Errorf("a read that was ended: %v", err)
	}
	end, told = readSoon(t.Context(), c, time.Millisecond)
	if end == nil {
		t.Fatal("a member is taken for silent because a caller left")
	}
	if err := <-told; !errors.Is(err, link.ErrLost) {
		t.Errorf("a read whose time is up: %v", err)
	}
	if end, _ := readSoon(t.Context(), c, time.Minute); end != nil {
		t.Error("a member that is silent is asked")
		end(context.Canceled)
	}
	close(paused)
}
