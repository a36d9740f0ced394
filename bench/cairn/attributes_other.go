//go:build !unix

package cairn

import "syscall"

// attributes are those of a process: nothing special here.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
