//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/cairnkv/cairn/internal/fault"
)

// Command tells the debug build of a process what to do to itself, or asks for its State. One that
// loses power has ended when Command returns, as it was asked to. A clock stays wrong when the
// process is started again; a disk is well then.
func (c *Cluster) Command(ctx context.Context, n Node, do fault.Command) (fault.State, error) {
	s, err := c.server(n)
	if err != nil {
		return fault.State{}, err
	}
	p, undo, err := s.prepare(do)
	if err != nil {
		return fault.State{}, err
	}
	state, err := fault.Ask(ctx, s.socket, do)
	if err != nil {
		undo()
		return state, fmt.Errorf("%s: %w; is it a program that Build has made?", n, err)
	}
	if do.PowerLoss != nil {
		<-p.exited
	}
	return state, nil
}

// prepare notes what is to come, unless it is undone.
func (s *server) prepare(do fault.Command) (p *process, undo func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, err = s.running(); err != nil {
		return nil, nil, err
	}
	if s.paused {
		return nil, nil, fmt.Errorf("%s is paused and cannot hear: resume it first", s.node)
	}
	asked, clock := p.asked, s.clock
	p.asked = asked || do.PowerLoss != nil
	if do.Clock != nil {
		s.clock = do.Clock
	}
	return p, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		p.asked, s.clock = asked, clock
	}, nil
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
