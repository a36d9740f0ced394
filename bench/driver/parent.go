//go:build unix

package driver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cairnkv/cairn/bench/load"
)

const (
	// closeMax is how long a driver may take to close its system; then it is killed.
	closeMax = 30 * time.Second
	// lastWordsMax is how much of what a driver says on standard error is in an error.
	lastWordsMax = 4 << 10
)

// Driver is a process that calls Serve. It makes one run at a time.
type Driver struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	words    *lastWords // nil: standard error goes elsewhere
	replies  chan reply
	closing  chan struct{} // closed when nobody asks for replies any more
	gone     chan struct{} // closed when the process has ended
	end      error         // how it ended, once it is gone
	running  sync.Mutex
	close    func() error
	patience time.Duration // closeMax
}

// Start begins a driver and waits until its system has been started. Standard input and output of
// the command are the driver's. What it says on standard error is in errors only, unless
// cmd.Stderr says where else it should go. It is in a process group of its own, so that an
// interrupt reaches the harness alone, which closes its drivers: Close must be called.
func Start(ctx context.Context, cmd *exec.Cmd) (*Driver, error) {
	d := &Driver{cmd: cmd, replies: make(chan reply), closing: make(chan struct{}),
		gone: make(chan struct{}), patience: closeMax}
	d.close = sync.OnceValue(d.stop)
	if cmd.Stderr == nil {
		d.words = &lastWords{}
		cmd.Stderr = d.words
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.WaitDelay = time.Second // whoever has inherited standard error and lives on is not waited for
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting a driver: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting a driver: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting a driver: %w", err)
	}
	d.in = in
	go d.watch(out)
	first, err := d.reply(ctx)
	switch {
	case err != nil:
	case first.Error != "":
		err = errors.New(first.Error)
	case !first.Ready:
		err = errors.New("its first line does not say that it is ready")
	}
	if err != nil {
		_ = d.Close() // whose error is no news
		return nil, fmt.Errorf("starting a driver: %w", err)
	}
	return d, nil
}

// watch hears a driver until its end.
func (d *Driver) watch(out io.Reader) {
	defer close(d.gone)
	lines := json.NewDecoder(out)
	for {
		var r reply
		err := lines.Decode(&r)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			r = reply{Error: fmt.Sprintf("its standard output is for replies alone: %v", err)}
		}
		select {
		case d.replies <- r:
		case <-d.closing:
		}
		if err != nil {
			_ = d.in.Close() // it cannot be understood any more, and is to end
			_, _ = io.Copy(io.Discard, out)
			break
		}
	}
	d.end = d.cmd.Wait()
	if errors.Is(d.end, exec.ErrWaitDelay) {
		d.end = nil
	}
}

// Run has a run made. If ctx ends, the driver gives the run up and closes its system; then it can
// only be closed.
func (d *Driver) Run(ctx context.Context, r load.Run) (*load.Result, error) {
	d.running.Lock()
	defer d.running.Unlock()
	got, err := d.ask(ctx, request{Run: r})
	switch {
	case err != nil:
	case got.Error != "":
		err = errors.New(got.Error)
	case got.Result == nil:
		err = errors.New("a reply without a result")
	default:
		return got.Result, nil
	}
	return nil, fmt.Errorf("a run of %s: %w", r.Workload, err)
}

func (d *Driver) ask(ctx context.Context, q request) (reply, error) {
	line, err := json.Marshal(q)
	if err != nil {
		return reply{}, err
	}
	if _, err := d.in.Write(append(line, '\n')); err != nil {
		// It has ended, or is about to. How says more than that its input is closed.
		select {
		case <-d.gone:
			return reply{}, d.ended()
		case <-ctx.Done():
			return reply{}, errors.Join(err, ctx.Err())
		}
	}
	return d.reply(ctx)
}

func (d *Driver) reply(ctx context.Context) (reply, error) {
	select {
	case r := <-d.replies:
		return r, nil
	case <-d.gone:
		return reply{}, d.ended()
	case <-ctx.Done():
		_ = d.in.Close() // by which it learns that nobody waits
		return reply{}, ctx.Err()
	}
}

// ended says how a driver ended that was to go on.
func (d *Driver) ended() error {
	return fmt.Errorf("the driver has ended: %v%s", d.cmd.ProcessState, d.words)
}

// Close has a driver close its system, and waits for its end. A driver that does not end is
// killed, and all processes of its group.
func (d *Driver) Close() error { return d.close() }

func (d *Driver) stop() error {
	close(d.closing)
	_ = d.in.Close() // it may be closed already
	timer := time.NewTimer(d.patience)
	defer timer.Stop()
	select {
	case <-d.gone:
	case <-timer.C:
		_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL) // it may have ended just now
		<-d.gone
		return fmt.Errorf("closing a driver: it took longer than %v and was killed%s",
			d.patience, d.words)
	}
	if d.end != nil {
		return fmt.Errorf("closing a driver: %w%s", d.end, d.words)
	}
	return nil
}

// lastWords keeps the end of what is written to it.
type lastWords struct {
	mu   sync.Mutex
	text []byte
}

func (w *lastWords) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, p...)
	w.text = w.text[max(len(w.text)-lastWordsMax, 0):]
	return len(p), nil
}

// String is what an error ends with.
func (w *lastWords) String() string {
	if w == nil {
		return ""
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.text) == 0 {
		return ""
	}
	return "; its last words:\n" + strings.TrimSpace(string(w.text))
}
