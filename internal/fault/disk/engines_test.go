package disk_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnkv/cairn/internal/fault"
	"github.com/cairnkv/cairn/internal/fault/disk"
	"github.com/cairnkv/cairn/mvcc"
)

const (
	childEnv   = "CAIRN_DISK_CHILD" // a childOrder: this process is to lose power
	lossesEnv  = "CAIRN_POWER_LOSSES"
	lossesMin  = 12
	lossBudget = 3 * time.Second
	childMax   = 30 * time.Second
	// The exit codes of a child. One that lost power was killed.
	exitLost   = 3
	exitBroken = 4
)

// childOrder is what a child does: it checks that of each kind of engine the keys up to acked are
// there, writes more, and loses power.
type childOrder struct {
	dir   string
	seed  uint64
	acked [2]uint64 // by mvcc.Kind
	lie   bool      // it acknowledges what it has not synced
}

func (o childOrder) String() string {
	return fmt.Sprintf("%s %d %d %d %v", o.dir, o.seed, o.acked[0], o.acked[1], o.lie)
}

func TestMain(m *testing.M) {
	if s := os.Getenv(childEnv); s != "" {
		var o childOrder
		_, err := fmt.Sscan(s, &o.dir, &o.seed, &o.acked[0], &o.acked[1], &o.lie)
		if err == nil {
			err = o.live()
		}
		fmt.Fprintln(os.Stderr, err)
		code := exitBroken
		if errors.Is(err, errLost) {
			code = exitLost
		}
		os.Exit(code)
	}
	os.Exit(m.Run())
}

var errLost = errors.New("lost")

// live does not return in a child that is well.
func (o childOrder) live() error {
	fs, err := disk.New(o.dir)
	if err != nil {
		return err
	}
	rng, after := rand.New(rand.NewPCG(o.seed, 1)), 120*time.Millisecond
	if o.seed%2 == 1 { // most of it then is spent opening, between two syncs
		fs.Set(fault.Disk{SyncDelayMillis: 5})
		after /= 2
	}
	failed := make(chan error)
	go func() {
		timer := time.NewTimer(time.Duration(rng.Int64N(int64(after))))
		<-timer.C
		_, err := fs.LosePower(fault.PowerLoss{KeepPercent: int(o.seed%5) * 25, Seed: o.seed})
		if err == nil {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		failed <- fmt.Errorf("losing power: %w", err)
	}()
	var out sync.Mutex
	for _, kind := range []mvcc.Kind{mvcc.StateEngine, mvcc.LogEngine} {
		go func() {
			failed <- o.write(fs, kind, func(n uint64) {
				out.Lock()
				defer out.Unlock()
				fmt.Println(int(kind), n)
			})
		}()
	}
	return <-failed
}

// engineKey is a key that an engine of that kind takes.
func engineKey(kind mvcc.Kind, n uint64) []byte {
	if kind == mvcc.LogEngine {
		return binary.BigEndian.AppendUint64([]byte{'k'}, n)
	}
	return mvcc.LocalKey(fmt.Sprintf("k%016x", n))
}

func (o childOrder) write(fs vfs.FS, kind mvcc.Kind, ack func(uint64)) error {
	e, err := mvcc.OpenPebble(mvcc.PebbleOptions{Dir: fs.PathJoin(o.dir, kind.String()), Kind: kind,
		FS: fs, Watched: true})
	if err != nil {
		return err
	}
	for n := uint64(1); n <= o.acked[kind]; n++ {
		switch _, ok, err := e.Get(engineKey(kind, n)); {
		case err != nil:
			return err
		case !ok:
			return fmt.Errorf("%w: key %d of %d acknowledged in the %v", errLost, n, o.acked[kind], kind)
		}
	}
	rng := rand.New(rand.NewPCG(o.seed, 2+uint64(kind)))
	for n := o.acked[kind] + 1; ; n++ {
		b := e.NewBatch()
		b.Set(engineKey(kind, n), make([]byte, rng.IntN(4000)))
		synced := rng.IntN(3) == 0
		err := b.Commit(synced)
		b.Close()
		switch {
		case err != nil:
			return err
		case synced || o.lie:
			ack(n)
		case rng.IntN(40) == 0: // what is flushed is durable too
			if err := e.Flush(); err != nil {
				return err
			}
			ack(n)
		case kind == mvcc.StateEngine && rng.IntN(40) == 0: // and so is a snapshot
			if err := restage(e); err != nil {
				return err
			}
			ack(n)
		}
	}
}

// restage puts a snapshot of all keys in their place.
func restage(e *mvcc.Pebble) error {
	all := []mvcc.Bounds{{Lower: mvcc.LocalKey("k"), Upper: mvcc.LocalKey("l")}}
	from, err := e.Export(all)
	if err != nil {
		return err
	}
	to, err := e.Stage(all)
	if err != nil {
		return errors.Join(err, from.Close())
	}
	defer to.Discard()
	for {
		chunk, err := from.Next(64 << 10)
		if err != nil {
			return errors.Join(err, from.Close())
		}
		if len(chunk) == 0 {
			break
		}
		if err := to.Add(chunk); err != nil {
			return errors.Join(err, from.Close())
		}
	}
	return errors.Join(from.Close(), to.Commit())
}

// losePower runs a child to its end, and adds what it acknowledged to o.
func (o *childOrder) losePower(t *testing.T) error {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childEnv+"="+o.String())
	cmd.WaitDelay = childMax
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(childMax, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var kind int
		var n uint64
		if _, err := fmt.Sscan(lines.Text(), &kind, &n); err == nil { // the last line may be torn
			o.acked[kind] = n
		}
	}
	err = cmd.Wait()
	if !kill.Stop() {
		t.Fatalf("it did not lose power in %v\n%s", childMax, said.String())
	}
	if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signal() == syscall.SIGKILL {
		return nil
	}
	switch cmd.ProcessState.ExitCode() {
	case exitLost:
		return fmt.Errorf("%w: %s", errLost, said.String())
	default:
		return fmt.Errorf("%w\n%s", err, said.String())
	}
}

// Both kinds of engine lose power again and again: whatever was synced is there, and they open.
func TestEnginesLosePower(t *testing.T) {
	losses := lossesMin
	if s := os.Getenv(lossesEnv); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		losses = n
	}
	o := childOrder{dir: t.TempDir(), seed: uint64(time.Now().UnixNano())}
	began := time.Now()
	n, all := 0, uint64(0)
	for ; n < losses || os.Getenv(lossesEnv) == "" && time.Since(began) < lossBudget; n++ {
		if n%20 == 19 { // what is checked at each start would only grow
			all += o.acked[0] + o.acked[1]
			o.dir, o.acked = t.TempDir(), [2]uint64{}
		}
		o.seed++
		if err := o.losePower(t); err != nil {
			t.Fatalf("after %d losses of power, seed %d: %v", n, o.seed, err)
		}
	}
	all += o.acked[0] + o.acked[1]
	t.Logf("%d losses of power, %d writes acknowledged", n, all)
	if all == 0 {
		t.Error("nothing was acknowledged")
	}
}

// An engine that acknowledges what it has not synced is found out.
func TestEnginesLoseWhatIsNotSynced(t *testing.T) {
	o := childOrder{dir: t.TempDir(), lie: true}
	for n := range 60 {
		o.seed++
		err := o.losePower(t)
		if errors.Is(err, errLost) {
			t.Logf("found after %d losses of power", n)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Error("nothing was lost")
}
