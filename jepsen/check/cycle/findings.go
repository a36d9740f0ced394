package cycle

import (
	"fmt"

	"github.com/cairnkv/cairn/jepsen/check"
)

// findings collects anomalies, some of each name.
type findings struct {
	h     *check.History
	found []check.Anomaly
	count map[string]int
}

// ofNameMax is how many anomalies of a name are told: the first are enough to begin with.
const ofNameMax = 4

func newFindings(h *check.History) *findings { return &findings{h: h, count: map[string]int{}} }

func (f *findings) add(name, what string, ops ...int) {
	f.count[name]++
	if f.count[name] <= ofNameMax {
		for _, id := range ops {
			what += "\n  " + f.h.Ops[id].String()
		}
		f.found = append(f.found, check.Anomaly{Name: name, What: what, Ops: ops})
	}
}

func (f *findings) all() []check.Anomaly {
	told := map[string]int{}
	for i := range f.found {
		a := &f.found[i]
		told[a.Name]++
		if more := f.count[a.Name] - ofNameMax; more > 0 && told[a.Name] == ofNameMax {
			a.What += fmt.Sprintf("\n  (and %d more of this name)", more)
		}
	}
	return f.found
}
