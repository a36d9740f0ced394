//go:build unix

package cluster

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// pieceBytesMax is how much is read at a time.
	pieceBytesMax = 32 << 10
	// piecesMax and bytesMax bound what is on its way over a slow link on one connection. Beyond
	// them nothing is read, and the sender has to wait as for a receiver that does not read.
	piecesMax = 1024
	bytesMax  = 4 << 20
)

// connection is one that a node has made to another, through a door.
type connection struct {
	near, far *net.TCPConn // of who dialled, and of who was dialled
	there     pipe         // from near to far
	back      pipe

	ctx    context.Context // until it has ended
	cancel func()
}

func newConnection(d *door, near, far *net.TCPConn) *connection {
	c := &connection{near: near, far: far}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.there = pipe{c: c, way: d.there, src: near, dst: far, other: &c.back}
	c.back = pipe{c: c, way: d.back, src: far, dst: near, other: &c.there}
	for _, p := range []*pipe{&c.there, &c.back} {
		p.queue, p.room = make(chan piece, piecesMax), semaphore.NewWeighted(bytesMax)
	}
	return c
}

// abort ends the connection for both of them, with a reset.
func (c *connection) abort() {
	c.cancel()
	for _, end := range []*net.TCPConn{c.near, c.far} {
		_ = end.SetLinger(0) // fails only if it is closed already
		_ = end.Close()
	}
}

// settle ends the connection if it has lost something and its ends can hear of that.
func (c *connection) settle() {
	lost := c.there.lost.Load() || c.back.lost.Load()
	if lost && !c.there.way.cut.Load() && !c.back.way.cut.Load() {
		c.abort()
	}
}

// pipe is one direction of a connection.
type pipe struct {
	c        *connection
	way      *way
	src, dst *net.TCPConn
	other    *pipe

	lost  atomic.Bool // a part of the stream; so nothing more of it may pass
	ended atomic.Bool // the end of the stream has passed

	queue   chan piece // what is on its way over a slow link
	room    *semaphore.Weighted
	waiting atomic.Int64 // pieces in the queue, with the one that is being written
	last    time.Time    // when the newest of them arrives
	deaf    bool         // the receiver takes no more
}

// piece is what was read at once, or how the stream ended.
type piece struct {
	due  time.Time
	data []byte
	end  error // io.EOF or what the sender's end was reset with, after the data
}

// serve returns when the connection has ended.
func (c *connection) serve() {
	var pipes sync.WaitGroup
	for _, p := range []*pipe{&c.there, &c.back} {
		pipes.Go(p.run)
		pipes.Go(p.deliver)
	}
	pipes.Wait()
}

// run reads until the end.
func (p *pipe) run() {
	buf := make([]byte, pieceBytesMax)
	for {
		n, err := p.src.Read(buf)
		if n > 0 {
			p.pass(piece{data: buf[:n]})
		}
		if err != nil {
			p.pass(piece{end: err})
			return
		}
	}
}

// pass puts a piece on its way behind all others. The data may change afterwards.
func (p *pipe) pass(v piece) {
	if p.drop(v) {
		return
	}
	if p.waiting.Load() == 0 && !p.way.slows() {
		p.arrive(v)
		return
	}
	if p.room.Acquire(p.c.ctx, int64(len(v.data))) != nil {
		return // the connection has ended
	}
	v.data = bytes.Clone(v.data)
	v.due = time.Now().Add(p.way.takes())
	if v.due.Before(p.last) {
		v.due = p.last
	}
	p.last = v.due
	p.waiting.Add(1)
	p.way.delayed.Add(1)
	select {
	case p.queue <- v:
	case <-p.c.ctx.Done():
	}
}

// deliver lets pieces arrive when they are due, until the connection ends.
func (p *pipe) deliver() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var v piece
		select {
		case v = <-p.queue:
		case <-p.c.ctx.Done():
			return
		}
		timer.Reset(time.Until(v.due))
		select {
		case <-timer.C:
		case <-p.c.ctx.Done():
			return
		}
		p.arrive(v)
		p.room.Release(int64(len(v.data)))
		p.waiting.Add(-1)
	}
}

// drop loses a piece if the link is cut, or if the stream has a hole before it already.
func (p *pipe) drop(v piece) bool {
	if !p.way.cut.Load() && !p.lost.Load() {
		return false
	}
	p.lose(v)
	return true
}

func (p *pipe) lose(v piece) {
	p.way.dropped.Add(int64(len(v.data)))
	if v.end != nil {
		p.way.ends.Add(1)
	}
	p.lost.Store(true)
	p.c.settle() // whoever mended it meanwhile has not seen this one
}

// arrive is the end of the way.
func (p *pipe) arrive(v piece) {
	p.way.passing.RLock()
	defer p.way.passing.RUnlock()
	if p.drop(v) {
		return
	}
	if len(v.data) > 0 && !p.deaf {
		n, err := p.dst.Write(v.data)
		p.way.passed.Add(int64(n))
		if errors.Is(err, os.ErrDeadlineExceeded) { // it was cut meanwhile
			p.lose(piece{data: v.data[n:]})
			return
		}
		p.deaf = err != nil
	}
	switch {
	case v.end == nil && !p.deaf:
	case v.end != nil && !errors.Is(v.end, io.EOF):
		p.c.abort()
	case v.end != nil:
		p.ended.Store(true)
		_ = p.dst.CloseWrite() // if that fails it has been reset
		if p.other.ended.Load() {
			p.c.cancel()
			_, _ = p.c.near.Close(), p.c.far.Close()
		}
	case p.other.ended.Load() && !p.other.drop(piece{}):
		// The receiver has gone. Had it not ended its own stream before, the sender would hear of
		// that as the end of that stream.
		p.c.abort()
	}
}
