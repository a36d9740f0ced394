package workload_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cairnkv/cairn/internal/loopback"
)

const (
	patience         = time.Minute
	programsVariable = "CAIRN_TEST_WORKLOAD_PROGRAMS"
)

// TestMain makes the directory that the tests share their programs in.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "cairn-workload")
	if err == nil {
		err = os.Setenv(programsVariable, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// program makes one of the real binaries.
func program(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv(programsVariable)
	cmd := exec.Command("go", "build", "-o", dir, "./cmd/"+name)
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return filepath.Join(dir, name)
}

// spawn runs a server until the end of the test, and returns its base URL.
func spawn(t *testing.T, program, address string, args ...string) string {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(program, append([]string{"--listen", address}, args...)...)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s %v said:\n%s", filepath.Base(program), args, said.Bytes()[max(0, said.Len()-4<<10):])
		}
	})
	return "http://" + address
}

// await returns when a server is ready.
func await(t *testing.T, endpoint string) {
	t.Helper()
	plain := &http.Client{Timeout: time.Second}
	defer plain.CloseIdleConnections()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		resp, err := plain.Get(endpoint + "/readyz")
		if err == nil && errors.Join(resp.Body.Close()) == nil && resp.StatusCode == http.StatusOK {
			return
		}
		<-time.After(5 * time.Millisecond)
	}
	t.Fatalf("%s is not ready after %v", endpoint, patience)
}

// alone is a gateway with a member in it.
func alone(t *testing.T) (endpoints []string) {
	t.Helper()
	one := spawn(t, program(t, "gateway"), free(t, 1)[0], "--data", t.TempDir())
	await(t, one)
	return []string{one}
}

// together are two gateways and three members, whose programs are there.
func together(t *testing.T) (endpoints []string) {
	t.Helper()
	dir := os.Getenv(programsVariable)
	gateway, shard := filepath.Join(dir, "gateway"), filepath.Join(dir, "shard")
	all := free(t, 5)
	members := strings.Join(all[:3], ",")
	for i, address := range all[:3] {
		spawn(t, shard, address, "--data", t.TempDir(), "--cache", "32", "--id", strconv.Itoa(i+1),
			"--join", members)
	}
	for _, address := range all[3:] {
		endpoints = append(endpoints, spawn(t, gateway, address, "--shards", members))
	}
	for _, endpoint := range endpoints {
		await(t, endpoint)
	}
	return endpoints
}

func free(t *testing.T, n int) []string {
	t.Helper()
	addresses, err := loopback.Free(n)
	if err != nil {
		t.Fatal(err)
	}
	return addresses
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// forwarded is how many calls a gateway has passed on to the one that holds their transaction.
func forwarded(t *testing.T, endpoint string) (n float64) {
	t.Helper()
	plain := &http.Client{Timeout: patience}
	defer plain.CloseIdleConnections()
	resp, err := plain.Get(endpoint + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "cairn_forwarded_total "); ok {
			if n, err = strconv.ParseFloat(strings.TrimSpace(value), 64); err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("%s has no cairn_forwarded_total", endpoint)
	return 0
}
