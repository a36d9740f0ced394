package fault

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// lineBytesMax is what a command may take.
	lineBytesMax = 1 << 16
	// lineMax is how long a connection may say nothing.
	lineMax = 10 * time.Second
)

// Options of a Control.
type Options struct {
	Socket string // path of the unix socket; "": only First is carried out
	First  string // a Command in JSON; "": none
	Clock  *Drift // required
	Log    *slog.Logger
	// SetDisk, CountDisk and LosePower are the disk's; nil: the process has none. LosePower stops
	// all writes for ever and undoes what was not synced.
	SetDisk   func(Disk)
	CountDisk func(*State)
	LosePower func(PowerLoss) (Loss, error)
	// Kill ends the process at once; nil: SIGKILL.
	Kill func()
}

// Loss is what a loss of power has taken.
type Loss struct {
	Bytes int64 // written and not synced
	Names int   // files that came, went or were renamed in directories that were not synced
	// UnsyncedBytes and UnsyncedNames are what could have been lost: with none, nothing happened
	// that a kill does not do.
	UnsyncedBytes int64
	UnsyncedNames int
}

// Control does to a process what it is told.
type Control struct {
	o       Options
	stalls  stalls
	lis     net.Listener // nil: nobody can tell it anything
	stop    chan struct{}
	running sync.WaitGroup

	mu   sync.Mutex
	conn net.Conn // the one that is served
	over bool
}

// Start carries out the first command, and listens for others until Close.
func Start(o Options) (*Control, error) {
	if o.Kill == nil {
		o.Kill = func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) }
	}
	c := &Control{o: o, stalls: stalls{log: o.Log}, stop: make(chan struct{})}
	if o.First != "" {
		if _, err := c.carryOut([]byte(o.First)); err != nil {
			return nil, fmt.Errorf("%s: %w", FirstEnv, err)
		}
	}
	if o.Socket != "" {
		if err := c.listen(); err != nil {
			return nil, fmt.Errorf("%s: %w", SocketEnv, err)
		}
		c.running.Go(c.serve)
	}
	c.running.Go(func() { c.stalls.run(c.stop) })
	return c, nil
}

func (c *Control) listen() (err error) {
	// One that was killed has left its socket.
	if err := os.Remove(c.o.Socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	c.lis, err = net.Listen("unix", c.o.Socket)
	return err
}

// Close stops listening. What was done stays done.
func (c *Control) Close() error {
	close(c.stop)
	var err error
	if c.lis != nil {
		err = c.lis.Close()
	}
	c.mu.Lock()
	c.over = true
	if c.conn != nil {
		_ = c.conn.Close() // its reader says so
	}
	c.mu.Unlock()
	c.running.Wait()
	return err
}

// serve takes one connection after the other: commands have an order.
func (c *Control) serve() {
	for {
		conn, err := c.lis.Accept()
		if err != nil {
			return // closed
		}
		if c.begin(conn) {
			c.converse(conn)
		}
		_ = conn.Close() // the other end knows what it got
	}
}

func (c *Control) begin(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = conn
	return !c.over
}

// converse answers each line with a line.
func (c *Control) converse(conn net.Conn) {
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, lineBytesMax)
	for conn.SetReadDeadline(time.Now().Add(lineMax)) == nil && lines.Scan() {
		var said answer
		state, err := c.carryOut(lines.Bytes())
		if err != nil {
			said.Error = err.Error()
		} else {
			said.State = &state
		}
		if json.NewEncoder(conn).Encode(&said) != nil {
			return
		}
	}
}

func (c *Control) carryOut(line []byte) (State, error) {
	var do Command
	in := json.NewDecoder(bytes.NewReader(line))
	in.DisallowUnknownFields() // a fault that is misspelt must not pass for one that did no harm
	if err := in.Decode(&do); err != nil {
		return State{}, fmt.Errorf("no command: %w", err)
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return State{}, errors.New("more than one command in a line")
	}
	if err := do.Validate(); err != nil {
		return State{}, err
	}
	if do.Disk != nil && c.o.SetDisk == nil {
		return State{}, errors.New("this process has no disk")
	}
	if do != (Command{}) {
		c.o.Log.Warn("fault", "command", string(bytes.TrimSpace(line)))
	}
	if do.Clock != nil {
		c.o.Clock.Set(*do.Clock)
	}
	if do.Disk != nil {
		c.o.SetDisk(*do.Disk)
	}
	if do.PowerLoss != nil {
		c.losePower(*do.PowerLoss)
	}
	return c.state(), nil
}

// losePower does not return in a real process.
func (c *Control) losePower(p PowerLoss) {
	if c.o.LosePower != nil {
		switch lost, err := c.o.LosePower(p); err {
		case nil:
			c.o.Log.Warn("fault", "lost_bytes", lost.Bytes, "lost_names", lost.Names,
				"unsynced_bytes", lost.UnsyncedBytes, "unsynced_names", lost.UnsyncedNames)
		default: // what is on the disk now is what no loss of power leaves
			c.o.Log.Error("fault", "power_loss_failed", err)
		}
	}
	c.o.Kill()
}

func (c *Control) state() State {
	s := State{Pid: os.Getpid(), Clock: c.o.Clock.Clock(), NowMicros: c.o.Clock.Now().Microseconds(),
		WallMicros:     c.o.Clock.Wall(),
		StallMaxMillis: time.Duration(c.stalls.longest.Load()).Milliseconds()}
	if c.o.CountDisk != nil {
		c.o.CountDisk(&s)
	}
	return s
}
