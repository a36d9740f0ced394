package cairn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cairnkv/cairn/bench/load"
)

const (
	// readyEvery is how often a process is asked whether it is ready, and readyMax for how long.
	readyEvery = 5 * time.Millisecond
	readyMax   = time.Minute
	// stopMax is how long one may take to end before it is killed.
	stopMax      = 10 * time.Second
	lastWordsMax = 2 << 10
)

// process is a server that was started here.
type process struct {
	usage   load.Usage // its role and name
	address string
	cmd     *exec.Cmd
	log     string        // file
	gone    chan struct{} // closed when it has ended and was waited for
}

// launch starts a program whose log is in s.dir.
func (s *System) launch(p *process, program string, args ...string) error {
	p.log = filepath.Join(s.dir, p.usage.Name+".log")
	log, err := os.Create(p.log)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has its own
	p.cmd = exec.Command(program, append([]string{"--listen", p.address}, args...)...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := s.launcher.Start(p.cmd); err != nil {
		return fmt.Errorf("%s: %w", p.usage.Name, err)
	}
	p.gone = make(chan struct{})
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		close(p.gone)
	}()
	return nil
}

// await returns when /readyz answers 200.
func (p *process) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyMax)
	defer cancel()
	tries := time.NewTicker(readyEvery)
	defer tries.Stop()
	for !p.ready(ctx) {
		select {
		case <-p.gone:
			return p.ended()
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w\n%s",
				p.usage.Name, context.Cause(ctx), p.lastWords())
		case <-tries.C:
		}
	}
	return nil
}

func (p *process) ready(ctx context.Context) bool {
	url := "http://" + p.address + "/readyz"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close() // the status was all
	return resp.StatusCode == http.StatusOK
}

// ended is the error of one that has ended by itself.
func (p *process) ended() error {
	return fmt.Errorf("%s ended by itself: %v; its last words:\n%s",
		p.usage.Name, p.cmd.ProcessState, p.lastWords())
}

func (p *process) lastWords() []byte {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(b[max(0, len(b)-lastWordsMax):])
}

// stop ends processes, all at once. Its error is about those that had ended before.
func stop(all []*process) error {
	var errs []error
	for _, p := range all {
		select {
		case <-p.gone:
			errs = append(errs, p.ended())
		default:
			_ = p.cmd.Process.Signal(syscall.SIGTERM) // where there are no signals the rest does it
		}
	}
	bound := time.NewTimer(stopMax)
	defer bound.Stop()
	for _, p := range all {
		select {
		case <-p.gone:
		case <-bound.C:
			for _, p := range all {
				_ = p.cmd.Process.Kill() // one that has ended stays so
			}
			<-p.gone
			bound.Reset(0)
		}
	}
	return errors.Join(errs...)
}
