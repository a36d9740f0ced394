//go:build unix

package demo

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// fakeEnv makes the test binary play a child; its value names those that misbehave: "m2=hang" never
// ends when asked to, "g1=fail" does not start.
const fakeEnv = "CAIRN_DEMO_TEST_FAKE"

func TestMain(m *testing.M) {
	if how, fake := os.LookupEnv(fakeEnv); fake {
		os.Exit(playChild(how, os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

// playChild is a member or gateway that does nothing but be ready.
func playChild(how string, args []string) int {
	flag := func(name string) string {
		at := slices.Index(args, name)
		if at < 0 {
			return ""
		}
		return args[at+1]
	}
	if args[0] == "status" {
		fmt.Println("asked", flag("--endpoint"))
		return 0
	}
	name := filepath.Base(flag("--data"))
	if args[0] == "gateway" {
		name = "gateway"
	}
	if strings.Contains(how, name+"=fail") {
		fmt.Fprintln(os.Stderr, name, "cannot start")
		return 3
	}
	fmt.Println(name, "starts")
	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM)
	server := &http.Server{Addr: flag("--listen"), Handler: http.NewServeMux()}
	server.Handler.(*http.ServeMux).HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	for {
		select {
		case err := <-failed:
			fmt.Fprintln(os.Stderr, err)
			return 1
		case <-terms:
		}
		if !strings.Contains(how, name+"=hang") {
			fmt.Println(name, "ends")
			return 0
		}
	}
}

// session is a demo in this process, over children that only pretend.
type session struct {
	*testing.T
	demo   *Demo
	input  *io.PipeWriter
	cancel func()
	ended  chan error
	temp   string // where temporary directories are made

	mu     sync.Mutex
	output strings.Builder
	seen   int // of the output
}

// Write takes what the demo says.
func (s *session) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.output.Write(b)
}

func startFake(t *testing.T, how string, o Options, bound time.Duration) *session {
	t.Helper()
	t.Setenv(fakeEnv, how)
	s := &session{T: t, ended: make(chan error, 1), temp: t.TempDir()}
	t.Setenv("TMPDIR", s.temp)
	stdin, input := io.Pipe()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.input = input
	s.demo = &Demo{Options: o, Exe: exe, Stdin: stdin, Stdout: s, stopMax: bound}
	ctx, cancel := context.WithCancel(t.Context())
	s.cancel = cancel
	go func() { s.ended <- s.demo.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		_ = input.Close()
	})
	return s
}

func (s *session) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.output.String()
}

func (s *session) order(line string) {
	s.Helper()
	if _, err := io.WriteString(s.input, line+"\n"); err != nil {
		s.Fatal(err)
	}
}

// expect waits for output, after what was expected before, and returns its groups.
func (s *session) expect(pattern string) []string {
	s.Helper()
	re := regexp.MustCompile(pattern)
	var found []string
	eventually(s.T, pattern, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		rest := s.output.String()[s.seen:]
		at := re.FindStringSubmatchIndex(rest)
		if at == nil {
			return false
		}
		found = re.FindStringSubmatch(rest)
		s.seen += at[1]
		return true
	}, s.said)
	return found
}

// wait waits for the end and checks that nothing is left.
func (s *session) wait(pids ...int) error {
	s.Helper()
	var err error
	select {
	case err = <-s.ended:
	case <-time.After(20 * time.Second):
		s.Fatal("it does not end")
	}
	for _, pid := range pids {
		if alive(pid) {
			s.Errorf("process %d is left", pid)
		}
	}
	left, readErr := os.ReadDir(s.temp)
	if readErr != nil || len(left) > 0 {
		s.Errorf("files are left: %v %v", left, readErr)
	}
	return err
}

var pidLine = regexp.MustCompile(`(?m)^  ([mg]\d) .* pid (\d+)$`)

// pids are those that the banner names.
func (s *session) pids() (byName map[string]int, all []int) {
	s.Helper()
	s.expect("Ctrl-C ends it all")
	byName = make(map[string]int)
	for _, m := range pidLine.FindAllStringSubmatch(s.said(), -1) {
		pid, err := strconv.Atoi(m[2])
		if err != nil {
			s.Fatal(err)
		}
		byName[m[1]], all = pid, append(all, pid)
	}
	return byName, all
}

