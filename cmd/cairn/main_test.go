package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cairnkv/cairn/internal/run"
)

// startMax bounds how long the gateway of the scripts takes to serve, commandMax one command line.
const (
	startMax   = 30 * time.Second
	commandMax = 30 * time.Second
)

// program is the name under which scripts run this one; cairn is their own command.
const program = "cairn-program"

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){program: main}) }

// scripts are those of internal/cli whose samples need nothing but a gateway.
func scripts(t *testing.T) []string {
	dir := filepath.Join("..", "..", "internal", "cli", "testdata")
	files, err := filepath.Glob(filepath.Join(dir, "reference", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, name := range []string{"tour", "conditions", "quoting", "values"} {
		files = append(files, filepath.Join(dir, "script", name+".txtar"))
	}
	return files
}

// What the command line says of a gateway in a test holds for the real program and a real gateway:
// one for each script, with data of its own. The milliseconds are not compared.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Files: scripts(t),
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_CONFIG_HOME", env.WorkDir)
			endpoint, err := serve(env)
			env.Setenv("CAIRN_ENDPOINT", endpoint)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"cairn": runCairn, "stamp": stamp},
	})
}

// serve runs a gateway with its shards until the script ends.
func serve(env *testscript.Env) (endpoint string, err error) {
	address, ended := make(chan string, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	said := &output{}
	g := &run.Gateway{
		Listen: "127.0.0.1:0", Data: filepath.Join(env.WorkDir, "data"), CacheMiB: 32,
		Stdout: said, Stderr: said, Serving: func(a string) { address <- a },
	}
	go func() { ended <- g.Run(ctx) }()
	env.Defer(func() {
		cancel()
		<-ended
	})
	select {
	case a := <-address:
		return "http://" + a, nil
	case err := <-ended:
		ended <- nil
		return "", errors.Join(err, errors.New(said.String()))
	case <-time.After(startMax):
		return "", errors.New("the gateway does not serve: " + said.String())
	}
}

// output is what a gateway says.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// runCairn runs the program in a process of its own; its exit code must be the first argument.
func runCairn(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: cairn CODE ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), commandMax)
	defer cancel()
	exe, err := exec.LookPath(program)
	ts.Check(err)
	cmd := exec.CommandContext(ctx, exe, args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = ts.Stdout(), ts.Stderr(), ts.MkAbs(".")
	cmd.Env = os.Environ()
	for _, name := range []string{
		"CAIRN_ENDPOINT", "CAIRN_KEYSPACE", "CAIRN_TOKEN", "CAIRN_CACERT", "CAIRN_PRINCIPAL",
		"CAIRN_CONFIG", "CAIRN_CONTEXT", "XDG_CONFIG_HOME",
	} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		ts.Fatalf("cairn %q: %v", args[1:], err)
	}
	if got := cmd.ProcessState.ExitCode(); got != want {
		ts.Fatalf("cairn %q: exit code %d, want %d", args[1:], got, want)
	}
}

// stamp sets an environment variable to the commit_ts of an entry that was printed as JSON.
func stamp(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: stamp FILE VARIABLE")
	}
	var e struct {
		CommitTS json.Number `json:"commit_ts"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &e))
	ts.Setenv(args[1], e.CommitTS.String())
}
