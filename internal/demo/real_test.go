//go:build unix

package demo

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// nodes is how many members the tests with the real program have.
const nodes = 3

// startReal starts the program itself as somebody in a terminal would.
func startReal(t *testing.T, exe string) (*session, *exec.Cmd) {
	t.Helper()
	s := &session{T: t, ended: make(chan error, 1), temp: t.TempDir(), demo: &Demo{Exe: exe}}
	cmd := exec.Command(exe, "demo", "--nodes", strconv.Itoa(nodes), "--gateways", "2")
	cmd.Env = append(os.Environ(), "TMPDIR="+s.temp)
	stdin, input := io.Pipe()
	s.input = input
	feed, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		_, _ = io.Copy(feed, stdin)
		_ = feed.Close()
	}()
	cmd.Stdout, cmd.Stderr = s, s
	// The demo's children write to files of their own, so nobody but the demo holds these pipes.
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = input.Close()
		<-fed
	})
	return s, cmd
}

func (s *session) cairn(args ...string) string {
	s.Helper()
	at := s.endpoint()
	cmd := exec.Command(s.demo.Exe, append([]string{"--endpoint", at}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.Fatalf("cairn %v: %v\n%s", args, err, stderr.String())
	}
	return string(out)
}

// endpoint is what the banner says to export.
func (s *session) endpoint() string {
	_, rest, _ := strings.Cut(s.said(), "export CAIRN_ENDPOINT=")
	endpoint, _, _ := strings.Cut(rest, "\n")
	return endpoint
}

func TestDemo(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "cairn")
	if out, err := exec.Command("go", "build", "-o", exe, "../../cmd/cairn").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Run("restart", func(t *testing.T) { testRestart(t, exe) })
	t.Run("killed", func(t *testing.T) { testKilled(t, exe) })
}

// testRestart is what README promises: a member is killed, started again and has what was written;
// Ctrl-C leaves nothing.
func testRestart(t *testing.T, exe string) {
	s, cmd := startReal(t, exe)
	byName, all := s.pids()
	s.cairn("set", "greeting", "hello")
	if err := syscall.Kill(byName["m1"], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.expect(`m1 \(pid \d+\) has died: signal: killed`)
	s.order("restart m1")
	again := s.expect(`m1 is started, pid (\d+)\nm1 is ready`)
	if got := s.cairn("get", "greeting"); !strings.HasPrefix(got, "r0 hello ") {
		t.Errorf("got %q", got)
	}
	leads := regexp.MustCompile(`^member (\d) leads shard 2 \d+ms\n$`)
	for range 2 {
		if got := s.cairn("leader", "transfer", "2"); !leads.MatchString(got) {
			t.Errorf("got %q", got)
		}
	}
	s.order("status")
	s.expect(`members +` + strconv.Itoa(nodes) + `\n`)
	pid, err := strconv.Atoi(again[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := s.input.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := s.wait(append(all, pid)...); err != nil {
		t.Errorf("it ended with %v\n%s", err, s.said())
	}
}

// testKilled: whoever kills the demo itself has killed all.
func testKilled(t *testing.T, exe string) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells children of a parent's death")
	}
	s, cmd := startReal(t, exe)
	_, all := s.pids()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.ended
	for _, pid := range all {
		eventually(t, "a child dies", func() bool { return !alive(pid) }, s.said)
	}
}
