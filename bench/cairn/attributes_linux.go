package cairn

import "syscall"

// attributes are those of a process: it must not outlive us, and a terminal's Ctrl-C is not for it.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
