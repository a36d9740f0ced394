package jepsen

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// programs are the real binaries, built once.
type programs struct{ gateway, shard, cairn string }

func build(t *testing.T) programs {
	t.Helper()
	dir := t.TempDir()
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
	ready    time.Duration // from start to /readyz
}

// start runs a gateway on a data directory until it is ready.
func start(t *testing.T, p programs, data string) *process {
	t.Helper()
	return launch(t, p.gateway, freeAddress(t), "--data", data)
}

// launch runs a server until it is ready.
func launch(t *testing.T, program, address string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(program, append([]string{"--listen", address}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	g := &process{cmd: cmd, address: address, endpoint: "http://" + address}
	t.Cleanup(func() { g.kill() })
	if !bufio.NewScanner(out).Scan() { // the start message comes once it serves
		t.Fatalf("%s ended before it was ready", program)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.endpoint+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("/readyz answers %s after the start message", resp.Status)
	}
	g.ready = time.Since(began)
	return g
}

// kill is kill -9; a second one does nothing.
func (g *process) kill() {
	if g.cmd.ProcessState == nil {
		_ = g.cmd.Process.Kill()
		_ = g.cmd.Wait()
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return fmt.Sprint(l.Addr())
}
