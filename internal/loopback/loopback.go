// Package loopback finds addresses on this machine for servers that come and go.
package loopback

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports from portMin up to, not including, portEnd are below those that kernels
// give to outgoing connections (from 49152 by RFC 6335 §6, from 32768 on Linux).
// So nobody takes one by chance while its server is down.
const (
	portMin = 20000
	portEnd = 32000
)

// Free returns n different addresses that nobody listens at now, somewhere at
// random, so that two who ask at once seldom get the same. It fails if there are
// not so many.
func Free(n int) ([]string, error) { return freeFrom(rand.IntN(portEnd-portMin), n) }

func freeFrom(first, n int) ([]string, error) {
	var free []string
	for i := range portEnd - portMin {
		if len(free) == n {
			return free, nil
		}
		address := fmt.Sprint("127.0.0.1:", portMin+(first+i)%(portEnd-portMin))
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close()
			free = append(free, address)
		}
	}
	return nil, fmt.Errorf("fewer than %d ports between %d and %d are free", n, portMin, portEnd)
}
