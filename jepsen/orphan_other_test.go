//go:build !linux

package main

import "syscall"

// attributes are those of a server: nothing special here.
func attributes() *syscall.SysProcAttr { return nil }
