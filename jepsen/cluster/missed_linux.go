package cluster

import (
	"net"

	"golang.org/x/sys/unix"
)

// missedBy is how many packets that would have opened a connection a listener's kernel has
// dropped. SO_MEMINFO answers nine numbers of 32 bits, of which that is the last one. In TCPInfo,
// the one thing of such a form that can be asked for, Lost is in its place.
func missedBy(lis *net.TCPListener) uint32 {
	raw, err := lis.SyscallConn()
	if err != nil {
		return 0
	}
	var missed uint32
	_ = raw.Control(func(fd uintptr) { // an error says that it is closed
		if m, err := unix.GetsockoptTCPInfo(int(fd), unix.SOL_SOCKET, unix.SO_MEMINFO); err == nil {
			missed = m.Lost
		}
	})
	return missed
}
