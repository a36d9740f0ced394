//go:build !faults

package transport

import (
	"context"
	"net"
)

// dialer connects to the address that it is given. A debug build may go elsewhere (dial_faults.go).
func dialer(d *net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	return d.DialContext
}
