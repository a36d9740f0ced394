package run

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/internal/loopback"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// startShard runs a member in process.
func startShard(t testing.TB, listen, data string) *program {
	t.Helper()
	s := &Shard{Listen: listen, Data: data, CacheMiB: 32, Stdout: t.Output(), Stderr: t.Output()}
	return launch(t, s.Run, &s.Serving)
}

func freeAddress(t testing.TB) string {
	t.Helper()
	free, err := loopback.Free(1)
	if err != nil {
		t.Fatal(err)
	}
	return free[0]
}

// eventually tries until ok, every few milliseconds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ticks := time.NewTicker(5 * time.Millisecond)
	defer ticks.Stop()
	for end := time.Now().Add(patience); !ok(); <-ticks.C {
		if time.Now().After(end) {
			t.Fatalf("it did not happen: %s", what)
		}
	}
}

func get(t testing.TB, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	http.DefaultClient.CloseIdleConnections()
	return resp.StatusCode, string(b)
}

func sum(t testing.TB, db *client.DB, accounts []string) int64 {
	t.Helper()
	entries, err := db.BatchGet(t.Context(), accounts, client.BatchGetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, e := range entries {
		total += e.Value.Int()
	}
	return total
}

// TestTwoGateways runs transfers through two gateways of one member; then one
// of them is started again, and serves as before.
func TestTwoGateways(t *testing.T) {
	member := startShard(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "data"))
	shards := []string{member.address}
	first, second := start(t, &Gateway{Shards: shards}), start(t, &Gateway{Shards: shards})
	one, two := dial(t, "http://"+first.address, false), dial(t, "http://"+second.address, false)
	accounts := []string{"a", "m", "z"}
	for _, a := range accounts {
		if _, err := one.Set(t.Context(), a, client.IntValue(100), client.SetOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error, 8)
	for i := range cap(done) {
		db := []*client.DB{one, two}[i%2]
		go func() { done <- transfers(t.Context(), db, accounts, i) }()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for _, db := range []*client.DB{one, two} {
		if n := sum(t, db, accounts); n != 300 {
			t.Errorf("the sum is %d", n)
		}
	}
	first.stop(t)
	again := dial(t, serve(t, &Gateway{Shards: shards}), false)
	if err := transfers(t.Context(), again, accounts, 0); err != nil {
		t.Error(err)
	}
	if n := sum(t, two, accounts); n != 300 {
		t.Errorf("the sum is %d", n)
	}
}

// TestMemberRestarts: gateways write while their member goes away and comes
// back, twice. What they acknowledged is there.
func TestMemberRestarts(t *testing.T) {
	data, address := filepath.Join(t.TempDir(), "data"), freeAddress(t)
	member := startShard(t, address, data)
	var dbs []*client.DB
	for range 2 {
		dbs = append(dbs, dial(t, serve(t, &Gateway{Shards: []string{address}}), false))
	}
	const writers = 4
	ctx, cancel := context.WithCancel(t.Context())
	var written [writers]atomic.Int64
	ended := make(chan struct{}, writers)
	for w := range writers {
		go func() {
			defer func() { ended <- struct{}{} }()
			for n := int64(1); ctx.Err() == nil; n++ {
				key := fmt.Sprintf("%c/%d", "amz"[n%3], w)
				_, err := dbs[w%2].Set(ctx, key, client.IntValue(n), client.SetOptions{})
				if err == nil {
					written[w].Store(n)
				}
			}
		}()
	}
	progress := func() {
		for w := range written {
			before := written[w].Load()
			eventually(t, "a write", func() bool { return written[w].Load() > before+10 })
		}
	}
	for range 2 {
		progress()
		member.stop(t)
		member = startShard(t, address, data)
	}
	progress()
	cancel()
	for range writers {
		<-ended
	}
	for w := range written {
		newest := int64(0)
		for _, k := range "amz" {
			e, err := dbs[(w+1)%2].Get(t.Context(), fmt.Sprintf("%c/%d", k, w))
			if err != nil {
				t.Fatal(err)
			}
			newest = max(newest, e.Value.Int())
		}
		if acknowledged := written[w].Load(); newest < acknowledged {
			t.Errorf("writer %d: %d was acknowledged, the newest there is %d", w, acknowledged, newest)
		}
	}
}

// TestGatewayWaitsForItsMember: it starts first and says so; without a session
// it is not ready.
func TestGatewayWaitsForItsMember(t *testing.T) {
	data, address, listen := filepath.Join(t.TempDir(), "data"), freeAddress(t), freeAddress(t)
	var stderr lockedBuffer
	g := &Gateway{Listen: listen, Shards: []string{address}, Stdout: t.Output(), Stderr: &stderr}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	readiness := func(want int) func() bool {
		return func() bool {
			status, _ := get(t, "http://"+listen+"/readyz")
			return status == want
		}
	}
	eventually(t, "/readyz answers 503", readiness(http.StatusServiceUnavailable))
	eventually(t, "it says so", func() bool { return strings.Contains(stderr.String(), "waiting for the member") })
	member := startShard(t, address, data)
	eventually(t, "/readyz answers 200", readiness(http.StatusOK))
	member.stop(t)
	eventually(t, "/readyz answers 503 again", readiness(http.StatusServiceUnavailable))
	startShard(t, address, data)
	eventually(t, "/readyz answers 200 again", readiness(http.StatusOK))
	if n := strings.Count(stderr.String(), "waiting for the member"); n != 2 {
		t.Errorf("it said %d times that it waits:\n%s", n, stderr.String())
	}
}

// TestShardsNamesADeadMember: the gateway says which one does not answer, and
// serves from the other.
func TestShardsNamesADeadMember(t *testing.T) {
	member := startShard(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "data"))
	dead := freeAddress(t)
	var stderr lockedBuffer
	g := &Gateway{Listen: "127.0.0.1:0", Shards: []string{dead, member.address}, Stdout: t.Output(), Stderr: &stderr}
	p := launch(t, g.Run, &g.Serving)
	db := dial(t, "http://"+p.address, false)
	if _, err := db.Set(t.Context(), "k", client.IntValue(1), client.SetOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it says so", func() bool {
		said := stderr.String()
		return strings.Contains(said, "a member does not answer") && strings.Contains(said, dead)
	})
	if said := stderr.String(); strings.Count(said, "a member does not answer") != 1 {
		t.Errorf("it said:\n%s", said)
	}
}

