//go:build !unix

package transport

// peek takes every connection for open: a request on one that is not fails.
type peek struct{ empty bool }

// look is for syscall.RawConn.
func (p *peek) look(uintptr) (done bool) {
	p.empty = true
	return true
}
