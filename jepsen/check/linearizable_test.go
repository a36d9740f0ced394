package check

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cairnkv/cairn/jepsen/history"
)

func TestLinearizeTellsUndecided(t *testing.T) {
	var l workload
	for _, l = range workloads() {
		if l.name == "cas" {
			break
		}
	}
	h := l.history(t, 1, 300, none)
	if r := Linearize(h, time.Minute); !slices.Equal(r.Judged, []string{"c0", "c1", "c2"}) ||
		len(r.Undecided) > 0 || len(r.Anomalies) > 0 || r.Ops < 150 {
		t.Errorf("%+v", r)
	}
	if r := Linearize(h, 0); len(r.Undecided) != 3 || len(r.Anomalies) > 0 {
		t.Errorf("without time: %+v", r)
	}
}

func TestDrawRegister(t *testing.T) {
	f, err := controls.Open("controls/register/not-linearizable.stale.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.html")
	if err := DrawRegister(h, "x", path, time.Minute); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(page), "<html") || !strings.Contains(string(page), `\"w\",\"x\",2`) {
		t.Errorf("%v: %.300s", err, page)
	}
	if DrawRegister(h, "y", path, time.Minute) == nil {
		t.Error("a register that is not there was drawn")
	}
}

// TestRegistersOf: what operations on several keys touch is for others.
func TestRegistersOf(t *testing.T) {
	ok := func(id int, mops ...history.Mop) history.Op { return history.Op{ID: id, Type: history.OK, Mops: mops} }
	r := func(key string) history.Mop { return history.Mop{Kind: history.Read, Key: key} }
	h := &History{Ops: []history.Op{
		ok(0, r("x")), ok(1, r("y")), ok(2, r("y"), r("z")), ok(3, r("x"), r("x")), ok(4, r("z")),
		ok(5, history.Mop{Kind: history.Scan, Key: "p"}), {ID: 6, Type: history.Fail, Mops: []history.Mop{r("x"), r("w")}},
	}}
	if got := registersOf(h); len(got) != 1 || !slices.Equal(got["x"], []int{0, 3}) {
		t.Errorf("%v", got)
	}
}
