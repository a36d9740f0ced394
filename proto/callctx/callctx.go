// Package callctx is the context of one call among the many of a stream. It is part of whatever
// describes the call and costs nothing beside it until somebody waits for it or makes another
// context of it: package context would enter each call in its parent, and leave again.
package callctx

import (
	"context"
	"sync"
	"time"
)

// Context of one call. Who owns it calls Begin, passes it on, and calls End when the call is over,
// or its time, or its stream: nothing ends it by itself.
type Context struct {
	stream   context.Context
	deadline time.Time

	mu    sync.Mutex
	err   error
	done  chan struct{} // nil: nobody has asked
	heirs map[*heir]struct{}
}

// heir is a function that the end of a Context calls.
type heir struct{ f func() }

// Begin makes c the context of a call on a stream, whose values it has. A zero deadline is none;
// who sets one ends c then.
func (c *Context) Begin(stream context.Context, deadline time.Time) {
	c.stream, c.deadline = stream, deadline
}

// End makes c done. The first error is the one that counts.
func (c *Context) End(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	if c.done != nil {
		close(c.done)
	}
	heirs := c.heirs
	c.heirs = nil
	c.mu.Unlock()
	for h := range heirs { // order: each on its own
		h.f()
	}
}

// Deadline implements context.Context.
func (c *Context) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

// Value implements context.Context.
func (c *Context) Value(key any) any { return c.stream.Value(key) }

// Err implements context.Context.
func (c *Context) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Done implements context.Context.
func (c *Context) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	return c.done
}

// AfterFunc is what package context calls for contexts that are made of c, instead of having a
// goroutine wait for it. f must not block.
func (c *Context) AfterFunc(f func()) (stop func() bool) {
	h := &heir{f}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		go f() // the caller may hold a lock that f takes
		return func() bool { return false }
	}
	if c.heirs == nil {
		c.heirs = make(map[*heir]struct{})
	}
	c.heirs[h] = struct{}{}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, waits := c.heirs[h]
		delete(c.heirs, h)
		return waits
	}
}

var _ context.Context = (*Context)(nil)
