package demo

import "syscall"

// attributes are those of a child. A process group of its own keeps the
// terminal's Ctrl-C from it, which is for the demo to pass on in order; and it
// must not outlive the thread that started it.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
