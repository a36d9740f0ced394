//go:build unix

package transport

import "syscall"

// peek looks whether anything has come on a connection, without waiting.
type peek struct {
	b     [1]byte
	empty bool // nothing has, nor has it ended
}

// look is for syscall.RawConn.
func (p *peek) look(fd uintptr) (done bool) {
	_, err := syscall.Read(int(fd), p.b[:])
	p.empty = err == syscall.EAGAIN
	return true
}
