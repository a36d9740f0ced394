package main

import "syscall"

// attributes are those of a server: it must not outlive a test binary that is killed.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
