//go:build unix

package driver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cairnkv/cairn/bench/load"
)

// modeKey is the variable that makes this program a driver.
const modeKey = "DRIVER_TEST_MODE"

func TestMain(m *testing.M) {
	if mode, ok := os.LookupEnv(modeKey); ok {
		os.Exit(drive(mode))
	}
	os.Exit(m.Run())
}

func drive(mode string) int {
	var s System = newFake()
	switch mode {
	case "mute":
		fmt.Fprintln(os.Stderr, "no room on the disk")
		return 3
	case "chatters":
		fmt.Println("starting m1")
	case "repeats itself":
		fmt.Println(`{"ready":true}`)
	case "burns":
		s = burning{newFake()}
	case "ends":
		s = ending{newFake()}
	case "lives on":
		s = immortal{newFake()}
	}
	if err := Serve(context.Background(), os.Stdin, os.Stdout, s); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// burning takes burnt of CPU for an operation, however busy the machine is.
type burning struct{ *fake }

const burnt = 20 * time.Millisecond

func (burning) Prepare(context.Context, load.Run) (load.Op, func(), error) {
	return func(context.Context, *load.Caller) error {
		for begin := cpu(); cpu() < begin+burnt; {
			continue
		}
		return nil
	}, nil, nil
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type ending struct{ *fake }

func (ending) Prepare(context.Context, load.Run) (load.Op, func(), error) {
	fmt.Fprintln(os.Stderr, "out of memory")
	os.Exit(4)
	return nil, nil, nil
}

type immortal struct{ *fake }

func (immortal) Close() error {
	<-time.After(time.Hour)
	return nil
}

func driver(mode string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), modeKey+"="+mode)
	return cmd
}

func start(t *testing.T, mode string) *Driver {
	t.Helper()
	d, err := Start(t.Context(), driver(mode))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func TestDriver(t *testing.T) {
	d := start(t, "serves")
	for range 2 {
		res, err := d.Run(t.Context(), run("fast"))
		if err != nil || res.Ops == 0 || res.Run != run("fast") {
			t.Fatalf("%+v (%v)", res, err)
		}
		if _, err := d.Run(t.Context(), run("bad")); err == nil || !strings.Contains(err.Error(), "no such workload") {
			t.Fatalf("a run that fails: %v", err)
		}
	}
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Error(err)
	}
	if _, err := d.Run(t.Context(), run("fast")); err == nil {
		t.Error("a driver ran after its end")
	}
}

func TestDriverCountsItsCPU(t *testing.T) {
	r := run("fast")
	r.Callers, r.Rate, r.Last = 1, 0, 300*time.Millisecond
	res, err := start(t, "burns").Run(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	// An operation at each edge is only partly between them, and so is a tick.
	least := time.Duration(res.Ops-2)*burnt - 2*tick
	if got := res.Processes[0].CPU; got < least || got < tick {
		t.Errorf("%d operations took %v of CPU, want %v or more", res.Ops, got, least)
	}
}

func TestDriverThatDoesNotStart(t *testing.T) {
	for mode, want := range map[string]string{
		"mute":     "exit status 3; its last words:\nno room on the disk",
		"chatters": "its standard output is for replies alone",
	} {
		if _, err := Start(t.Context(), driver(mode)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", mode, err)
		}
	}
	if _, err := Start(t.Context(), exec.Command("./no-such-program")); err == nil {
		t.Error("there is no such program")
	}
}

// Nobody hears the second time, and nobody need: it can be closed.
func TestDriverThatSaysMoreThanItIsAsked(t *testing.T) {
	if err := start(t, "repeats itself").Close(); err != nil {
		t.Error(err)
	}
}

func TestDriverThatEnds(t *testing.T) {
	d := start(t, "ends")
	for range 2 {
		_, err := d.Run(t.Context(), run("fast"))
		if err == nil || !strings.Contains(err.Error(), "exit status 4; its last words:\nout of memory") {
			t.Error(err)
		}
	}
	if err := d.Close(); err == nil {
		t.Error("it ended with status 4, and Close does not say so")
	}
}

func TestDriverGivesUpARun(t *testing.T) {
	d := start(t, "serves")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	long := run("hang")
	long.Last = load.LastMax
	if _, err := d.Run(ctx, long); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if _, err := d.Run(t.Context(), run("fast")); err == nil {
		t.Error("a driver whose run was given up made another one")
	}
	if err := d.Close(); err != nil {
		t.Errorf("it closes its system and ends by itself: %v", err)
	}
}

func TestDriverThatLivesOnIsKilled(t *testing.T) {
	d := start(t, "lives on")
	d.patience = 50 * time.Millisecond
	if err := d.Close(); err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Error(err)
	}
	if !errors.Is(syscall.Kill(d.cmd.Process.Pid, 0), syscall.ESRCH) {
		t.Error("it lives on")
	}
}