// lockedBuffer is what a program and its test share.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestShardPages(t *testing.T) {
	member := startShard(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "data"))
	for path, want := range map[string]string{
		"/livez": "ok", "/readyz": "ok", "/metrics": `cairn_shard_serving{shard="1"} 1`,
	} {
		status, body := get(t, "http://"+member.address+path)
		if status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// TestShardEndsWhileItWaits: told to end, a founder does so whether or not the others came.
func TestShardEndsWhileItWaits(t *testing.T) {
	address, other, third := freeAddress(t), freeAddress(t), freeAddress(t)
	s := &Shard{Listen: address, Data: filepath.Join(t.TempDir(), "data"), ID: 1,
		Join: []string{address, other, third}, Stdout: t.Output(), Stderr: t.Output()}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	eventually(t, "it is there, and not ready", func() bool {
		resp, err := http.Get("http://" + address + "/readyz")
		return err == nil && resp.Body.Close() == nil && resp.StatusCode == http.StatusServiceUnavailable
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestShardRefusesToStart(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"address in use", "--listen", []string{"--listen", l.Addr().String()}},
		{"splits out of order", "does not come after", []string{"--split", "m,c"}},
		{"memory", "EphemeralBytes -1 is negative", []string{"--ephemeral-bytes", "-1"}},
		{"unknown flag", "unknown flag", []string{"--shards", "x"}},
	} {
		var stderr bytes.Buffer
		args := append([]string{"--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "d")}, c.args...)
		code := Main(ShardCommand(&stderr, &stderr), args, &stderr)
		if code != exitUsage || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%s: exit %d, %s", c.name, code, stderr.String())
		}
	}
}

// BenchmarkRemote is BenchmarkGateway with the member behind a link, all of it
// in one process.
func BenchmarkRemote(b *testing.B) {
	member := startShard(b, "127.0.0.1:0", filepath.Join(b.TempDir(), "data"))
	benchmark(b, serve(b, &Gateway{Shards: []string{member.address}}))
}
