package child

import "syscall"

// attributes keep the terminal's signals from servers, and let none outlive a driver that dies.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
