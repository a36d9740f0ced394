package cell

import (
	"slices"
	"strings"
	"testing"

	"github.com/cairnkv/cairn/jepsen/check"
)

// TestCovered: what nobody looked at proves nothing.
func TestCovered(t *testing.T) {
	good := func() check.Coverage {
		return check.Coverage{OK: 1000, Found: 100, Written: 500, Observed: 100, Final: 1,
			Modes:    map[string]check.Tries{"cas": {All: 100, OK: 1}, "batch": {All: 99}},
			Gateways: map[string]check.Tries{"g1": {All: 100, OK: 1}, "g2": {All: 99}}}
	}
	for _, c := range []struct {
		name string
		take func(c *check.Coverage)
		want string
	}{
		{"enough", func(*check.Coverage) {}, ""},
		{"too little found", func(c *check.Coverage) { c.Found-- }, "unread"},
		{"too little observed", func(c *check.Coverage) { c.Observed-- }, "unread"},
		{"nothing at the end", func(c *check.Coverage) { c.Final = 0 }, "all was over"},
		{"a mode", func(c *check.Coverage) { c.Modes["batch"] = check.Tries{All: 100} }, "batch"},
		{"a gateway", func(c *check.Coverage) { c.Gateways["g2"] = check.Tries{All: 100} }, "g2"},
	} {
		v := &Verdict{Coverage: good()}
		c.take(&v.Coverage)
		v.covered()
		if (len(v.Problems) > 0) != (c.want != "") || !strings.Contains(strings.Join(v.Problems, ""), c.want) {
			t.Errorf("%s: %v", c.name, v.Problems)
		}
	}
}

// TestUndecided: at most one register in ten proves nothing, or one of a few; never all.
func TestUndecided(t *testing.T) {
	for _, c := range []struct {
		undecided, judged int
		want              bool
	}{{0, 0, true}, {0, 1, false}, {1, 1, true}, {1, 2, false}, {2, 19, true}, {2, 20, false}, {3, 20, true}} {
		if got := tooUndecided(c.undecided, c.judged); got != c.want {
			t.Errorf("%d of %d undecided is too much: %v", c.undecided, c.judged, got)
		}
	}
	l := check.Linearity{Judged: []string{"a", "b", "c", "d", "e"}, Undecided: []string{"d"}, Illegal: []string{"e"}}
	if got, want := pictured(&l), []string{"e", "d", "a"}; !slices.Equal(got, want) {
		t.Errorf("%v is drawn, not %v", got, want)
	}
}

// TestControls: every checker of a cell refuses what it must.
func TestControls(t *testing.T) {
	if err := check.Controls(AllCheckers()); err != nil {
		t.Error(err)
	}
}
