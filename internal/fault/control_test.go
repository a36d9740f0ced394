package fault_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cairnkv/cairn/internal/fault"
)

// lines is a log that may be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// victim is a process that takes commands at a socket.
type victim struct {
	socket string
	clock  *fault.Drift
	disk   fault.Disk
	lost   []fault.PowerLoss
	killed int
	log    lines
}

func newVictim(t *testing.T, change func(*fault.Options)) *victim {
	t.Helper()
	v := &victim{socket: filepath.Join(t.TempDir(), "s"), clock: fault.NewDrift()}
	o := fault.Options{
		Socket: v.socket, Clock: v.clock, Log: slog.New(slog.NewTextHandler(&v.log, nil)),
		SetDisk:   func(d fault.Disk) { v.disk = d },
		CountDisk: func(s *fault.State) { s.Disk, s.SyncsDelayed = v.disk, 7 },
		LosePower: func(p fault.PowerLoss) (fault.Loss, error) {
			v.lost = append(v.lost, p)
			return fault.Loss{Bytes: 42, Names: 2, UnsyncedBytes: 43, UnsyncedNames: 3}, nil
		},
		Kill: func() { v.killed++ },
	}
	if change != nil {
		change(&o)
	}
	c, err := fault.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

func (v *victim) ask(t *testing.T, do fault.Command) fault.State {
	t.Helper()
	s, err := fault.Ask(t.Context(), v.socket, do)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCommands(t *testing.T) {
	v := newVictim(t, nil)
	s := v.ask(t, fault.Command{})
	if s.SyncsDelayed != 7 || s.Disk != (fault.Disk{}) || s.Clock != (fault.Clock{}) {
		t.Errorf("at first: %+v", s)
	}
	if strings.Contains(v.log.String(), "msg=fault") {
		t.Errorf("a question is in the log as a fault: %s", v.log.String())
	}
	clock := fault.Clock{OffsetMicros: 9_000_000, Rate: 1.25}
	s = v.ask(t, fault.Command{Clock: &clock})
	if ahead := s.WallMicros - time.Now().UnixMicro(); s.Clock != clock || ahead < 8_000_000 {
		t.Errorf("with another clock: %+v", s)
	}
	disk := fault.Disk{SyncDelayMillis: 500, SyncError: true, Full: true, Low: true}
	s = v.ask(t, fault.Command{Disk: &disk})
	if s.Disk != disk || v.disk != disk || s.Clock != clock {
		t.Errorf("with another disk: %+v", s)
	}
	loss := fault.PowerLoss{KeepPercent: 30, Seed: 5}
	v.ask(t, fault.Command{PowerLoss: &loss})
	if len(v.lost) != 1 || v.lost[0] != loss || v.killed != 1 {
		t.Errorf("lost power %v, killed %d times", v.lost, v.killed)
	}
	for _, want := range []string{"msg=fault", "offset_us", "sync_delay_ms", "power_loss", "lost_bytes=42",
		"lost_names=2", "unsynced_bytes=43", "unsynced_names=3"} {
		if !strings.Contains(v.log.String(), want) {
			t.Errorf("the log does not say %s: %s", want, v.log.String())
		}
	}
}

func TestFirstCommand(t *testing.T) {
	v := newVictim(t, func(o *fault.Options) { o.First = `{"clock":{"offset_us":1000000}}` })
	if s := v.ask(t, fault.Command{}); s.Clock.OffsetMicros != 1_000_000 {
		t.Errorf("%+v", s)
	}
	_, err := fault.Start(fault.Options{First: `{"clock":{"offset":1}}`, Clock: fault.NewDrift(),
		Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), fault.FirstEnv) {
		t.Errorf("a first command that is misspelt: %v", err)
	}
}

func TestRefusedCommands(t *testing.T) {
	v := newVictim(t, func(o *fault.Options) { o.SetDisk, o.CountDisk, o.LosePower = nil, nil, nil })
	for _, c := range []struct {
		do   fault.Command
		want string
	}{
		{fault.Command{Disk: &fault.Disk{Full: true}}, "no disk"},
		{fault.Command{Disk: &fault.Disk{SyncDelayMillis: -1}}, "sync delay"},
		{fault.Command{Clock: &fault.Clock{Rate: 1000}}, "rate"},
		{fault.Command{PowerLoss: &fault.PowerLoss{KeepPercent: 101}}, "keep_percent"},
		{fault.Command{PowerLoss: &fault.PowerLoss{WaitMillis: 60_000}}, "wait_ms"},
	} {
		if _, err := fault.Ask(t.Context(), v.socket, c.do); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %s", c.do, err, c.want)
		}
	}
	if strings.Contains(v.log.String(), "msg=fault") || v.killed > 0 {
		t.Errorf("something was done: %s", v.log.String())
	}
	v.ask(t, fault.Command{PowerLoss: &fault.PowerLoss{}}) // without a disk it only ends
	if v.killed != 1 {
		t.Error("it was not killed")
	}
	if _, err := fault.Ask(t.Context(), v.socket+"x", fault.Command{}); err == nil {
		t.Error("nobody listens there")
	}
}

func TestFailedPowerLoss(t *testing.T) {
	v := newVictim(t, func(o *fault.Options) {
		o.LosePower = func(fault.PowerLoss) (fault.Loss, error) { return fault.Loss{}, errors.New("stuck") }
	})
	v.ask(t, fault.Command{PowerLoss: &fault.PowerLoss{}})
	if log := v.log.String(); v.killed != 1 || !strings.Contains(log, "power_loss_failed=stuck") {
		t.Errorf("killed %d times: %s", v.killed, log)
	}
}

// A process that ends before it answers has lost its power, if that is what it was told.
func TestEndWithoutAnswer(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	lis, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lis.Close() }()
	go func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1000))
			_ = conn.Close()
		}
	}()
	if _, err := fault.Ask(t.Context(), socket, fault.Command{PowerLoss: &fault.PowerLoss{}}); err != nil {
		t.Error(err)
	}
	if _, err := fault.Ask(t.Context(), socket, fault.Command{}); err == nil {
		t.Error("no answer, and no error")
	}
}

func TestClosesWhileServing(t *testing.T) {
	v := &victim{socket: filepath.Join(t.TempDir(), "s"), clock: fault.NewDrift()}
	c, err := fault.Start(fault.Options{Socket: v.socket, Clock: v.clock, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", v.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	began := time.Now()
	if err := c.Close(); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("closed after %v: %v", time.Since(began), err)
	}
}

func TestVias(t *testing.T) {
	v, err := fault.ParseVias("127.0.0.1:7701=127.0.0.1:9001,[::1]:7702=localhost:9002")
	if err != nil {
		t.Fatal(err)
	}
	for real, want := range map[string]string{
		"127.0.0.1:7701": "127.0.0.1:9001", "[::1]:7702": "localhost:9002", "127.0.0.1:7703": "127.0.0.1:7703",
	} {
		if got := v.Of(real); got != want {
			t.Errorf("%s goes to %s, want %s", real, got, want)
		}
	}
	for _, bad := range []string{"a", "a:1", "a:1=b", "a:1=b:2,a:1=c:3", "a:1=b:2,"} {
		if _, err := fault.ParseVias(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if v, err := fault.ParseVias(""); err != nil || v.Of("a:1") != "a:1" {
		t.Error("none is refused")
	}
}
