//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/cairnkv/cairn/internal/fault"
)

// ErrDown says that there was no process to take a Command, or that it ended before it answered.
var ErrDown = errors.New("it does not run")

const (
	// commandMax bounds a Command: a process may have to become one that listens first.
	commandMax = 30 * time.Second
	// endMax is how long a process that does not answer is given to end: one that was told to end,
	// or whose disk has failed, closes what it has first.
	endMax = 5 * time.Second
)

// Command tells the debug build of a process what to do to itself, or asks for its State. One that
// has just been started is waited for. One that loses power has ended when Command returns, as it
// was asked to. A clock stays wrong when the process is started again; a disk is well then. Where
// the error is ErrDown, the next process has the clock from its start.
func (c *Cluster) Command(ctx context.Context, n Node, do fault.Command) (fault.State, error) {
	s, err := c.server(n)
	if err != nil {
		return fault.State{}, err
	}
	if err := do.Validate(); err != nil { // what is noted is never taken back
		return fault.State{}, fmt.Errorf("%s: %w", n, err)
	}
	p, err := s.prepare(do)
	if err != nil {
		return fault.State{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, commandMax)
	defer cancel()
	state, err := fault.Ask(ctx, s.socket, do)
	for unheard(err) && !p.endsIn(ctx, pollEvery) && ctx.Err() == nil {
		state, err = fault.Ask(ctx, s.socket, do)
	}
	if err != nil {
		if !errors.Is(err, fault.ErrRefused) && p.endsIn(ctx, endMax) {
			return state, fmt.Errorf("%s: %w: %w", n, ErrDown, err)
		}
		return state, fmt.Errorf("%s: %w; is it a program that Build has made?", n, err)
	}
	if do.PowerLoss != nil {
		<-p.exited
	}
	return state, nil
}

// unheard: nobody listens at the socket. The process begins to after its port does, or is about to
// end.
func unheard(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED)
}

// endsIn reports whether a process ends in that time.
func (p *process) endsIn(ctx context.Context, d time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	select {
	case <-p.exited:
	case <-ctx.Done():
	}
	return p.ended()
}

// prepare notes what is to come.
func (s *server) prepare(do fault.Command) (*process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.running()
	if err == nil && s.paused {
		return nil, fmt.Errorf("%s is paused and cannot hear: resume it first", s.node)
	}
	if do.Clock != nil {
		s.clock = do.Clock
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDown, err)
	}
	p.asked = p.asked || do.PowerLoss != nil
	return p, nil
}

// first is what the next process is told before it opens anything.
func (s *server) first() []string {
	if s.clock == nil {
		return nil
	}
	b, err := json.Marshal(fault.Command{Clock: s.clock})
	if err != nil {
		panic(err) // numbers alone
	}
	return []string{fault.FirstEnv + "=" + string(b)}
}
