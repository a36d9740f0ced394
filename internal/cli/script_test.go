package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/cairnkv/cairn/client/clienttest"
	"github.com/cairnkv/cairn/internal/cli"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// failures make the gateway of a script misbehave.
type failures struct {
	losing, failing atomic.Int32 // method number
	after           atomic.Int32 // so many more calls succeed
	kind            atomic.Int32
}

func (f *failures) lose(_ context.Context, m cairnv1.Method, _ proto.Message) error {
	if int32(m) == f.losing.Load() && f.after.Add(-1) < 0 {
		return clienttest.Lose()
	}
	return nil
}

func (f *failures) fail(_ context.Context, m cairnv1.Method, _ proto.Message) error {
	if int32(m) == f.failing.Load() {
		return txn.Errorf(txn.ErrorKind(f.kind.Load()), "test", "the test says so")
	}
	return nil
}

// Each script has a gateway of its own, of a cluster of three members. Its commands are:
//
//	cairn CODE ARG...     run a command line, which must exit with CODE
//	lose METHOD [AFTER]   from the AFTER-th call on, drop the connection instead of an answer
//	fail METHOD KIND      answer an error of this kind
//	stop, restart         end and start the gateway
//	down MEMBER WHY       make a member not answer
func TestScripts(t *testing.T) { runScripts(t, "testdata/script") }

// What these scripts say holds for a real gateway too: cmd/cairn runs them against one.
func TestReference(t *testing.T) { runScripts(t, "testdata/reference") }

func runScripts(t *testing.T, dir string) {
	testscript.Run(t, testscript.Params{
		Dir:      dir,
		TestWork: false,
		Setup: func(env *testscript.Env) error {
			f := &failures{}
			s, err := clienttest.NewServer(clienttest.Options{
				Page: 7, Members: 3, Hook: f.fail, After: f.lose, Txns: openTxns(),
				Locks: lockTable(),
			})
			if err != nil {
				return err
			}
			env.Defer(s.Close)
			env.Setenv("CAIRN_ENDPOINT", s.URL)
			env.Setenv("XDG_CONFIG_HOME", env.WorkDir)
			env.Values["gateway"], env.Values["failures"] = s, f
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"cairn": runCairn,
			"stamp": stamp,
			"lose": func(ts *testscript.TestScript, _ bool, args []string) {
				f := ts.Value("failures").(*failures)
				if len(args) > 1 {
					n, err := strconv.Atoi(args[1])
					ts.Check(err)
					f.after.Store(int32(n))
				}
				f.losing.Store(cairnv1.Method_value[args[0]])
			},
			"fail": func(ts *testscript.TestScript, _ bool, args []string) {
				f := ts.Value("failures").(*failures)
				n, err := strconv.Atoi(args[1])
				ts.Check(err)
				f.kind.Store(int32(n))
				f.failing.Store(cairnv1.Method_value[args[0]])
			},
			"down": func(ts *testscript.TestScript, _ bool, args []string) {
				id, err := strconv.ParseUint(args[0], 10, 64)
				ts.Check(err)
				gateway(ts).Down(id, args[1])
			},
			"stop":    func(ts *testscript.TestScript, _ bool, _ []string) { gateway(ts).Close() },
			"restart": func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(gateway(ts).Restart()) },
		},
	})
}

// openTxns are what every gateway claims to have open.
func openTxns() []*cairnv1.OpenTxn {
	age := time.Now().Add(-90 * time.Second).UnixMicro()
	return []*cairnv1.OpenTxn{
		{
			Id: "3.17", Age: age, Mode: cairnv1.TxnMode_TXN_MODE_PESSIMISTIC, OpenMs: 61_000, KeysRead: 12,
			KeysWritten: 3, State: cairnv1.TxnState_TXN_STATE_WAITING,
			Isolation: cairnv1.Isolation_ISOLATION_SERIALIZABLE,
		},
		{
			Id: "3.18", Age: age, OpenMs: 1500, IdleMs: 250, ReadOnly: true,
			Isolation: cairnv1.Isolation_ISOLATION_SNAPSHOT, State: cairnv1.TxnState_TXN_STATE_IDLE,
		},
	}
}

