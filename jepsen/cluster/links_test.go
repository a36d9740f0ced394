//go:build unix

package cluster

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain makes the directory that the tests of clusters share their programs in.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "cairn-programs")
	if err == nil {
		err = os.Setenv("CAIRN_TEST_PROGRAMS", dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

const patience = 10 * time.Second

var there = pair{"a", "b"} // a dials b

// rig is one link with a server behind it.
type rig struct {
	t      *testing.T
	l      *links
	server *net.TCPListener
}

func newRig(t *testing.T) *rig {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, l: newLinks(), server: lis.(*net.TCPListener)}
	if err := r.l.build(there, lis.Addr().String()); err != nil {
		t.Fatal(err)
	}
	r.l.listens("b", true)
	t.Cleanup(func() {
		_ = lis.Close()
		if err := r.l.close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// connect returns both ends of a connection.
func (r *rig) connect() (near, far *net.TCPConn) {
	r.t.Helper()
	c, err := net.DialTimeout("tcp", r.l.address(there), patience)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.server.SetDeadline(time.Now().Add(patience)); err != nil {
		r.t.Fatal(err)
	}
	far, err = r.server.AcceptTCP()
	if err != nil {
		r.t.Fatal(err)
	}
	near = c.(*net.TCPConn)
	for _, end := range []*net.TCPConn{near, far} {
		if err := end.SetDeadline(time.Now().Add(patience)); err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { _ = end.Close() })
	}
	return near, far
}

func (r *rig) send(c *net.TCPConn, s string) {
	r.t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		r.t.Fatal(err)
	}
}

// hears fails the test unless s is what comes next.
func (r *rig) hears(c *net.TCPConn, s string) {
	r.t.Helper()
	b := make([]byte, len(s))
	if _, err := io.ReadFull(c, b); err != nil || string(b) != s {
		r.t.Fatalf("got %q, %v; want %q", b, err, s)
	}
}

// silent fails the test if anything comes, an end too.
func (r *rig) silent(c *net.TCPConn) {
	r.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	n, err := c.Read(make([]byte, 1))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Fatalf("got %d bytes, %v; want nothing", n, err)
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
}

// ends fails the test unless the stream ends so.
func (r *rig) ends(c *net.TCPConn, want error) {
	r.t.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, want) {
		r.t.Fatalf("got %d bytes, %v; want %v", n, err, want)
	}
}

// dropped waits until so many bytes were.
func (r *rig) dropped(p pair, n int64) {
	r.t.Helper()
	r.counts(p, func(s LinkState) bool { return s.Dropped == n })
}

// counts waits until the state is as wanted.
func (r *rig) counts(p pair, ok func(LinkState) bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); !ok(r.l.state(p)); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("%v: %+v", p, r.l.state(p))
		}
	}
}

func TestLinkPassesBytesInOrder(t *testing.T) {
	r := newRig(t)
	near, far := r.connect()
	changed := make(chan struct{})
	go func() { // slow, fast and jittery while they pass
		defer close(changed)
		for i := range 20 {
			r.l.slow(there, time.Duration(i%3)*time.Millisecond, time.Duration(i%2)*time.Millisecond)
			r.l.slow(there.reverse(), time.Duration(i%2)*time.Millisecond, 0)
			<-time.After(5 * time.Millisecond)
		}
	}()
	const size = 16 << 20
	var ends sync.WaitGroup
	for _, c := range [][2]*net.TCPConn{{near, far}, {far, near}} {
		sent, got := sha256.New(), sha256.New()
		var sender sync.WaitGroup
		sender.Go(func() {
			source := rand.NewChaCha8([32]byte{1})
			b := make([]byte, 100<<10)
			for n := 0; n < size; {
				piece := b[:min(1+rand.N(len(b)), size-n)]
				_, _ = source.Read(piece)
				sent.Write(piece)
				if _, err := c[0].Write(piece); err != nil {
					t.Error(err)
					return
				}
				n += len(piece)
			}
			_ = c[0].CloseWrite()
		})
		ends.Go(func() {
			n, err := io.Copy(got, c[1])
			sender.Wait()
			if n != size || err != nil || !bytes.Equal(sent.Sum(nil), got.Sum(nil)) {
				t.Errorf("%d bytes of %d, %v; or they have changed", n, size, err)
			}
		})
	}
	ends.Wait()
	<-changed
	for _, p := range []pair{there, there.reverse()} {
		r.counts(p, func(s LinkState) bool { return s.Passed == size && s.Dropped == 0 && s.Delayed > 0 })
	}
}

func TestLinkCutIsOneWay(t *testing.T) {
	r := newRig(t)
	near, far := r.connect()
	idle, idleFar := r.connect()
	for _, p := range []pair{there, there.reverse()} {
		r.send(near, "a")
		r.hears(far, "a")
		says, hears := near, far
		if p != there {
			says, hears = far, near
		}
		r.l.cut(p)
		r.send(says, "lost")
		r.silent(hears)
		r.send(hears, "not lost")
		r.hears(says, "not lost")
		r.dropped(p, 4)
		r.l.mend(p)
		r.ends(near, syscall.ECONNRESET)
		r.ends(far, syscall.ECONNRESET)
		near, far = r.connect()
	}
	r.send(idle, "goes on")
	r.hears(idleFar, "goes on")
}

// TestLinkEndsBothWaysMended: a connection with a hole must not go on while nobody can tell.
func TestLinkEndsBothWaysMended(t *testing.T) {
	r := newRig(t)
	near, far := r.connect()
	r.l.cut(there)
	r.l.cut(there.reverse())
	r.send(near, "lost")
	r.dropped(there, 4)
	r.l.mend(there)
	r.send(near, "behind the hole")
	r.dropped(there, 19)
	r.silent(far)
	r.l.mendAll()
	r.ends(far, syscall.ECONNRESET)
	r.ends(near, syscall.ECONNRESET)
}

