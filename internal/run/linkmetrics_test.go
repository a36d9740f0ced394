package run

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/internal/loopback"
)

// metric is the value of the first line of /metrics that begins with name; -1: there is none.
func metric(t *testing.T, address, name string) (v float64) {
	t.Helper()
	_, body := get(t, "http://"+address+"/metrics")
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			if _, err := fmt.Sscan(value, &v); err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	return -1
}

// Metrics tell of a member that went and came back, of the election that it meant, and of the
// session that was lost when all had gone.
func TestFailuresInMetrics(t *testing.T) {
	free, err := loopback.Free(3)
	if err != nil {
		t.Fatal(err)
	}
	dir, members := t.TempDir(), make([]*program, 3)
	begin := func(ids ...int) {
		var started sync.WaitGroup
		for _, id := range ids {
			started.Go(func() {
				s := &Shard{ID: uint64(id), Listen: free[id-1], Join: free, CacheMiB: 16,
					Data: filepath.Join(dir, fmt.Sprint(id)), Stdout: t.Output(), Stderr: t.Output()}
				members[id-1] = launch(t, s.Run, &s.Serving)
			})
		}
		started.Wait()
	}
	begin(1, 2, 3)
	g := start(t, &Gateway{Shards: free})
	db := dial(t, "http://"+g.address, false)
	if _, err := db.Set(t.Context(), "k", client.IntValue(1), client.SetOptions{}); err != nil {
		t.Fatal(err)
	}
	leads := int(metric(t, free[0], `cairn_shard_leader{shard="2"}`))
	if leads < 1 || leads > 3 {
		t.Fatalf("shard 2 is led by %d", leads)
	}
	other := leads%3 + 1
	gone, toGone := free[leads-1], fmt.Sprintf(`{member="%d"}`, leads)
	ofGone := fmt.Sprintf(`{address="%s",member="%d"}`, gone, leads)
	is := func(address, name string, want float64) {
		t.Helper()
		eventually(t, fmt.Sprint(name, " is ", want), func() bool { return metric(t, address, name) == want })
	}
	atLeast := func(address, name string, want float64) {
		t.Helper()
		eventually(t, fmt.Sprint(name, " reaches ", want), func() bool { return metric(t, address, name) >= want })
	}
	is(free[other-1], "cairn_peer_up"+toGone, 1)
	connects := metric(t, free[other-1], "cairn_peer_connects_total"+toGone)
	is(g.address, "cairn_member_up"+ofGone, 1)
	is(g.address, "cairn_session_open", 1)
	if n := metric(t, gone, "cairn_log_sync_seconds_count"); n < 1 {
		t.Errorf("%v syncs of the log", n)
	}
	is(gone, "cairn_disk_slow_total", 0)
	term := metric(t, free[other-1], `cairn_shard_term{shard="2"}`)

	members[leads-1].stop(t)
	is(free[other-1], "cairn_peer_up"+toGone, 0)
	is(g.address, "cairn_member_up"+ofGone, 0)
	atLeast(free[other-1], `cairn_shard_term{shard="2"}`, term+1)
	// Whether it was silent before its connection ended is a matter of milliseconds.
	atLeast(g.address, "cairn_member_silences_total"+ofGone, 0)
	begin(leads)
	is(free[other-1], "cairn_peer_up"+toGone, 1)
	atLeast(free[other-1], "cairn_peer_connects_total"+toGone, connects+1)
	is(g.address, "cairn_member_up"+ofGone, 1)
	lost := metric(t, g.address, "cairn_sessions_lost_total")

	for _, m := range members {
		m.stop(t)
	}
	is(g.address, "cairn_session_open", 0)
	atLeast(g.address, "cairn_sessions_lost_total", lost+1)
}
