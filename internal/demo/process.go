package demo

import (
	"os"
	"os/exec"
	"syscall"
	"time"
)

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
