//go:build unix

package nemesis

import (
	"math/rand/v2"
	"slices"

	"github.com/cairnkv/cairn/jepsen/cluster"
)

// cut is a link that carries nothing.
type cut struct{ from, to cluster.Node }

// apart cuts every node of a from every one of b, both ways.
func apart(a, b []cluster.Node) (cuts []cut) {
	for _, x := range a {
		for _, y := range b {
			cuts = append(cuts, cut{x, y}, cut{y, x})
		}
	}
	return cuts
}

// ring lets every member see a majority, and no two the same one: each reaches its neighbours only.
// With fewer than five members there is no such ring but bridge.
func ring(order []cluster.Node) (cuts []cut) {
	n := len(order)
	reach := (n/2 + 1) / 2 // to either side; with itself that is a majority
	for i := range order {
		for j := range i {
			if d := min(i-j, n-i+j); d > reach {
				cuts = append(cuts, apart(order[i:i+1], order[j:j+1])...)
			}
		}
	}
	return cuts
}

// bridge cuts two halves from each other; one member in the middle sees everybody.
func bridge(order []cluster.Node) []cut {
	n := len(order) / 2
	return apart(order[:n], order[len(order)-n:])
}

// deaf lets a node send and hear nothing, from these.
func deaf(n cluster.Node, from []cluster.Node) (cuts []cut) {
	for _, o := range from {
		if o != n {
			cuts = append(cuts, cut{o, n})
		}
	}
	return cuts
}

// mute lets a node hear and send nothing, to these.
func mute(n cluster.Node, to []cluster.Node) (cuts []cut) {
	for _, c := range deaf(n, to) {
		cuts = append(cuts, cut{c.to, c.from})
	}
	return cuts
}

// minority is how many of n members can be lost.
func minority(n int) int { return (n - 1) / 2 }

// shuffled are the nodes in an order by chance.
func shuffled(r *rand.Rand, nodes []cluster.Node) []cluster.Node {
	nodes = slices.Clone(nodes)
	r.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	return nodes
}

// one of the nodes.
func one(r *rand.Rand, nodes []cluster.Node) cluster.Node { return nodes[r.IntN(len(nodes))] }

// without leaves out some.
func without(nodes []cluster.Node, out ...cluster.Node) []cluster.Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n cluster.Node) bool {
		return slices.Contains(out, n)
	})
}

// fork is chance for a goroutine of its own.
func fork(r *rand.Rand) *rand.Rand { return rand.New(rand.NewPCG(r.Uint64(), r.Uint64())) }
