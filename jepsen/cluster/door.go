//go:build unix

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// farTimeout bounds how long it takes to reach a process on this machine that listens.
	farTimeout = time.Second
	// plugTimeout bounds how long a door takes to hang: the queue may have been full before.
	plugTimeout = 50 * time.Millisecond
)

// door is where one node dials another.
type door struct {
	address string // what the node dials
	target  string // where the other one listens
	there   *way
	back    *way

	mu       sync.Mutex
	reserved *os.File // keeps the port while nobody listens; nil: the door is closed
	state    doorState
	lis      *net.TCPListener // unless it refuses
	plug     net.Conn         // while it hangs
	missed   uint32           // of those who dialled while it hangs, how many were counted
	open     map[*connection]struct{}
	tasks    sync.WaitGroup
	failed   atomic.Pointer[error] // why nobody is let in any more
}

// doorState is what becomes of whoever dials.
type doorState uint8

const (
	refuses doorState = iota // nobody listens
	opens
	hangs // packets are lost
)

// newDoor makes a door that refuses.
func newDoor(target string, there, back *way) (*door, error) {
	d := &door{target: target, there: there, back: back, open: make(map[*connection]struct{})}
	var err error
	d.reserved, d.address, err = reserve()
	if err != nil {
		return nil, fmt.Errorf("no port for a link to %s: %w", target, err)
	}
	return d, nil
}

// set makes the door behave so from now on. Whoever has passed it stays.
func (d *door) set(s doorState) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s == d.state || d.reserved == nil {
		return nil
	}
	d.shut()
	if s == refuses {
		return nil
	}
	config := net.ListenConfig{Control: shared}
	config.SetMultipathTCP(false)
	lis, err := config.Listen(context.Background(), "tcp", d.address)
	if err != nil {
		return fmt.Errorf("the link at %s to %s: %w", d.address, d.target, err)
	}
	listener := lis.(*net.TCPListener)
	d.state, d.lis = s, listener
	if s == opens {
		d.tasks.Go(func() { d.accept(listener) })
		return nil
	}
	return d.hang()
}

// shut ends whatever listens. What waits there, accepted by nobody, is reset.
func (d *door) shut() {
	d.note()
	d.state = refuses
	if d.lis != nil {
		_ = d.lis.Close()
		d.lis = nil
	}
	if d.plug != nil {
		_ = d.plug.Close()
		d.plug = nil
	}
}

// hang fills the queue of connections that nobody has accepted yet, which then has one place. The
// kernel answers no more packets that would open another, as if they were lost on the way; they are
// sent again and again, until the door opens or the dialler gives up.
func (d *door) hang() error {
	raw, err := d.lis.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.Listen(int(fd), 0) })
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("the link at %s cannot be cut: %w", d.address, err)
	}
	// An error says that another one has taken the place.
	d.plug, _ = net.DialTimeout("tcp", d.address, plugTimeout)
	d.missed = missedBy(d.lis)
	return nil
}

// count takes note of those who have dialled in vain.
func (d *door) count() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.note()
}

// note is count. The caller holds the lock. The way that is cut has lost them; if both are, either.
func (d *door) note() {
	if d.state != hangs {
		return
	}
	missed := missedBy(d.lis)
	for _, w := range []*way{d.there, d.back} {
		if w.cut.Load() {
			w.dials.Add(int64(missed - d.missed))
		}
	}
	d.missed = missed
}

func (d *door) accept(lis *net.TCPListener) {
	for {
		near, err := lis.AcceptTCP()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				d.failed.Store(&err)
			}
			return
		}
		d.tasks.Go(func() { d.connect(near) })
	}
}

// connect serves a connection until it ends.
func (d *door) connect(near *net.TCPConn) {
	far, err := net.DialTimeout("tcp", d.target, farTimeout)
	if err != nil { // the process has ended, and this is how its kernel would say so
		_ = near.SetLinger(0)
		_ = near.Close()
		return
	}
	c := newConnection(d, near, far.(*net.TCPConn))
	d.mu.Lock()
	if d.reserved == nil {
		c.abort()
	} else {
		d.open[c] = struct{}{}
	}
	d.mu.Unlock()
	c.serve()
	d.mu.Lock()
	delete(d.open, c)
	d.mu.Unlock()
}

// until is when what is being passed on over a way must have been; zero: whenever it can be.
func (d *door) until(w *way, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.open { // order: each on its own
		for _, p := range []*pipe{&c.there, &c.back} {
			if p.way == w {
				_ = p.dst.SetWriteDeadline(at) // fails only if it is closed
			}
		}
	}
}

// mended ends the connections that have lost something.
func (d *door) mended() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.open {
		c.settle()
	}
}

// close ends everything, and waits for it.
func (d *door) close() error {
	d.mu.Lock()
	d.shut()
	err := d.reserved.Close()
	d.reserved = nil
	for c := range d.open {
		c.abort()
	}
	d.mu.Unlock()
	d.tasks.Wait()
	if failed := d.failed.Load(); failed != nil {
		err = errors.Join(err, fmt.Errorf("the link at %s to %s let nobody in any more: %w",
			d.address, d.target, *failed))
	}
	return err
}

// reserve takes a port that others cannot have and the doors' listeners can.
func reserve() (*os.File, string, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, "", err
	}
	unix.CloseOnExec(fd)
	file := os.NewFile(uintptr(fd), "reserved")
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	var at unix.Sockaddr
	if err == nil {
		at, err = unix.Getsockname(fd)
	}
	if err != nil {
		return nil, "", errors.Join(err, file.Close())
	}
	return file, fmt.Sprint("127.0.0.1:", at.(*unix.SockaddrInet4).Port), nil
}

// shared makes a listener that may have a reserved port.
func shared(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	return errors.Join(err, failed)
}
