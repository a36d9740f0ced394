package run

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/txn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// program is one that a test runs in process.
type program struct {
	address string
	cancel  context.CancelFunc
	ended   chan error
}

// launch runs a program until it is stopped, or the test ends. serving is its hook.
func launch(t testing.TB, run func(context.Context) error, serving *func(string)) *program {
	t.Helper()
	address := make(chan string, 1)
	*serving = func(a string) { address <- a }
	ctx, cancel := context.WithCancel(context.Background())
	p := &program{cancel: cancel, ended: make(chan error, 1)}
	go func() { p.ended <- run(ctx) }()
	t.Cleanup(func() { p.stop(t) })
	select {
	case p.address = <-address:
	case err := <-p.ended:
		p.ended <- nil
		t.Fatal(err)
	}
	return p
}

// stop ends the program in good order; a second one does nothing.
func (p *program) stop(t testing.TB) {
	t.Helper()
	p.cancel()
	if err := <-p.ended; err != nil {
		t.Errorf("a program ended with %v", err)
	}
	p.ended <- nil
}

func start(t testing.TB, g *Gateway) *program {
	t.Helper()
	if g.Listen == "" {
		g.Listen = "127.0.0.1:0"
	}
	g.Stdout, g.Stderr = t.Output(), t.Output()
	g.CacheMiB = 32
	return launch(t, g.Run, &g.Serving)
}

// serve runs a gateway in process until the test ends.
func serve(t testing.TB, g *Gateway) (endpoint string) {
	t.Helper()
	return "http://" + start(t, g).address
}

