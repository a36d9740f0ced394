package demo

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// launcher starts processes from one OS thread that lives as long as it does:
// Linux sends the signal for a parent's death when the thread ends that
// started the child, and Go may end any thread that is not locked.
type launcher struct {
	requests chan launch
	ended    chan struct{}
}

type launch struct {
	cmd    *exec.Cmd
	result chan error
}

func newLauncher() *launcher {
	l := &launcher{requests: make(chan launch), ended: make(chan struct{})}
	go func() {
		defer close(l.ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for r := range l.requests {
			r.result <- r.cmd.Start()
		}
	}()
	return l
}

func (l *launcher) start(cmd *exec.Cmd) error {
	r := launch{cmd: cmd, result: make(chan error, 1)}
	l.requests <- r
	return <-r.result
}

// close ends the thread; whatever still runs is killed where the system does that.
func (l *launcher) close() {
	close(l.requests)
	<-l.ended
}

// process is one life of a child. Its methods are for one goroutine.
type process struct {
	cmd   *exec.Cmd
	done  chan struct{} // closed when it has ended and was waited for
	force *time.Timer   // kills it once it was asked to end
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// wait waits for the end of the process; it is called once, anywhere.
func (p *process) wait() {
	_ = p.cmd.Wait() // how it ended is in ProcessState
	close(p.done)
}

// how it ended, as in "exit status 1" or "signal: killed"; only after done.
func (p *process) how() string { return p.cmd.ProcessState.String() }

// stop asks the process to end, and kills it if it has not after the bound.
func (p *process) stop(bound time.Duration) {
	if p.force != nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // where there are no signals force does it
	p.force = time.AfterFunc(bound, p.kill)
}

// kill is what cannot be refused. One that has ended already stays so.
func (p *process) kill() { _ = p.cmd.Process.Signal(os.Kill) }

// ended releases what stop has set up; only after done.
func (p *process) ended() {
	if p.force != nil {
		p.force.Stop()
	}
}
