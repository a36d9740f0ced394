package run

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/proto/remote"
	"github.com/cairnkv/cairn/shard/meta"
	"github.com/cairnkv/cairn/txn"
)

// openEvery is the pause between two attempts to open a session.
const openEvery = 50 * time.Millisecond

// leaseOptions of a lease; all are required.
type leaseOptions struct {
	env     env.Env
	members *remote.Client
	gateway string // its address, for other gateways
	log     *slog.Logger
}

// lease keeps a session for the gateway. When one has ended, by the cluster's
// word or because nobody heard of us for too long, the gateway must not go on
// with it: whoever meets its transactions may abort them. Then the next one is
// opened.
type lease struct {
	leaseOptions
	ctx   context.Context
	leave func() // ends the task

	session atomic.Uint32 // 0: none is held
	lost    atomic.Uint64 // sessions that have ended
	until   time.Duration // by env.Now: nobody ends the session before
	silent  bool          // it was said that nobody opens a session
}

func newLease(o leaseOptions) *lease {
	l := &lease{leaseOptions: o}
	l.ctx, l.leave = context.WithCancel(context.Background())
	return l
}

// begin starts the task that keeps the session of c.
func (l *lease) begin(c *coordinator.Coordinator) {
	l.env.Go("run.lease", func() {
		for {
			pause := l.keep()
			c.SetSession(l.session.Load())
			if l.env.Sleep(l.ctx, pause) != nil {
				return
			}
		}
	})
}

// ready says why requests cannot be served now.
func (l *lease) ready() error {
	if l.session.Load() == 0 {
		return txn.Errorf(txn.Unavailable, "no_session",
			"the gateway has no session: no member leads the meta group, or none answers")
	}
	return nil
}

// keep renews the session, or opens one, and returns when to call it again.
func (l *lease) keep() time.Duration {
	asked := l.env.Now()
	ctx, cancel := context.WithTimeout(l.ctx, meta.RenewEvery)
	defer cancel()
	if session := l.session.Load(); session != 0 {
		open, err := l.members.Renew(ctx, session)
		switch {
		case err == nil && open:
			l.until = asked + meta.SessionTTL
			return meta.RenewEvery
		case err != nil && l.env.Now() < l.until:
			return openEvery
		}
		l.session.Store(0)
		l.lost.Add(1)
		l.log.Warn("the session has ended", "session", session, "error", err)
		return 0
	}
	session, err := l.members.OpenSession(ctx, l.gateway)
	if err != nil {
		if !l.silent && l.ctx.Err() == nil {
			l.log.Warn("waiting for the member that opens sessions", "error", err)
		}
		l.silent = true
		return openEvery
	}
	l.session.Store(session)
	l.until, l.silent = asked+meta.SessionTTL, false
	l.log.Info("a session is open", "session", session)
	return meta.RenewEvery
}
