//go:build !linux

package conformance

import "syscall"

// attributes are those of a server: nothing special here.
func attributes() *syscall.SysProcAttr { return nil }
