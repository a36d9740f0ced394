//go:build unix && !linux

package cluster

import "syscall"

// attributes are those of a process: a terminal's Ctrl-C is not for it.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
