package main

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
	"testing"
	"time"

	"github.com/cairnkv/cairn/internal/loopback"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// programs are the real binaries.
type programs struct{ gateway, shard, cairn string }

// TestMain makes the directory that the tests share their programs in.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "cairn-programs")
	if err == nil {
		err = os.Setenv(programsVariable, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

const programsVariable = "CAIRN_TEST_PROGRAMS"

// build makes the programs; for every test but the first one they are there.
func build(t *testing.T) programs {
	t.Helper()
	dir := os.Getenv(programsVariable)
	cmd := exec.Command("go", "build", "-o", dir, "./cmd/gateway", "./cmd/shard", "./cmd/cairn")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return programs{filepath.Join(dir, "gateway"), filepath.Join(dir, "shard"),
		filepath.Join(dir, "cairn")}
}

// process is a running gateway or member.
type process struct {
	cmd      *exec.Cmd
	address  string
	endpoint string
	log      string // file with all that it says
	began    time.Time
	ready    time.Duration // from start to /readyz
	exited   chan struct{} // closed once it has ended
}

// start runs a gateway on a data directory until it is ready.
func start(t *testing.T, p programs, data string) *process {
	t.Helper()
	return launch(t, p.gateway, freeAddress(t), "--data", data)
}

// launch runs a server until it is ready.
func launch(t *testing.T, program, address string, args ...string) *process {
	t.Helper()
	p := spawn(t, program, address, args...)
	p.await(t)
	return p
}

// spawn starts a server. Its end is that of the test at the latest; if that has failed, the last
// of what the server said is shown.
func spawn(t *testing.T, program, address string, args ...string) *process {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), filepath.Base(program)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }() // the child has its own
	cmd := exec.Command(program, append([]string{"--listen", address}, args...)...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, attributes()
	p := &process{cmd: cmd, address: address, endpoint: "http://" + address, log: log.Name(),
		began: time.Now(), exited: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the last words of %s %v:\n%s", filepath.Base(program), args, p.said(8<<10))
		}
	})
	return p
}

// said is the last of what the process has written, at most so many bytes.
func (p *process) said(most int) []byte {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(b[max(0, len(b)-most):])
}

// await returns when /readyz answers 200.
func (p *process) await(t *testing.T) {
	t.Helper()
	eventually(t, p.cmd.Path+" is ready", func() bool {
		select {
		case <-p.exited:
			t.Fatalf("%s ended before it was ready: %v\n%s", p.cmd.Path, p.cmd.ProcessState, p.said(1<<10))
		default:
		}
		status, _, err := p.page(t.Context(), "/readyz")
		return err == nil && status == http.StatusOK
	})
	p.ready = time.Since(p.began)
}

// page gets one of the pages that operators look at.
func (p *process) page(ctx context.Context, path string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.endpoint+path, nil)
	if err != nil {
		return 0, "", err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	var b bytes.Buffer
	_, err = b.ReadFrom(resp.Body)
	return resp.StatusCode, b.String(), errors.Join(err, resp.Body.Close())
}

// kill is kill -9; a second one does nothing.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// terminate is SIGTERM; it returns when the process has ended, with its exit code.
func (p *process) terminate(t *testing.T) (code int) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	return p.exit(t)
}

// exit waits for the end of the process.
func (p *process) exit(t *testing.T) (code int) {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		t.Fatalf("%s has not ended after %v", p.cmd.Path, patience)
	}
	return p.cmd.ProcessState.ExitCode()
}

// eventually tries until ok, every few milliseconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); pause(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not happen within %v: %s", patience, what)
		}
	}
}

func pause(d time.Duration) { <-time.After(d) }

func freeAddress(t *testing.T) string {
	t.Helper()
	free, err := loopback.Free(1)
	if err != nil {
		t.Fatal(err)
	}
	return free[0]
}
