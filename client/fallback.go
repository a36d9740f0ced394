package client

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
)

// errNoStream says that the server does not take part in the stream. Unless the
// call is a lostError that was sent, it did nothing of what was sent there.
var errNoStream = errors.New("no HTTP/2 stream to this endpoint")

// fallback uses the stream until it turns out that there is none.
type fallback struct {
	stream   *stream
	unary    *unary
	log      *slog.Logger
	endpoint string

	without atomic.Bool
	said    sync.Once
}

func (f *fallback) call(ctx context.Context, c *call) error {
	if f.without.Load() {
		return f.unary.call(ctx, c)
	}
	err := f.stream.call(ctx, c)
	if !errors.Is(err, errNoStream) {
		return err
	}
	f.without.Store(true)
	f.said.Do(func() {
		f.log.Warn("no HTTP/2 on the way to the gateway: using slower single calls",
			"endpoint", f.endpoint, "cause", err)
	})
	if lost, ok := errors.AsType[*lostError](err); ok && lost.sent && !c.harmlessTwice() {
		return err
	}
	return f.unary.call(ctx, c)
}
