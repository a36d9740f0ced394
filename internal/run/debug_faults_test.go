//go:build faults

package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/internal/fault"
)

// processEnv are the arguments of a program that this test binary is instead of a test.
const processEnv = "CAIRN_FAULT_PROCESS"

// TestFaultProcess is a program, for the other tests: a loss of power ends its process.
func TestFaultProcess(t *testing.T) {
	var args []string
	if json.Unmarshal([]byte(os.Getenv(processEnv)), &args) != nil {
		t.Skip("it is for the other tests")
	}
	command := map[string]*cobra.Command{
		"shard":   ShardCommand(os.Stdout, os.Stderr),
		"gateway": GatewayCommand(os.Stdout, os.Stderr),
	}
	os.Exit(Main(command[args[0]], args[1:], os.Stderr))
}

// victim is a program in a process of its own.
type victim struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string
	socket  string
	log     string
	ended   chan error
}

func startVictim(t *testing.T, program, address string, environ []string, args ...string) *victim {
	t.Helper()
	dir, err := os.MkdirTemp("", "cf") // the path of a unix socket has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	v := &victim{t: t, address: address, socket: filepath.Join(dir, "s"),
		log: filepath.Join(dir, "log"), ended: make(chan error, 1)}
	line, err := json.Marshal(append([]string{program, "--listen", address, "--cache", "32"}, args...))
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(v.log)
	if err != nil {
		t.Fatal(err)
	}
	v.cmd = exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFaultProcess$")
	v.cmd.Stdout, v.cmd.Stderr = out, out
	v.cmd.Env = append(append(os.Environ(), processEnv+"="+string(line), fault.SocketEnv+"="+v.socket),
		environ...)
	if err := errors.Join(v.cmd.Start(), out.Close()); err != nil {
		t.Fatal(err)
	}
	go func() { v.ended <- v.cmd.Wait() }()
	t.Cleanup(func() {
		_ = v.cmd.Process.Kill()
		<-v.ended
	})
	return v
}

func (v *victim) await() *victim {
	v.t.Helper()
	eventually(v.t, v.address+" is ready", func() bool {
		status, _ := get(v.t, "http://"+v.address+"/readyz")
		return status == 200
	})
	return v
}

func (v *victim) tell(do fault.Command) fault.State {
	v.t.Helper()
	s, err := fault.Ask(v.t.Context(), v.socket, do)
	if err != nil {
		v.t.Fatal(err)
	}
	return s
}

// end waits for the process to end, and says how: a signal's name or an exit code.
func (v *victim) end() string {
	v.t.Helper()
	select {
	case err := <-v.ended:
		v.ended <- err
	case <-time.After(patience):
		v.t.Fatal("it goes on")
	}
	if s := v.cmd.ProcessState.Sys().(syscall.WaitStatus); s.Signaled() {
		return s.Signal().String()
	}
	return fmt.Sprint(v.cmd.ProcessState.ExitCode())
}

func (v *victim) said(want string) {
	v.t.Helper()
	b, err := os.ReadFile(v.log)
	if err != nil || !strings.Contains(string(b), want) {
		v.t.Errorf("the log does not say %q (%v):\n%s", want, err, b)
	}
}

func startFaultyMember(t *testing.T, data string, environ ...string) *victim {
	t.Helper()
	return startVictim(t, "shard", freeAddress(t), environ, "--data", data).await()
}

