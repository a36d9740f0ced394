package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/cairnkv/cairn/bench/load"
	"github.com/cairnkv/cairn/internal/launch"
)

const (
	stopMax  = 10 * time.Second // for a server to end when asked; then it is killed
	pollTime = 50 * time.Millisecond
	tailMax  = 2048 // bytes of a dead server's log in an error
)

// Set are the servers of one system. It is used by one goroutine.
type Set struct {
	dir     string
	say     io.Writer
	servers []*server

	launcher *launch.Launcher // none may outlive a driver that dies
}

type server struct {
	usage load.Usage
	cmd   *exec.Cmd
	log   string
	done  chan struct{} // closed when the process has ended
	err   error         // how, after done
}

// NewSet makes an empty set, whose logs go to dir and whose commands are told to say.
func NewSet(dir string, say io.Writer) *Set {
	return &Set{dir: dir, say: say, launcher: launch.New(nil)}
}

// Dir is where the servers keep what is theirs.
func (s *Set) Dir() string { return s.dir }

// Start starts a server: u is its role and name, as what it uses is reported.
func (s *Set) Start(u load.Usage, cmd *exec.Cmd) error {
	log := filepath.Join(s.dir, u.Name+".log")
	out, err := os.Create(log)
	if err != nil {
		return fmt.Errorf("start %s: %w", u.Name, err)
	}
	defer func() { _ = out.Close() }() // the process has its own
	cmd.Stdout, cmd.Stderr = out, out
	fmt.Fprintf(s.say, "%s: %s\n", u.Name, strings.Join(cmd.Args, " "))
	if err := s.launcher.Start(cmd); err != nil {
		return fmt.Errorf("start %s: %w", u.Name, err)
	}
	p := &server{usage: u, cmd: cmd, log: log, done: make(chan struct{})}
	s.servers = append(s.servers, p)
	go func() { // Stop waits for it
		p.err = cmd.Wait()
		close(p.done)
	}()
	return nil
}

// Await repeats ready until it succeeds. It fails when a server ends or ctx does.
func (s *Set) Await(ctx context.Context, ready func(ctx context.Context) error) error {
	tick := time.NewTicker(pollTime)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		for _, p := range s.servers {
			if p.ended() {
				return fmt.Errorf("%s ended: %w: %s", p.usage.Name, p.err, tail(p.log))
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the servers do not become ready: %w", err)
		case <-tick.C:
		}
	}
}

func (p *server) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func tail(log string) string {
	text, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-tailMax):])
}

// Processes are the servers that were started, by process id.
func (s *Set) Processes() map[int]load.Usage {
	m := make(map[int]load.Usage, len(s.servers))
	for _, p := range s.servers {
		m[p.cmd.Process.Pid] = p.usage
	}
	return m
}

// Stop ends all servers and waits for them. It is called once, and nothing is started after it.
func (s *Set) Stop() error {
	for _, p := range s.servers {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // one that has ended cannot be told
	}
	late := time.NewTimer(stopMax)
	defer late.Stop()
	var errs []error
	for _, p := range s.servers {
		select {
		case <-p.done:
		case <-late.C:
			late.Reset(0) // for the next ones too
			if p.ended() {
				continue
			}
			errs = append(errs, fmt.Errorf("%s did not end when asked and was killed", p.usage.Name))
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	}
	s.servers = nil
	s.launcher.Close()
	return errors.Join(errs...)
}
