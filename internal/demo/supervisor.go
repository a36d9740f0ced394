package demo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cairnkv/cairn/internal/launch"
	"github.com/cairnkv/cairn/txn"
)

// supervisor is one goroutine that knows how all children are, and others that
// tell it what happens.
type supervisor struct {
	exe, dir  string
	temporary bool
	out       io.Writer
	stopMax   time.Duration
	children  []*child
	launcher  *launch.Launcher

	announced bool // the cluster has served
	asking    bool // a status is on its way
	signalled bool // a signal has asked for the end

	ctx    context.Context // ends the tasks
	cancel func()
	tasks  sync.WaitGroup
	events chan event
	lines  chan string
}

// child is a process to be, its present life, and what is to become of it.
type child struct {
	spec
	process *process // nil: it does not run
	ready   bool
	asked   bool // its end is no surprise
	again   bool // start it again when it has ended
}

// event is what a task has to tell: about a life of a child, or a report to print.
type event struct {
	child   *child
	process *process
	ready   bool // else it has ended
	report  string
}

func newSupervisor(d *Demo, dir string, specs []spec) *supervisor {
	s := &supervisor{
		exe: d.Exe, dir: dir, temporary: d.Data == "", out: d.Stdout, stopMax: d.stopMax,
		launcher: launch.New(nil), events: make(chan event), lines: make(chan string),
	}
	if s.stopMax == 0 {
		s.stopMax = stopMax
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	for _, sp := range specs {
		s.children = append(s.children, &child{spec: sp})
	}
	return s
}

func (s *supervisor) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, format+"\n", args...)
}

// run is the life of the cluster. When it returns no child runs.
func (s *supervisor) run(ctx context.Context, stdin io.Reader) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	// Nobody waits for the reader: what blocks in a terminal's read cannot be called back. It ends
	// with its input, or has nobody to tell.
	go s.read(stdin)
	err := s.startAll()
	if err == nil {
		err = s.supervise(ctx, signals)
	}
	patience := 1
	if ctx.Err() != nil && !s.signalled {
		patience++ // whatever signal ended ctx comes here too, and is not the second one
	}
	if err == nil {
		s.say("the end is asked for: gateways first, then members; Ctrl-C again kills them")
	}
	s.stopAll(signals, patience)
	s.cancel()
	s.tasks.Wait()
	s.launcher.Close()
	return err
}

// read passes on what is typed.
func (s *supervisor) read(stdin io.Reader) {
	for lines := bufio.NewScanner(stdin); lines.Scan(); {
		select {
		case s.lines <- lines.Text():
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *supervisor) startAll() error {
	for _, c := range s.children {
		if err := s.start(c); err != nil {
			return fmt.Errorf("cannot start %s: %w", c.name, err)
		}
	}
	return nil
}

// start begins a new life of a child, with two tasks that watch it.
func (s *supervisor) start(c *child) error {
	log, err := os.OpenFile(s.logFile(c), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the child has its own
	cmd := exec.Command(s.exe, c.args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := s.launcher.Start(cmd); err != nil {
		return err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	c.process, c.ready, c.asked, c.again = p, false, false, false
	s.tasks.Go(func() {
		p.wait()
		s.post(event{child: c, process: p})
	})
	s.tasks.Go(func() {
		if s.awaitReady(c.address, p) {
			s.post(event{child: c, process: p, ready: true})
		}
	})
	return nil
}

func (s *supervisor) logFile(c *child) string { return filepath.Join(s.dir, c.name+".log") }

func (s *supervisor) post(e event) {
	select {
	case s.events <- e:
	case <-s.ctx.Done():
	}
}

// awaitReady polls a child until it is ready; false: it has ended, or all has.
func (s *supervisor) awaitReady(address string, p *process) bool {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	ticks := time.NewTicker(50 * time.Millisecond)
	defer ticks.Stop()
	for {
		select {
		case <-p.done:
			return false
		case <-s.ctx.Done():
			return false
		case <-ticks.C:
		}
		req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, "http://"+address+"/readyz", nil)
		if err != nil {
			return false
		}
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return true
			}
		}
	}
}

// supervise returns when it is time to end: nil if somebody wanted that.
func (s *supervisor) supervise(ctx context.Context, signals <-chan os.Signal) error {
	late := time.NewTimer(readyMax)
	defer late.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-signals:
			s.signalled = true
			return nil
		case <-late.C:
			if !s.announced {
				return s.notReady()
			}
		case line := <-s.lines:
			if s.obey(line) {
				return nil
			}
		case e := <-s.events:
			if err := s.take(e); err != nil {
				return err
			}
		}
	}
}

func (s *supervisor) notReady() error {
	var waiting []string
	for _, c := range s.children {
		if !c.ready {
			waiting = append(waiting, c.name+": "+s.lastWords(c))
		}
	}
	return txn.Errorf(txn.Unavailable, "not_ready", "the cluster does not serve after %v; %s",
		readyMax, strings.Join(waiting, "; "))
}

// take is told what has happened. An error ends everything: a cluster whose
// processes do not even start.
func (s *supervisor) take(e event) error {
	c := e.child
	switch {
	case c == nil:
		s.asking = false
		_, _ = io.WriteString(s.out, e.report)
	case c.process != e.process: // an earlier life
	case e.ready:
		c.ready = true
		s.tellReady(c)
	default:
		return s.takeEnd(c)
	}
	return nil
}

func (s *supervisor) tellReady(c *child) {
	if s.announced {
		s.say("%s is ready, pid %d", c.name, c.process.pid())
		return
	}
	for _, c := range s.children {
		if c.process != nil && !c.ready {
			return
		}
	}
	s.announced = true
	s.banner()
}

func (s *supervisor) takeEnd(c *child) error {
	p := c.process
	p.ended()
	c.process, c.ready = nil, false
	switch {
	case c.again:
		s.say("%s (pid %d) has ended: %s", c.name, p.pid(), p.how())
		s.restart(c)
	case c.asked:
		s.say("%s (pid %d) has ended: %s; restart %[1]s starts it again", c.name, p.pid(), p.how())
	case !s.announced:
		return fmt.Errorf("%s ended before the cluster served: %s; its last words: %s",
			c.name, p.how(), s.lastWords(c))
	default:
		s.say("%s (pid %d) has died: %s; restart %[1]s starts it again", c.name, p.pid(), p.how())
	}
	return nil
}

// lastWords is the last line of a child's log.
func (s *supervisor) lastWords(c *child) string {
	text, err := os.ReadFile(s.logFile(c))
	if err != nil {
		return err.Error()
	}
	all := strings.TrimSpace(string(text))
	return all[strings.LastIndexByte(all, '\n')+1:]
}
