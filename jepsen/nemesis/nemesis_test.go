//go:build unix

package nemesis

import (
	"testing"
	"time"
)

func TestAll(t *testing.T) {
	seen := make(map[string]bool)
	for _, n := range All() {
		if seen[n.Name] {
			t.Errorf("two are called %s", n.Name)
		}
		seen[n.Name] = true
		if n.Number == "" || n.What == "" || n.Objective <= 0 || n.Hold <= 0 || n.Begin == nil {
			t.Errorf("%s is not whole: %+v", n.Name, n)
		}
		if n.touches == 0 && n.Name != "none" {
			t.Errorf("%s touches nothing", n.Name)
		}
		if got, ok := ByName(n.Name); !ok || got.What != n.What {
			t.Errorf("by the name %s there is %+v, %v", n.Name, got, ok)
		}
	}
	if _, ok := ByName("earthquake"); ok {
		t.Error("there is a nemesis that there is not")
	}
}

func TestCompatible(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"kill-leader", "isolate-one", true},
		{"kill-leader", "kill-gateway", true},
		{"kill-leader", "clock-bump", true},
		{"kill-minority", "bridge", true},
		{"power-loss-one", "majority-minority", true},
		{"pause-leader", "kill-gateway", true},
		{"slow-sync-leader", "isolate-one", false}, // who is cut off may have nothing to sync
		{"transfer-storm", "deaf-leader", true},
		{"delay-gateway", "kill-gateway", false},       // who is slow is dead
		{"majorities-ring", "bridge", false},           // the same links
		{"kill-leader", "power-loss-one", false},       // one starts what the other wants down
		{"pause-all", "clock-rate", false},             // who stands still takes no commands
		{"pause-leader", "kill-leader", false},         // nor dies as he should
		{"disk-full", "kill-leader", false},            // who starts anew has a good disk
		{"truncate-wal", "kill-gateway", false},        // counts on all else
		{"truncate-wal", "isolate-one", false},         // the same
		{"replace-member", "majority-minority", false}, // needs a majority
		{"kill-all", "bridge", false},                  // there is nobody left
		{"none", "kill-leader", false},
		{"none", "none", false},
	} {
		a, okA := ByName(c.a)
		b, okB := ByName(c.b)
		if !okA || !okB {
			t.Errorf("%s or %s does not exist", c.a, c.b)
			continue
		}
		if Compatible(a, b) != c.want || Compatible(b, a) != c.want {
			t.Errorf("%s and %s: %v and %v, want %v", c.a, c.b, Compatible(a, b), Compatible(b, a), c.want)
		}
		if _, err := Both(a, b); (err == nil) != c.want {
			t.Errorf("both %s and %s: %v", c.a, c.b, err)
		}
	}
	chosen(t, pairs) // fails unless each can be
}

// What none survives goes with nothing else.
func TestAlone(t *testing.T) {
	for _, a := range All() {
		if Compatible(a, a) {
			t.Errorf("%s twice", a.Name)
		}
		for _, b := range All() {
			if a.Number == "N19" && Compatible(a, b) {
				t.Errorf("%s and %s", a.Name, b.Name)
			}
		}
	}
}

func TestLossIn(t *testing.T) {
	for _, c := range []struct {
		line         string
		bytes, names int64
		ok           bool
	}{
		{"level=WARN msg=fault lost_bytes=512 lost_names=2 unsynced_bytes=900 unsynced_names=3", 512, 2, true},
		{"level=WARN msg=fault lost_bytes=0 lost_names=0 unsynced_bytes=0 unsynced_names=0", 0, 0, true},
		{"level=ERROR msg=fault power_loss_failed=stuck", 0, 0, false},
		{"", 0, 0, false},
	} {
		if _, bytes, names, ok := lossIn(c.line); bytes != c.bytes || names != c.names || ok != c.ok {
			t.Errorf("%q: %d bytes, %d names, %v", c.line, bytes, names, ok)
		}
	}
}

func TestLongestStall(t *testing.T) {
	for _, c := range []struct {
		log  string
		want time.Duration
	}{
		{"", 0},
		{"level=WARN msg=\"the process did not run\" for=1.183229504s\n", 1183 * time.Millisecond},
		{"level=WARN msg=\"the process did not run\" for=2s\nlevel=WARN msg=\"the process did not run\" for=250ms\n",
			2 * time.Second},
		{"level=WARN msg=\"the process did not run\" for=ages\n", 0},
	} {
		if got := longest(c.log); got != c.want {
			t.Errorf("%q: %v, want %v", c.log, got, c.want)
		}
	}
}
