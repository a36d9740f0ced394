//go:build !unix

package launch

import "syscall"

// bind has nothing to do here.
func bind(*syscall.SysProcAttr) {}