func TestFaultPowerLoss(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	for life := range 6 {
		v := startFaultyMember(t, data)
		g := start(t, &Gateway{Shards: []string{v.address}})
		db := dial(t, "http://"+g.address, false)
		for i := range 20 * life {
			if e, err := db.Get(t.Context(), fmt.Sprint("k", i)); err != nil || !e.Found() {
				t.Fatalf("life %d: key %d is lost: %v", life, i, err)
			}
		}
		for i := range 20 {
			key := fmt.Sprint("k", 20*life+i)
			if _, err := db.Set(t.Context(), key, client.IntValue(1), client.SetOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		v.tell(fault.Command{PowerLoss: &fault.PowerLoss{KeepPercent: 25 * (life % 5), Seed: uint64(life)}})
		if how := v.end(); how != "killed" {
			t.Errorf("it ended: %s", how)
		}
		v.said("lost_bytes=")
		g.stop(t)
	}
}

// faulty is a member in a process of its own, a gateway here, and a client of that.
func faulty(t *testing.T, environ ...string) (*victim, *client.DB) {
	t.Helper()
	v := startFaultyMember(t, filepath.Join(t.TempDir(), "data"), environ...)
	return v, dial(t, serve(t, &Gateway{Shards: []string{v.address}}), false)
}

func set(t *testing.T, db *client.DB) client.Timestamp {
	t.Helper()
	r, err := db.Set(t.Context(), "k", client.IntValue(1), client.SetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r.CommitTS
}

// write begins a write that may never end well.
func (v *victim) write(db *client.DB) {
	ctx, cancel := context.WithCancel(v.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = db.Set(ctx, "k", client.IntValue(2), client.SetOptions{})
	}()
	v.t.Cleanup(func() {
		cancel()
		<-ended
	})
}

func TestFaultClock(t *testing.T) {
	v, db := faulty(t, fault.FirstEnv+`={"clock":{"offset_us":5000000}}`)
	ahead := func(by time.Duration) {
		t.Helper()
		got := time.Duration(int64(set(t, db))-time.Now().UnixMicro()) * time.Microsecond
		if got < by-time.Second || got > by+2*time.Second {
			t.Errorf("timestamps are %v ahead, want %v", got, by)
		}
	}
	ahead(5 * time.Second)
	before := v.tell(fault.Command{Clock: &fault.Clock{OffsetMicros: 20_000_000, Rate: 2}})
	began := time.Now()
	eventually(t, "the offset is in timestamps", func() bool {
		return int64(set(t, db)) > time.Now().UnixMicro()+19_000_000
	})
	<-time.After(time.Second)
	after := v.tell(fault.Command{})
	passed := time.Duration(after.NowMicros-before.NowMicros) * time.Microsecond
	if real := time.Since(began); passed < real*3/2 || passed > real*5/2 {
		t.Errorf("at twice the rate %v passed in %v", passed, real)
	}
	v.tell(fault.Command{Clock: &fault.Clock{}})
	set(t, db) // the oracle goes on from where it was
}

func TestFaultSlowDisk(t *testing.T) {
	v, db := faulty(t)
	v.tell(fault.Command{Disk: &fault.Disk{SyncDelayMillis: 300}})
	began := time.Now()
	set(t, db)
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("a write took %v", took)
	}
	if s := v.tell(fault.Command{}); s.SyncsDelayed == 0 {
		t.Errorf("no sync was delayed: %+v", s)
	}
	v.tell(fault.Command{Disk: &fault.Disk{SyncDelayMillis: 3000}})
	v.write(db)
	eventually(t, "the log tells of it, as of any slow disk", func() bool {
		b, err := os.ReadFile(v.log)
		return err == nil && strings.Contains(string(b), "disk operation is slow")
	})
}

func TestFaultLowDisk(t *testing.T) {
	v, db := faulty(t)
	v.tell(fault.Command{Disk: &fault.Disk{Low: true}})
	eventually(t, "writes are refused", func() bool {
		_, err := db.Set(t.Context(), "k", client.IntValue(1), client.SetOptions{})
		return err != nil && strings.Contains(err.Error(), "bytes free")
	})
	if _, err := db.Get(t.Context(), "k"); err != nil {
		t.Errorf("a read on a disk that is nearly full: %v", err)
	}
	v.tell(fault.Command{Disk: &fault.Disk{}})
	eventually(t, "writes go on", func() bool {
		_, err := db.Set(t.Context(), "k", client.IntValue(1), client.SetOptions{})
		return err == nil
	})
}

func TestFaultBrokenDisk(t *testing.T) {
	for _, c := range []struct {
		disk fault.Disk
		want string
	}{
		{fault.Disk{SyncError: true}, "input/output error"},
		{fault.Disk{Full: true}, "no space left on device"},
	} {
		v, db := faulty(t)
		set(t, db)
		v.tell(fault.Command{Disk: &c.disk})
		v.write(db)
		if how := v.end(); how != "1" {
			t.Errorf("with %+v it ended: %s", c.disk, how)
		}
		v.said(c.want)
	}
}

func TestFaultDial(t *testing.T) {
	member := startFaultyMember(t, filepath.Join(t.TempDir(), "data"))
	nowhere := freeAddress(t)
	g := startVictim(t, "gateway", freeAddress(t),
		[]string{fault.DialEnv + "=" + nowhere + "=" + member.address}, "--shards", nowhere).await()
	set(t, dial(t, "http://"+g.address, false))
	if _, err := fault.Ask(t.Context(), g.socket, fault.Command{Disk: &fault.Disk{}}); err == nil {
		t.Error("a gateway without a member has a disk")
	}
	g.tell(fault.Command{PowerLoss: &fault.PowerLoss{}})
	if how := g.end(); how != "killed" {
		t.Errorf("it ended: %s", how)
	}
}

func TestFaultStall(t *testing.T) {
	v, _ := faulty(t)
	if err := v.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	<-time.After(700 * time.Millisecond)
	if err := v.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stall is seen", func() bool {
		return v.tell(fault.Command{}).StallMaxMillis >= 600
	})
	v.said("the process did not run")
}

func TestFaultFirstRefused(t *testing.T) {
	v := startVictim(t, "shard", freeAddress(t), []string{fault.FirstEnv + "={"},
		"--data", filepath.Join(t.TempDir(), "data"))
	if how := v.end(); how != "1" {
		t.Errorf("it ended: %s", how)
	}
	v.said(fault.FirstEnv)
}
