//go:build unix && !linux

package launch

import "syscall"

// bind gives a process its own group.
func bind(a *syscall.SysProcAttr) { a.Setpgid = true }