// lockTable is what every gateway claims to be locked.
func lockTable() *cairnv1.LocksResponse {
	age := time.Now().Add(-90 * time.Second).UnixMicro()
	key := func(k string) *cairnv1.Lock {
		return &cairnv1.Lock{Keyspace: "default", Age: age, What: &cairnv1.Lock_Key{Key: []byte(k)}}
	}
	held, waits, ends, all := key("a b"), key("a b"), key("k"), key("")
	held.Txn, held.Mode, held.SinceMs = "3.17", cairnv1.LockMode_LOCK_MODE_EXCLUSIVE, 61_000
	waits.Txn, waits.Mode, waits.SinceMs = "3.19", cairnv1.LockMode_LOCK_MODE_UPDATE, 1500
	waits.Waits, waits.Behind = true, []string{"3.17", "3.18"}
	ends.Txn, ends.Mode, ends.SinceMs = "3.18", cairnv1.LockMode_LOCK_MODE_EXCLUSIVE, 250
	ends.Committing = true
	all.Txn, all.Mode, all.Waits = "4.1", cairnv1.LockMode_LOCK_MODE_SHARED, true
	all.Behind = []string{"3.18"}
	all.What = &cairnv1.Lock_Span{Span: &cairnv1.Span{Start: []byte("k")}}
	return &cairnv1.LocksResponse{
		Locks: []*cairnv1.Lock{held, waits, ends, all}, More: true,
		Silent: []*cairnv1.SilentShard{{Id: 2, Why: "no member answers"}},
	}
}

func gateway(ts *testscript.TestScript) *clienttest.Server {
	return ts.Value("gateway").(*clienttest.Server)
}

func runCairn(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: cairn CODE ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	m := &cli.Main{
		Stdin: strings.NewReader(""), Stdout: ts.Stdout(), Stderr: ts.Stderr(),
		Getenv: ts.Getenv, Version: "1.2.3",
	}
	if got := m.Run(args[1:]); got != want {
		ts.Fatalf("cairn %q: exit code %d, want %d", args[1:], got, want)
	}
}

// Other commands hang on to the same root, and a context that a signal ended has its own code.
func TestMainExtra(t *testing.T) {
	var out, errs strings.Builder
	ctx, cancel := context.WithCancel(t.Context())
	m := &cli.Main{
		Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" },
		Extra: []*cobra.Command{{
			Use: "extra", Hidden: true,
			RunE: func(cmd *cobra.Command, args []string) error {
				cancel()
				<-cmd.Context().Done()
				_, err := fmt.Fprintln(cmd.OutOrStdout(), "ran")
				return err
			},
		}},
	}
	if code := m.RunContext(ctx, []string{"extra"}); code != 0 || out.String() != "ran\n" || errs.Len() > 0 {
		t.Errorf("exit code %d, output %q, errors %q", code, out.String(), errs.String())
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

// A gateway that speaks https is trusted if --cacert vouches for it.
func TestCACert(t *testing.T) {
	s, err := clienttest.NewServer(clienttest.Options{TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, s.Certificate(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		cacert string
		code   int
		said   string
	}{{"", 5, "--cacert or CAIRN_CACERT"}, {file, 0, ""}} {
		var out, errs strings.Builder
		m := &cli.Main{Stdout: &out, Stderr: &errs, Getenv: func(name string) string {
			return map[string]string{"CAIRN_ENDPOINT": s.URL, "CAIRN_CACERT": c.cacert}[name]
		}}
		code := m.RunContext(t.Context(), []string{"set", "k", "v"})
		if code != c.code || !strings.Contains(errs.String(), c.said) {
			t.Errorf("%q: exit code %d, %s", c.cacert, code, errs.String())
		}
	}
}
