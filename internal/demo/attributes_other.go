//go:build !unix

package demo

import "syscall"

// attributes are those of a child: nothing special here.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