func eventually(t *testing.T, what string, ok func() bool, state func() string) {
	t.Helper()
	ticks := time.NewTicker(5 * time.Millisecond)
	defer ticks.Stop()
	for end := time.Now().Add(30 * time.Second); !ok(); <-ticks.C {
		if time.Now().After(end) {
			t.Fatalf("it did not happen: %s\n%s", what, state())
		}
	}
}

// alive reports whether a process runs; one that is dead and not yet waited for does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true // no such file system
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func TestSupervision(t *testing.T) {
	s := startFake(t, "", Options{Nodes: 3, Gateways: 2}, time.Minute)
	byName, all := s.pids()
	if len(all) != 5 {
		t.Fatalf("pids %v", byName)
	}
	if err := syscall.Kill(byName["m2"], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.expect(`m2 \(pid \d+\) has died: signal: killed; restart m2`)
	s.order("kill 2")
	s.expect("m2 does not run")
	s.order("restart 2")
	again := s.expect(`m2 is started, pid (\d+)\nm2 is ready, pid (\d+)\n`)
	if again[1] != again[2] || again[1] == strconv.Itoa(byName["m2"]) {
		t.Errorf("pids %v", again)
	}
	s.order("restart g1")
	s.expect(`g1 \(pid \d+\) has ended: exit status 0\ng1 is started, pid \d+\ng1 is ready`)
	s.order("stop m1")
	s.expect(`m1 \(pid \d+\) has ended: exit status 0; restart m1`)
	s.order("kill g2")
	s.expect(`g2 \(pid \d+\) has ended: signal: killed; restart g2`)
	s.order("status")
	s.expect(`asked http://127.0.0.1:\d+`)
	s.order("help")
	s.expect("kill -9 of a process")
	s.order("dance")
	s.expect(`no command "dance"`)
	pid, _ := strconv.Atoi(again[1])
	s.order("quit")
	if err := s.wait(append(all, pid)...); err != nil {
		t.Error(err)
	}
}

// The end of the input ends nothing; a child that hangs is killed; and all that is left of a kept
// directory is what the next start wants.
func TestHangingChild(t *testing.T) {
	dir := t.TempDir()
	s := startFake(t, "m2=hang", Options{Nodes: 3, Gateways: 1, Data: dir}, 300*time.Millisecond)
	byName, all := s.pids()
	if err := s.input.Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(byName["m3"], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.expect("m3 .* has died")
	s.cancel()
	if err := s.wait(all...); err != nil {
		t.Error(err)
	}
	s.expect(`m2 \(pid \d+\) has ended: signal: killed`)
	for _, name := range []string{"m1.log", "m2.log", "m3.log", "g1.log", placesFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// Whoever is in a hurry presses Ctrl-C again.
func TestSecondSignal(t *testing.T) {
	s := startFake(t, "gateway=hang", Options{Nodes: 1, Gateways: 1}, time.Hour)
	byName, all := s.pids()
	interrupt := func() {
		if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
	}
	interrupt()
	s.expect("the end is asked for")
	if !alive(byName["g1"]) || !alive(byName["m1"]) {
		t.Error("a member went before the gateway, or one that hangs at once")
	}
	interrupt()
	s.expect(`g1 \(pid \d+\) has ended: signal: killed`)
	if err := s.wait(all...); err != nil {
		t.Error(err)
	}
}

func TestChildThatDoesNotStart(t *testing.T) {
	s := startFake(t, "m1=fail", Options{Nodes: 1, Gateways: 1}, time.Minute)
	err := s.wait()
	if err == nil || !strings.Contains(err.Error(), "m1 ended before the cluster served: exit status 3; its last "+
		"words: m1 cannot start") {
		t.Error(err)
	}
}

func TestProgramThatIsNotThere(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	d := &Demo{Options: Options{Nodes: 1, Gateways: 1}, Exe: "/does/not/exist", Stdin: strings.NewReader(""),
		Stdout: t.Output()}
	if err := d.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot start m1") {
		t.Error(err)
	}
}
