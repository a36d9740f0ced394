package cycle

import (
	"github.com/cairnkv/cairn/jepsen/check"
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
	check.InRealTime(ops, func(a, b int) {
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
