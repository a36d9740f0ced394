// Package launch starts processes that do not outlive the one that starts them,
// where the system can see to that.
package launch

import (
	"os/exec"
	"runtime"
	"syscall"
)

// Launcher starts processes from one thread that lives as long as it does: Linux takes the end of
// the thread that started one for the end of its parent, and Go may end any that is not locked.
type Launcher struct {
	requests chan request
	ended    chan struct{}
}

type request struct {
	cmd    *exec.Cmd
	result chan error
}

// New lets the thread prepare for what it starts, unless that is nil. Own says that no other
// goroutine can have the thread afterwards.
func New(prepare func() (own bool)) *Launcher {
	l := &Launcher{requests: make(chan request), ended: make(chan struct{})}
	go func() {
		defer close(l.ended)
		runtime.LockOSThread()
		if prepare == nil || !prepare() {
			defer runtime.UnlockOSThread()
		}
		for r := range l.requests {
			r.result <- r.cmd.Start()
		}
	}()
	return l
}

// Start starts cmd, in a process group of its own where there are groups: a terminal's Ctrl-C is
// not for it.
func (l *Launcher) Start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	bind(cmd.SysProcAttr)
	r := request{cmd: cmd, result: make(chan error, 1)}
	l.requests <- r
	return <-r.result
}

// Close ends the thread, once, when nothing is started any more. Whatever still runs is killed
// where the system does that.
func (l *Launcher) Close() {
	close(l.requests)
	<-l.ended
}