func TestLinkCutDialHangs(t *testing.T) {
	for _, p := range []pair{there, there.reverse()} {
		r := newRig(t)
		r.l.cut(p)
		for range 3 {
			c, err := net.DialTimeout("tcp", r.l.address(there), 100*time.Millisecond)
			if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
				t.Fatalf("dialling gave %v, %v; want a timeout", c, err)
			}
		}
		if runtime.GOOS == "linux" {
			if s, back := r.l.state(p), r.l.state(p.reverse()); s.Dials != 3 || back.Dials != 0 {
				t.Errorf("three have dialled in vain: %+v, and %+v back", s, back)
			}
		}
		dialled := make(chan error, 1)
		go func() {
			c, err := net.DialTimeout("tcp", r.l.address(there), patience)
			if err == nil {
				_ = c.Close()
			}
			dialled <- err
		}()
		<-time.After(100 * time.Millisecond)
		r.l.listens("b", false) // nobody can hear of that
		r.l.listens("b", true)
		select {
		case err := <-dialled:
			t.Fatalf("dialling ended before the link was mended: %v", err)
		default:
		}
		r.l.mend(p)
		if err := <-dialled; err != nil {
			t.Fatal(err)
		}
		r.connect()
	}
}

func TestLinkRefusesWithoutListener(t *testing.T) {
	r := newRig(t)
	for range 3 {
		r.l.listens("b", false)
		if _, err := net.Dial("tcp", r.l.address(there)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("dialling gave %v", err)
		}
		r.l.listens("b", true)
		r.connect()
	}
}

func TestLinkDelay(t *testing.T) {
	const delay, pieces = 100 * time.Millisecond, 20
	r := newRig(t)
	near, far := r.connect()
	r.l.slow(there, delay, 0)
	began := time.Now()
	for range pieces {
		r.send(near, "p")
		<-time.After(time.Millisecond)
		r.send(far, "q")
		r.hears(near, "q") // the other way is as fast as ever
	}
	if took := time.Since(began); took > delay {
		t.Fatalf("the way back took %v", took)
	}
	for i := range pieces {
		r.hears(far, "p")
		if took := time.Since(began); i == 0 && took < delay || took > 5*delay {
			t.Fatalf("piece %d arrived after %v", i, took)
		}
	}
	r.counts(there, func(s LinkState) bool { return s.Delayed == pieces && s.Passed == pieces })
	r.l.slow(there, delay, 0)
	r.send(near, "on its way")
	r.counts(there, func(s LinkState) bool { return s.Delayed == pieces+1 })
	r.l.cut(there)
	r.silent(far)
	r.dropped(there, 10)
}

func TestLinkPassesEnds(t *testing.T) {
	r := newRig(t)
	near, far := r.connect()
	r.send(near, "question")
	_ = near.CloseWrite()
	r.hears(far, "question")
	r.ends(far, io.EOF)
	r.send(far, "answer")
	_ = far.Close()
	r.hears(near, "answer")
	r.ends(near, io.EOF)
	r.counts(there, func(LinkState) bool { // nothing is left of it
		d := r.l.doors[there]
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.open) == 0
	})

	near, far = r.connect()
	_ = far.SetLinger(0)
	_ = far.Close()
	r.ends(near, syscall.ECONNRESET)

	near, far = r.connect()
	r.l.cut(there)
	_ = near.Close()
	r.silent(far)
	r.counts(there, func(s LinkState) bool { return s.Ends == 1 })
	r.l.mend(there)
	r.ends(far, syscall.ECONNRESET)
}

// TestLinkCutIsComplete: nothing passes once a link is cut, although somebody was passing something
// on, to one who reads or to one who does not.
func TestLinkCutIsComplete(t *testing.T) {
	for _, reads := range []bool{true, false} {
		r := newRig(t)
		near, far := r.connect()
		var ends sync.WaitGroup
		ends.Go(func() {
			for b := make([]byte, 64<<10); ; {
				if _, err := near.Write(b); err != nil {
					return
				}
			}
		})
		if reads {
			ends.Go(func() { _, _ = io.Copy(io.Discard, far) })
			r.counts(there, func(s LinkState) bool { return s.Passed > 64<<20 })
		} else {
			passed := int64(-1)
			r.counts(there, func(s LinkState) bool {
				stuck := s.Passed == passed
				passed = s.Passed
				<-time.After(50 * time.Millisecond)
				return stuck && passed > 0
			})
		}
		r.l.cut(there)
		passed := r.l.state(there).Passed
		r.counts(there, func(s LinkState) bool { return s.Dropped > 16<<20 })
		if now := r.l.state(there).Passed; now != passed {
			t.Errorf("%d bytes passed after the cut", now-passed)
		}
		r.l.mend(there)
		ends.Wait()
		near, far = r.connect()
		r.send(near, "again")
		r.hears(far, "again")
	}
}

// TestLinkBuffersAreBounded: whoever sends to somebody who does not read has to wait.
func TestLinkBuffersAreBounded(t *testing.T) {
	r := newRig(t)
	near, far := r.connect()
	_ = near.SetWriteBuffer(64 << 10)
	_ = far.SetReadBuffer(64 << 10)
	r.l.slow(there, time.Hour, 0)
	sent := 0
	for b := make([]byte, 64<<10); ; {
		_ = near.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := near.Write(b)
		sent += n
		if err != nil {
			break
		}
		if sent > bytesMax+16<<20 { // the kernel has buffers too
			t.Fatalf("%d bytes were taken", sent)
		}
	}
	if sent < bytesMax {
		t.Errorf("only %d bytes were taken", sent)
	}
}
