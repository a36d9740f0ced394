package run

import (
	"net"
	"os"

	"github.com/cairnkv/cairn/txn"
)

// advertised is where other gateways reach one that listens on lis: where it was told (configured),
// else where it listens; on all addresses that is the machine's name.
func advertised(configured string, lis net.Listener) (string, error) {
	if configured != "" {
		if host, _, err := net.SplitHostPort(configured); err != nil || host == "" {
			return "", txn.Errorf(txn.Invalid, "advertise",
				"--advertise is host:port, not %q", configured)
		}
		return configured, nil
	}
	at, ok := lis.Addr().(*net.TCPAddr)
	if !ok || !at.IP.IsUnspecified() {
		return lis.Addr().String(), nil
	}
	name, err := os.Hostname()
	if err != nil {
		return "", txn.Errorf(txn.Invalid, "advertise",
			"other gateways cannot reach %s, and this machine has no name: %w; give --advertise",
			at, err)
	}
	_, port, err := net.SplitHostPort(at.String())
	return net.JoinHostPort(name, port), err
}
