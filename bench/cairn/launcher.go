package cairn

import (
	"os/exec"
	"runtime"
)

// launcher starts processes from one thread that lives as long as it does: they must not outlive
// us, and Linux takes the end of the thread that started one for the end of its parent.
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

// close is called when all that was started has ended, and nothing is started any more.
func (l *launcher) close() {
	close(l.requests)
	<-l.ended
}
