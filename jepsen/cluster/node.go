//go:build unix

package cluster

import (
	"context"
	"fmt"
	"net/http"
	"syscall"
	"time"
)

// pollEvery is the pause between two looks at what is to come.
const pollEvery = 5 * time.Millisecond

// server of a node, which may have been replaced.
func (c *Cluster) server(n Node) (*server, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.servers[n]
	if s == nil || c.closed {
		return nil, fmt.Errorf("there is no node %q in this cluster", n)
	}
	return s, nil
}

func (c *Cluster) signal(n Node, sig syscall.Signal) (*process, error) {
	s, err := c.server(n)
	if err != nil {
		return nil, err
	}
	return s.signal(sig)
}

// Kill is SIGKILL; it returns when the process has ended. It may be paused.
func (c *Cluster) Kill(n Node) error {
	p, err := c.signal(n, syscall.SIGKILL)
	if err != nil {
		return err
	}
	<-p.exited
	return nil
}

// Terminate is SIGTERM; it returns when the process has ended. An exit code is an error.
func (c *Cluster) Terminate(ctx context.Context, n Node) error {
	p, err := c.signal(n, syscall.SIGTERM)
	if err != nil {
		return err
	}
	select {
	case <-p.exited:
	case <-ctx.Done():
		return fmt.Errorf("%s has not ended after SIGTERM: %w; kill it", n, context.Cause(ctx))
	}
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("%s ended after SIGTERM with %v: see %s", n, p.cmd.ProcessState, c.Log(n))
	}
	return nil
}

// Start starts a process that has ended on what is left of its data, and does not wait for it. What
// was wrong with its clock still is; its disk is well.
func (c *Cluster) Start(n Node) error {
	s, err := c.server(n)
	if err != nil {
		return err
	}
	return c.start(s)
}

// Running reports whether the process is there (it may be paused), and how it ended if not.
func (c *Cluster) Running(n Node) (ok bool, ended string) {
	s, err := c.server(n)
	if err != nil {
		return false, err.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.process == nil:
		return false, "it was never started"
	case s.process.ended():
		return false, s.process.cmd.ProcessState.String()
	}
	return true, ""
}

// Expect says that a process may end by itself, as one does whose disk fails: Close does not
// complain. That is about the one that runs, or else the next one; those after it may not.
func (c *Cluster) Expect(n Node) error {
	s, err := c.server(n)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, err := s.running(); err == nil {
		p.expected = true
	} else {
		s.excused = true
	}
	return nil
}

// Pause is SIGSTOP.
func (c *Cluster) Pause(n Node) error {
	_, err := c.signal(n, syscall.SIGSTOP)
	return err
}

// Resume is SIGCONT.
func (c *Cluster) Resume(n Node) error {
	_, err := c.signal(n, syscall.SIGCONT)
	return err
}

// Paused reports whether the process was paused and not resumed since.
func (c *Cluster) Paused(n Node) bool {
	s, err := c.server(n)
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paused
}

// AwaitReady returns when /readyz answers 200 and the node can be reached through its links.
func (c *Cluster) AwaitReady(ctx context.Context, n Node) error {
	s, err := c.server(n)
	if err != nil {
		return err
	}
	s.mu.Lock()
	p, err := s.running()
	s.mu.Unlock()
	if err != nil {
		return err
	}
	why := "it does not listen"
	select {
	case <-p.listening:
	case <-p.exited:
	case <-ctx.Done():
	}
	for { // until one of the three
		if p.ended() {
			return fmt.Errorf("%s ended before it was ready: %v; its last words:\n%s",
				n, p.cmd.ProcessState, lastWords(s.log))
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s is not ready, %s: %w; see %s", n, why, context.Cause(ctx), s.log)
		}
		status, body, err := c.page(ctx, s, "/readyz")
		switch {
		case err == nil && status == http.StatusOK:
			return nil
		case err != nil:
			why = err.Error()
		default:
			why = fmt.Sprintf("/readyz says %d %.200s", status, body)
		}
		Sleep(ctx, pollEvery)
	}
}

// Sleep returns early when ctx is done; then it says no.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
