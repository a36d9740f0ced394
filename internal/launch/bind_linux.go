package launch

import "syscall"

// bind gives a process its own group, and lets it end with the thread that starts it.
func bind(a *syscall.SysProcAttr) { a.Setpgid, a.Pdeathsig = true, syscall.SIGKILL }
