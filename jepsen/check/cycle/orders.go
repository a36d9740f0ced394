package cycle

import (
	"slices"

	"github.com/cairnkv/cairn/jepsen/check/depend"
	"github.com/cairnkv/cairn/jepsen/history"
)

// addOrders adds the orders that values do not show.
func (c *inference) addOrders() {
	var ops []*history.Op
	for i := range c.h.Ops {
		if c.happened[i] {
			ops = append(ops, &c.h.Ops[i])
		}
	}
	inProcess(ops, func(a, b int) {
		c.graph.Add(ops[a].ID, depend.Edge{To: ops[b].ID, Kind: depend.Process,
			Level: depend.InProcess})
	})
	inRealTime(ops, func(a, b int) {
		if ops[a].Process != ops[b].Process { // its process says the same, and says more
			c.graph.Add(ops[a].ID, depend.Edge{To: ops[b].ID, Kind: depend.RealTime,
				Level: depend.InRealTime})
		}
	})
}

// inProcess tells each operation, by its place in ops, and the next one of its
// process. The operations are in the order in which they were invoked.
func inProcess(ops []*history.Op, tell func(a, b int)) {
	before := map[int]int{}
	for i, op := range ops {
		if last, ok := before[op.Process]; ok {
			tell(last, i)
		}
		before[op.Process] = i
	}
}

// inRealTime tells, by their places in ops, which operations had ended before
// which began: not all pairs of them, but those that all others follow from. So
// there are at most as many for an operation as others were open at a time.
func inRealTime(ops []*history.Op, tell func(a, b int)) {
	ends := make([]int, 0, len(ops))
	for i, op := range ops {
		if op.Completed != history.Never {
			ends = append(ends, i)
		}
	}
	slices.SortFunc(ends, func(a, b int) int { return ops[a].Completed - ops[b].Completed })
	var latest []int // of what has ended, what nothing that has ended came after
	for i, op := range ops {
		for len(ends) > 0 && ops[ends[0]].Completed < op.Invoked {
			ended := ends[0]
			ends = ends[1:]
			latest = slices.DeleteFunc(latest, func(a int) bool {
				return ops[a].Completed < ops[ended].Invoked
			})
			latest = append(latest, ended)
		}
		for _, a := range latest {
			tell(a, i)
		}
	}
}
