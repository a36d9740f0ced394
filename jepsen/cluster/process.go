//go:build unix

package cluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cairnkv/cairn/internal/fault"
	"github.com/cairnkv/cairn/internal/launch"
)

const (
	// dialEvery is how often a process that was started is tried whether it listens.
	dialEvery   = 2 * time.Millisecond
	dialTimeout = time.Second
	// lastWordsMax is how much of a log is in an error, and logLineMax how much of a line of it.
	lastWordsMax = 2 << 10
	logLineMax   = 1 << 20
)

// server is a node: its present process, or the last one, and what comes and goes with processes.
type server struct {
	node    Node
	program string
	args    []string // but for those that change
	env     []string
	address string
	log     string   // file with all that its processes have written
	data    string   // directory; "": it has none
	socket  string   // for commands
	vias    []string // where it dials the others: real=via
	// launcher is shared by all, unless the node has a namespace.
	launcher *launch.Launcher

	mu      sync.Mutex
	process *process // nil: there never was one
	closed  bool     // there will be no other
	paused  bool
	excused bool         // the next process may end by itself
	clock   *fault.Clock // how it is to go; nil: as it should
	ends    []error      // that nobody had asked for
}

// process is one life of a server.
type process struct {
	cmd       *exec.Cmd
	asked     bool          // its end was asked for; under the server's lock
	expected  bool          // it may end by itself; under the server's lock
	listening chan struct{} // closed once it can be dialled through its links, if ever
	gone      chan struct{} // closed when it has ended
	exited    chan struct{} // closed when that was noted, and the links know
}

func (p *process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// running is the process if there is one.
func (s *server) running() (*process, error) {
	switch {
	case s.process == nil:
		return nil, fmt.Errorf("%s was never started", s.node)
	case s.process.ended():
		return nil, fmt.Errorf("%s does not run: %v; Start starts it again",
			s.node, s.process.cmd.ProcessState)
	}
	return s.process, nil
}

// start begins a life of a server. Its end is noted by a task, and the links follow.
func (c *Cluster) start(s *server) error {
	args := c.args(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.running(); err == nil || s.closed {
		return fmt.Errorf("%s runs already, or the cluster is closed", s.node)
	}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("%s: %w", s.node, err)
	}
	defer func() { _ = log.Close() }() // the process has its own
	cmd := exec.Command(s.program, args...)
	cmd.Env = append(slices.Clip(s.env), s.first()...)
	cmd.Stdout, cmd.Stderr = log, log
	mark(log, "%s starts: %s %s", s.node, filepath.Base(s.program), strings.Join(args, " "))
	if err := s.launcher.Start(cmd); err != nil {
		return fmt.Errorf("%s: %w", s.node, err)
	}
	p := &process{cmd: cmd, expected: s.excused, listening: make(chan struct{}),
		gone: make(chan struct{}), exited: make(chan struct{})}
	s.process, s.paused, s.excused = p, false, false
	c.tasks.Go(func() { c.watch(s, p) })
	return nil
}

// watch sees to a process until it has ended.
func (c *Cluster) watch(s *server, p *process) {
	var door sync.WaitGroup
	door.Go(func() { c.awaitListening(s, p) })
	_ = p.cmd.Wait() // how it ended is in ProcessState
	close(p.gone)
	door.Wait()
	c.links.listens(s.node, false)
	s.note(p)
	close(p.exited)
}

// mark writes a line of our own into a log. Logs are evidence, and nothing depends on them.
func mark(log *os.File, format string, args ...any) {
	_, _ = fmt.Fprintf(log, "=== %s "+format+"\n",
		append([]any{time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")}, args...)...)
}

// note writes down how a process ended.
func (s *server) note(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	how := "it was asked to"
	switch {
	case p.asked:
	case p.expected:
		how = "by itself, as was expected"
	default:
		how = "by itself"
		s.ends = append(s.ends, fmt.Errorf("%s ended by itself: %v; its last words, in %s:\n%s",
			s.node, p.cmd.ProcessState, s.log, lastWords(s.log)))
	}
	if log, err := os.OpenFile(s.log, os.O_WRONLY|os.O_APPEND, 0o644); err == nil {
		mark(log, "%s ended, %s: %v", s.node, how, p.cmd.ProcessState)
		_ = log.Close()
	}
}

// awaitListening lets others reach a process as soon as it listens.
func (c *Cluster) awaitListening(s *server, p *process) {
	tries := time.NewTicker(dialEvery)
	defer tries.Stop()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
		conn, err := c.dialer.DialContext(ctx, "tcp", s.address)
		cancel()
		if err == nil {
			_ = conn.Close()
			c.links.listens(s.node, true)
			close(p.listening)
			return
		}
		select {
		case <-p.gone:
			return
		case <-tries.C:
		}
	}
}

// signal sends one to the process.
func (s *server) signal(sig syscall.Signal) (*process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.running()
	if err != nil {
		return nil, err
	}
	if sig == syscall.SIGTERM && s.paused {
		return nil, fmt.Errorf("%s is paused and cannot hear: resume it first", s.node)
	}
	asked := p.asked
	p.asked = p.asked || sig == syscall.SIGTERM || sig == syscall.SIGKILL
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.asked = asked // it has ended by itself just now
		return nil, fmt.Errorf("%s: %v: %w", s.node, sig, err)
	}
	switch sig {
	case syscall.SIGSTOP:
		s.paused = true
	case syscall.SIGCONT:
		s.paused = false
	}
	return p, nil
}

// close ends the process, if there is one, and says what its log and its ends have to complain of.
func (s *server) close() error {
	_, _ = s.signal(syscall.SIGKILL) // an error says that there is none
	s.mu.Lock()
	p := s.process
	s.closed = true
	s.mu.Unlock()
	if p == nil {
		return nil
	}
	<-p.exited
	return errors.Join(append(s.ends, s.complaint())...)
}

// complaint is about the first line of the log that no process may write, whatever has befallen it:
// one whose disk fails ends with an error that says so.
func (s *server) complaint() error {
	log, err := os.Open(s.log)
	if err != nil {
		return fmt.Errorf("the log of %s: %w", s.node, err)
	}
	defer func() { _ = log.Close() }() // it was only read
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, logLineMax)
	bad := [][]byte{[]byte("WARNING: DATA RACE"), []byte("panic: "), []byte("fatal error: ")}
	for n := 1; lines.Scan(); n++ {
		for _, b := range bad {
			if bytes.HasPrefix(lines.Bytes(), b) {
				return fmt.Errorf("%s wrote in line %d of %s: %s", s.node, n, s.log, lines.Text())
			}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("the log of %s: %w", s.node, err)
	}
	return nil
}

// lastWords is the end of a log.
func lastWords(log string) string {
	b, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(b[max(0, len(b)-lastWordsMax):]))
}
