//go:build unix && !linux

package cairn

import "syscall"

// attributes are those of a process: a terminal's Ctrl-C is not for it.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
