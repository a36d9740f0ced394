//go:build unix

package cluster

import (
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cairnkv/cairn/internal/fault"
)

// told gives a process a clock, and returns what became of that.
func told(t *testing.T, c *Cluster, clock *fault.Clock) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := c.Command(t.Context(), "m1", fault.Command{Clock: clock})
		done <- err
	}()
	return done
}

// A process that has just been started takes commands a moment later.
func TestCommandAwaitsListening(t *testing.T) {
	p := &process{exited: make(chan struct{})}
	s := &server{node: "m1", socket: filepath.Join(t.TempDir(), "s"), process: p}
	c := &Cluster{servers: map[Node]*server{"m1": s}}
	done := told(t, c, &fault.Clock{Rate: 1.5})
	select {
	case err := <-done:
		t.Fatalf("with nobody at the socket: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	control, err := fault.Start(fault.Options{Socket: s.socket, Clock: fault.NewDrift(),
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	_, err = c.Command(t.Context(), "m1", fault.Command{Disk: &fault.Disk{Full: true}})
	if !errors.Is(err, fault.ErrRefused) || errors.Is(err, ErrDown) {
		t.Errorf("a disk that it does not have: %v", err)
	}
	if err := control.Close(); err != nil {
		t.Error(err)
	}
}

// Whatever becomes of a command, who is killed meanwhile was killed, and the next process goes by
// the clock that was told last.
func TestCommandMeetsEnd(t *testing.T) {
	c, s := script(t, "exec sleep 100\n")
	s.socket = filepath.Join(t.TempDir(), "s")
	lis, err := net.Listen("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lis.Close() }()
	done := told(t, c, &fault.Clock{OffsetMicros: 111})
	conn, err := lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.signal("m1", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if err := <-done; !errors.Is(err, ErrDown) {
		t.Errorf("a command to a process that ended: %v", err)
	}
	if first := strings.Join(s.first(), ""); !strings.Contains(first, `"offset_us":111`) {
		t.Errorf("the next process is told %s", first)
	}
	if err := <-told(t, c, &fault.Clock{OffsetMicros: 222}); !errors.Is(err, ErrDown) {
		t.Errorf("a command to a process that has ended: %v", err)
	}
	if err := <-told(t, c, &fault.Clock{Rate: 1e6}); err == nil || errors.Is(err, ErrDown) {
		t.Errorf("a clock that there is not: %v", err)
	}
	if first := strings.Join(s.first(), ""); !strings.Contains(first, `"offset_us":222`) {
		t.Errorf("the next process is told %s", first)
	}
	if err := s.close(); err != nil {
		t.Errorf("close complains of %v", err)
	}
}
