package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cairnkv/cairn/internal/launch"
)

const (
	// packetBytesMax is the MTU.
	packetBytesMax = 16 << 10
	// packetsMax bounds what is on a slow way; what comes beyond them is lost, as in any router.
	packetsMax = 1024
	// portInNamespace is where every node listens.
	portInNamespace = 7700
	// Hosts of the cluster's network: the load, and who looks at the processes around the links.
	hostClients = 1
	hostAdmin   = 2
	hostFirst   = 10 // of the nodes
)

// router passes packets from one namespace to another. Each has a TUN device, whose other end is
// here: what is sent between two nodes is packets, and the kernels of both ends do to those that
// are lost what they always do.
type router struct {
	network [4]byte // with the host 0
	links   *links

	mu      sync.Mutex
	next    byte             // host
	devices map[byte]*device // by host; the load's is also that of who looks
	stopped chan struct{}
	tasks   sync.WaitGroup
}

// device is the network of one node.
type device struct {
	node Node
	tun  *os.File
}

// newRouter makes a network with nothing but us in it.
func newRouter(l *links) (*router, error) {
	r := &router{network: [4]byte{10, byte(64 + rand.N(128)), byte(rand.N(256)), 0}, links: l,
		next: hostFirst, devices: make(map[byte]*device), stopped: make(chan struct{})}
	if err := r.attach(Clients, hostClients, hostAdmin); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *router) address(host byte) string {
	a := r.network
	a[3] = host
	return netip.AddrFrom4(a).String()
}

// admin dials around the links.
func (r *router) admin() *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(r.address(hostAdmin))}}
}

// enter gives a node a namespace: that of the thread of the launcher that it returns.
func (r *router) enter(n Node) (l *launch.Launcher, address string, err error) {
	r.mu.Lock()
	host := r.next
	r.next++
	r.mu.Unlock()
	prepared := make(chan error, 1)
	l = launch.New(func() (own bool) {
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err != nil {
			err = fmt.Errorf("no network namespace: %w; run this as root, or without Namespaces", err)
			prepared <- err
			return false
		}
		prepared <- errors.Join(run("ip", "link", "set", "lo", "up"), r.attach(n, host))
		return true
	})
	if err := <-prepared; err != nil {
		l.Close()
		return nil, "", fmt.Errorf("%s: %w", n, err)
	}
	return l, net.JoinHostPort(r.address(host), strconv.Itoa(portInNamespace)), nil
}

// attach makes a device in the namespace of the thread that calls it.
func (r *router) attach(n Node, hosts ...byte) error {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("no device: %w; run this as root, or without Namespaces", err)
	}
	ifr, err := unix.NewIfreq("cairn%d")
	if err == nil {
		ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	}
	d := &device{node: n, tun: os.NewFile(uintptr(fd), "tun of "+string(n))}
	if err != nil {
		return errors.Join(fmt.Errorf("no device: %w", err), d.tun.Close())
	}
	r.mu.Lock()
	for _, h := range hosts {
		r.devices[h] = d
	}
	r.mu.Unlock()
	for i, h := range hosts {
		bits := "/24"
		if i > 0 {
			bits = "/32" // the first one is where packets come from unless they say otherwise
		}
		err = errors.Join(err, run("ip", "addr", "add", r.address(h)+bits, "dev", ifr.Name()))
	}
	err = errors.Join(err, run("ip", "link", "set", ifr.Name(), "up", "mtu",
		strconv.Itoa(packetBytesMax)))
	r.tasks.Go(func() { r.receive(d) })
	return err
}

// run runs a command in the namespace of its thread.
func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// receive takes what a node sends until its device is closed.
func (r *router) receive(from *device) {
	flights := make(map[byte]*flight)
	buf := make([]byte, packetBytesMax)
	for {
		n, err := from.tun.Read(buf)
		if err != nil {
			return
		}
		src, dst, ok := r.hosts(buf[:n])
		if !ok {
			continue
		}
		r.mu.Lock()
		to := r.devices[dst]
		r.mu.Unlock()
		if to == nil {
			continue
		}
		if src == hostAdmin || dst == hostAdmin {
			_, _ = to.tun.Write(buf[:n]) // lost if it cannot be
			continue
		}
		f := flights[dst]
		if f == nil {
			f = r.newFlight(pair{from.node, to.node}, to)
			flights[dst] = f
		}
		f.send(buf[:n])
	}
}

// hosts of a packet between two of this network.
func (r *router) hosts(packet []byte) (src, dst byte, ok bool) {
	if len(packet) < 20 || packet[0]>>4 != 4 {
		return 0, 0, false
	}
	network := binary.BigEndian.Uint32(r.network[:]) >> 8
	from, to := binary.BigEndian.Uint32(packet[12:]), binary.BigEndian.Uint32(packet[16:])
	return byte(from), byte(to), from>>8 == network && to>>8 == network
}

// close is called when all launchers are closed.
func (r *router) close() error {
	close(r.stopped)
	r.mu.Lock()
	var errs []error
	for h, d := range r.devices {
		if h != hostAdmin {
			errs = append(errs, d.tun.Close())
		}
	}
	r.mu.Unlock()
	r.tasks.Wait()
	return errors.Join(errs...)
}

// flight is what is on its way from one node to another.
type flight struct {
	way     *way
	to      *device
	queue   chan packet
	waiting atomic.Int64 // packets in the queue, with the one that is being sent
	last    time.Time    // when the newest of them arrives
}

type packet struct {
	due  time.Time
	data []byte
}

func (r *router) newFlight(p pair, to *device) *flight {
	r.links.mu.Lock()
	f := &flight{way: r.links.way(p), to: to, queue: make(chan packet, packetsMax)}
	r.links.mu.Unlock()
	r.tasks.Go(func() { f.run(r.stopped) })
	return f
}

// send is for one goroutine. The data may change afterwards.
func (f *flight) send(data []byte) {
	if f.waiting.Load() == 0 && !f.way.slows() {
		f.arrive(data)
		return
	}
	v := packet{time.Now().Add(f.way.takes()), append([]byte(nil), data...)}
	if v.due.Before(f.last) {
		v.due = f.last
	}
	f.waiting.Add(1)
	select {
	case f.queue <- v:
		f.last = v.due
		f.way.delayed.Add(1)
	default:
		f.waiting.Add(-1)
		f.way.dropped.Add(int64(len(data)))
	}
}

// run lets packets arrive when they are due.
func (f *flight) run(stopped <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var v packet
		select {
		case v = <-f.queue:
		case <-stopped:
			return
		}
		timer.Reset(time.Until(v.due))
		select {
		case <-timer.C:
		case <-stopped:
			return
		}
		f.arrive(v.data)
		f.waiting.Add(-1)
	}
}

func (f *flight) arrive(data []byte) {
	f.way.passing.RLock()
	defer f.way.passing.RUnlock()
	n := int64(len(data))
	if f.way.cut.Load() {
		f.way.dropped.Add(n)
		return
	}
	if _, err := f.to.tun.Write(data); err != nil {
		f.way.dropped.Add(n) // its queue is full
		return
	}
	f.way.passed.Add(n)
}