func dial(t testing.TB, endpoint string, unary bool) *client.DB {
	t.Helper()
	db, err := client.New(client.Options{Endpoint: endpoint, Unary: unary})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

func TestKeepsDataOverRestarts(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	for life := range 3 {
		t.Run(fmt.Sprint(life), func(t *testing.T) {
			db := dial(t, serve(t, &Gateway{Data: data}), false)
			got, err := db.Get(t.Context(), "k")
			if err != nil || got.Revision != int64(life-1) {
				t.Fatalf("%+v, %v", got, err)
			}
			if _, err := db.Set(t.Context(), "k", client.IntValue(int64(life)), client.SetOptions{}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestRefusesToStart is a list of ways in which the program cannot start; each
// says what to do.
func TestRefusesToStart(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	used := filepath.Join(dir, "used")
	serve(t, &Gateway{Data: used})
	newer, foreign := filepath.Join(dir, "newer"), filepath.Join(dir, "foreign")
	for path, content := range map[string]string{
		filepath.Join(newer, "CAIRN"):       `{"format":9,"release":"7.0.0","ready":true}` + "\n",
		filepath.Join(foreign, "thesis.md"): "mine",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, want string
		code       int
		args       []string
	}{
		{"address in use", "--listen", 2, []string{"--listen", l.Addr().String(), "--data", dir + "/a"}},
		{"directory in use", "in use by another process", 1, []string{"--data", used}},
		{"newer format", "start Cairn 7.0.0 or later", 2, []string{"--data", newer}},
		{"foreign directory", `holds "thesis.md"`, 2, []string{"--data", foreign}},
		{"splits out of order", "does not come after", 2, []string{"--data", dir + "/b", "--split", "m,c"}},
		{"one of two without a port", "host:port", 2, []string{"--shards", "a:1,b"}},
		{"no port", "host:port", 2, []string{"--shards", "localhost"}},
		{"splits of a member", "belongs to the member", 2, []string{"--shards", "a:1", "--split", "c"}},
		{"unknown flag", "unknown flag", 2, []string{"--dta", "x"}},
	} {
		var stderr bytes.Buffer
		args := append([]string{"--listen", "127.0.0.1:0"}, c.args...)
		code := Main(GatewayCommand(&stderr, &stderr), args, &stderr)
		if code != c.code || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%s: exit %d, %s", c.name, code, stderr.String())
		}
	}
}

// TestTransfersKeepTheSum runs transfers over two shards side by side.
func TestTransfersKeepTheSum(t *testing.T) {
	db := dial(t, serve(t, &Gateway{Data: filepath.Join(t.TempDir(), "data")}), false)
	accounts := []string{"a", "m", "z"}
	for _, a := range accounts {
		if _, err := db.Set(t.Context(), a, client.IntValue(100), client.SetOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error, 8)
	for i := range cap(done) {
		go func() { done <- transfers(t.Context(), db, accounts, i) }()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	sum := int64(0)
	entries, err := db.BatchGet(t.Context(), accounts, client.BatchGetOptions{})
	for _, e := range entries {
		sum += e.Value.Int()
	}
	if err != nil || sum != 300 {
		t.Errorf("the sum is %d, %v", sum, err)
	}
}

// TestCountsAreKept takes places all over three shards, as long as there are some, side by side.
func TestCountsAreKept(t *testing.T) {
	const places, workers, each = 12, 4, 6
	db := dial(t, serve(t, &Gateway{Data: filepath.Join(t.TempDir(), "data")}), false)
	taken := make(chan int, workers)
	failed := make(chan error, workers)
	for worker := range workers {
		go func() {
			n := 0
			var err error
			for i := 0; i < each && err == nil; i++ {
				var out client.Outcome
				key := fmt.Sprintf("%c/%d-%d", "amz"[(worker+i)%3], worker, i)
				out, err = db.Execute(t.Context(), client.Program{
					If: client.CountIs(client.All(), client.Less, places),
					Then: []client.Op{
						client.SetOp(key, client.StringValue("taken"), client.SetOptions{}),
					},
				})
				if out.Succeeded {
					n++
				}
			}
			taken <- n
			failed <- err
		}()
	}
	sum := 0
	for range workers {
		sum += <-taken
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	n, err := db.Count(t.Context(), client.All())
	if n != places || sum != places || err != nil {
		t.Errorf("%d of %d places are taken, %d answers say so, %v", n, places, sum, err)
	}
	var first client.Entry
	for e, err := range db.Scan(t.Context(), client.All()) {
		if err != nil {
			t.Fatal(err)
		}
		if first.CommitTS == 0 || e.CommitTS < first.CommitTS {
			first = e
		}
	}
	for _, c := range []struct {
		name string
		cond client.Condition
		want bool
	}{
		{"changed", client.UnchangedSince(client.All(), first.CommitTS), false},
		{"unchanged", client.UnchangedSince(client.Prefix(first.Key), first.CommitTS), true},
		{"count", client.CountIs(client.Span("a", "n"), client.Greater, places), false},
	} {
		out, err := db.Execute(t.Context(), client.Program{If: c.cond, Then: []client.Op{client.GetOp("a")}})
		if err != nil || out.Succeeded != c.want {
			t.Errorf("%s: %v, %v", c.name, out.Succeeded, err)
		}
	}
}

func transfers(ctx context.Context, db *client.DB, accounts []string, worker int) error {
	for i := range 20 {
		from, to := accounts[(worker+i)%3], accounts[(worker+i+1)%3]
		err := db.Update(ctx, func(tx *client.Txn) error {
			for key, change := range map[string]int64{from: -1, to: 1} {
				e, err := tx.Get(ctx, key)
				if err != nil {
					return err
				}
				v := client.IntValue(e.Value.Int() + change)
				if _, err := tx.Set(ctx, key, v, client.SetOptions{}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("transfer %d of %d: %w (%v)", i, worker, err, txn.KindOf(err))
		}
	}
	return nil
}

// BenchmarkGateway is one put and one get of 256 bytes through the whole
// program in one process, client included: unary calls, and the stream.
func BenchmarkGateway(b *testing.B) {
	benchmark(b, serve(b, &Gateway{Data: filepath.Join(b.TempDir(), "data")}))
}

func benchmark(b *testing.B, endpoint string) {
	value := client.BytesValue(make([]byte, 256))
	var n atomic.Int64
	key := func() string { return fmt.Sprint("key", n.Add(1)%10_000) }
	for _, way := range []string{"unary", "stream"} {
		db := dial(b, endpoint, way == "unary")
		for _, callers := range []int{1, 64, 256} {
			run := func(op string, f func(context.Context) error) {
				b.Run(fmt.Sprintf("%s/%s/callers=%d", op, way, callers), func(b *testing.B) {
					b.ReportAllocs()
					parallel(b, callers, f)
				})
			}
			run("put", func(ctx context.Context) error {
				_, err := db.Set(ctx, key(), value, client.SetOptions{})
				return err
			})
			run("get", func(ctx context.Context) error {
				_, err := db.Get(ctx, key())
				return err
			})
		}
	}
}

// parallel shares b.N calls among callers.
func parallel(b *testing.B, callers int, f func(context.Context) error) {
	var left atomic.Int64
	left.Store(int64(b.N))
	ended := make(chan error, callers)
	for range callers {
		go func() {
			for left.Add(-1) >= 0 {
				if err := f(b.Context()); err != nil {
					ended <- err
					return
				}
			}
			ended <- nil
		}()
	}
	for range callers {
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
	}
}
