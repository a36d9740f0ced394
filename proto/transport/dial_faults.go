//go:build faults

package transport

import (
	"context"
	"net"
	"os"

	"github.com/cairnkv/cairn/internal/fault"
)

// dialer connects to where CAIRN_FAULT_DIAL says, or to no place if that cannot be read.
func dialer(d *net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	vias, err := fault.ParseVias(os.Getenv(fault.DialEnv))
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if err != nil {
			return nil, err
		}
		return d.DialContext(ctx, network, vias.Of(address))
	}
}
