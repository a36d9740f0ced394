package conformance

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cairnkv/cairn/client"
)

// TestLongRanges reads as many keys as CAIRN_LONG_RANGES says, page by page through the SDK and as
// one stream through HTTP, from three processes, while others write what is being read, leaderships
// move and a leader is killed. All of a read is of one snapshot, in order, each key once; the
// memory of client and servers is printed.
func TestLongRanges(t *testing.T) {
	text := os.Getenv("CAIRN_LONG_RANGES")
	if text == "" {
		t.Skip("CAIRN_LONG_RANGES says how many keys: make long-ranges")
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	c := newCluster(t)
	db, err := client.New(client.Options{Endpoint: c.endpoint, CallAttemptsMax: 60})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	began := time.Now()
	load(t, db, n)
	t.Logf("%d keys written in %v; %s", n, time.Since(began).Round(time.Millisecond), c.memory())
	longPages(t, c, db, n)
	longStream(t, c, db, n)
}

func longKey(i int) string { return fmt.Sprintf("%c/%08d", "1bjz"[i%4], i) }

// load writes keys on all shards, with the value 0.
func load(t *testing.T, db *client.DB, n int) {
	t.Helper()
	const batch = 5000
	for i := 0; i < n; {
		var items []client.SetItem
		for ; len(items) < batch && i < n; i++ {
			items = append(items, client.SetItem{Key: longKey(i), Value: client.IntValue(0)})
		}
		if _, err := db.BatchSet(t.Context(), items, client.BatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// write changes keys all over the place until the function that it returns is called.
func write(t *testing.T, db *client.DB, n int) (stop func() int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var count atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i := 0; ctx.Err() == nil; i += 7919 {
			if _, err := db.Set(ctx, longKey(i%n), client.IntValue(1), client.SetOptions{}); err == nil {
				count.Add(1)
			}
		}
	}()
	return func() int64 {
		cancel()
		<-ended
		return count.Load()
	}
}

// longPages: a third through leaderships move, two thirds through a leader is killed.
func longPages(t *testing.T, c *cluster, db *client.DB, n int) {
	began, seen, last := time.Now(), 0, ""
	var stop func() int64
	for e, err := range db.Scan(t.Context(), client.Range{}) {
		if err != nil {
			t.Fatalf("after %d keys: %v", seen, err)
		}
		if e.Key <= last || e.Revision != 0 || e.Value.Int() != 0 {
			t.Fatalf("%q r%d %s behind %q: not one snapshot in order", e.Key, e.Revision, ValueText(&e.Value), last)
		}
		last = e.Key
		switch seen++; seen {
		case 1:
			stop = write(t, db, n)
		case n / 3:
			if _, err := db.TransferLeader(t.Context(), 2, 0); err != nil {
				t.Fatal(err)
			}
		case 2 * n / 3:
			c.killLeader(t, db)
		}
	}
	written := stop()
	if seen != n {
		t.Errorf("%d keys of %d", seen, n)
	}
	t.Logf("pages: %d keys in %v while %d were written; %s", seen, time.Since(began).Round(time.Millisecond),
		written, c.memory())
}

// killLeader ends whoever leads shard 3, and starts it again.
func (c *cluster) killLeader(t *testing.T, db *client.DB) {
	t.Helper()
	eventually(t, "shard 3 has a leader", func() bool {
		s, err := db.Status(t.Context())
		if err != nil {
			return false
		}
		for _, shard := range s.Shards {
			if shard.ID == 3 && shard.Leader {
				i := int(shard.LeaderID) - 1
				_ = c.running[i].Process.Kill()
				_ = c.running[i].Wait()
				c.start(t, i)
				return true
			}
		}
		return false
	})
}

// longStream reads NDJSON, as it was before a writer began.
func longStream(t *testing.T, c *cluster, db *client.DB, n int) {
	first, err := db.SetString(t.Context(), "zz", "the last one")
	if err != nil {
		t.Fatal(err)
	}
	began, seen, last := time.Now(), 0, ""
	stop := write(t, db, n)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		fmt.Sprintf("%s/v1/keys?as_of=%d", c.endpoint, first.CommitTS), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/x-ndjson")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		item, err := answerOfJSON(lines.Bytes())
		if err != nil || item.key <= last || *item.commit > int64(first.CommitTS) {
			t.Fatalf("%s behind %q: %v", lines.Text(), last, err)
		}
		last = item.key
		seen++
	}
	written := stop()
	if lines.Err() != nil || seen != n+1 {
		t.Errorf("%d lines of %d: %v", seen, n+1, lines.Err())
	}
	t.Logf("stream: %d keys in %v while %d were written; %s", seen, time.Since(began).Round(time.Millisecond),
		written, c.memory())
}

// memory is what client, gateway and members have resident now, and had at most.
func (c *cluster) memory() string {
	out := "client " + resident(os.Getpid()) + ", gateway " + resident(c.gateway.Process.Pid)
	for i, m := range c.running {
		out += fmt.Sprintf(", member %d %s", i+1, resident(m.Process.Pid))
	}
	return out
}

func resident(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return "unknown"
	}
	size := func(name string) int {
		_, rest, _ := strings.Cut(string(text), name+":")
		kib, _ := strconv.Atoi(strings.Fields(rest + " 0")[0])
		return kib / 1024
	}
	return fmt.Sprintf("%d MiB (at most %d)", size("VmRSS"), size("VmHWM"))
}
