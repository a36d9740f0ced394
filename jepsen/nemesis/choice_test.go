//go:build unix

package nemesis

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cairnkv/cairn/jepsen/cluster"
)

func nodes(s string) (list []cluster.Node) {
	for f := range strings.FieldsSeq(s) {
		list = append(list, cluster.Node(f))
	}
	return list
}

func show(cuts []cut) string {
	var s []string
	for _, k := range cuts {
		s = append(s, k.String())
	}
	slices.Sort(s)
	return strings.Join(s, " ")
}

func TestCuts(t *testing.T) {
	for _, c := range []struct {
		name string
		cuts []cut
		want string
	}{
		{"apart", apart(nodes("a b"), nodes("c")), "a>c b>c c>a c>b"},
		{"apart from nobody", apart(nodes("a b"), nil), ""},
		{"ring of five", ring(nodes("a b c d e")), "a>c a>d b>d b>e c>a c>e d>a d>b e>b e>c"},
		{"bridge of three", bridge(nodes("a b c")), "a>c c>a"},
		{"bridge of five", bridge(nodes("a b c d e")), "a>d a>e b>d b>e d>a d>b e>a e>b"},
		{"deaf", deaf("b", nodes("a b c")), "a>b c>b"},
		{"mute", mute("b", nodes("a b c")), "b>a b>c"},
	} {
		if got := show(c.cuts); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// In a ring each member reaches a majority, itself included, and no two the same one.
func TestRingMajorities(t *testing.T) {
	for _, n := range []int{5, 7} {
		var order []cluster.Node
		for i := range n {
			order = append(order, cluster.Node(fmt.Sprint("m", i+1)))
		}
		cuts := ring(order)
		seen := make(map[string]bool)
		for _, a := range order {
			reached := without(order, func() (lost []cluster.Node) {
				for _, k := range cuts {
					if k.from == a {
						lost = append(lost, k.to)
					}
				}
				return lost
			}()...)
			if len(reached) < n/2+1 || len(reached) == n || !slices.Contains(reached, a) {
				t.Errorf("of %d, %s reaches %v", n, a, reached)
			}
			if seen[names(reached)] {
				t.Errorf("of %d, two reach exactly %v", n, reached)
			}
			seen[names(reached)] = true
		}
	}
}

// A cut is proven by whatever was lost, on any link, and by nothing if something has passed.
func TestLostOn(t *testing.T) {
	cuts := apart(nodes("a"), nodes("b"))
	for _, c := range []struct {
		name  string
		tolls []toll
		ok    bool
	}{
		{"nothing", []toll{{}, {}}, false},
		{"bytes", []toll{{}, {bytes: 1}}, true},
		{"the end of a stream", []toll{{ends: 1}, {}}, true},
		{"who dialled", []toll{{}, {dials: 1}}, true},
		{"and something passed", []toll{{bytes: 100}, {passed: 1}}, false},
	} {
		if said, err := lostOn(cuts, c.tolls); (err == nil) != c.ok {
			t.Errorf("%s: %q, %v", c.name, said, err)
		}
	}
}

func TestMinority(t *testing.T) {
	for n, want := range map[int]int{1: 0, 3: 1, 5: 2} {
		if got := minority(n); got != want {
			t.Errorf("of %d members %d can be lost, want %d", n, got, want)
		}
	}
}

// Chance decides, and the same seed the same way; what was given stays as it was.
func TestShuffled(t *testing.T) {
	all := nodes("a b c d e f g h")
	a := shuffled(rand.New(rand.NewPCG(1, 2)), all)
	b := shuffled(rand.New(rand.NewPCG(1, 2)), all)
	if !slices.Equal(a, b) || slices.Equal(a, all) || names(all) != "a, b, c, d, e, f, g, h" {
		t.Errorf("%v and %v of %v", a, b, all)
	}
	slices.Sort(a)
	if !slices.Equal(a, all) {
		t.Errorf("%v of %v", a, all)
	}
}
