//go:build unix && !linux

package demo

import "syscall"

// attributes are those of a child: a process group of its own keeps the
// terminal's Ctrl-C from it, which is for the demo to pass on in order.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
