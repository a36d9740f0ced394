package check

import (
	"fmt"
	"slices"
)

// findingsMax bounds what a checker reports: one bug has many symptoms.
const findingsMax = 20

// findings are the anomalies that a checker has met.
type findings struct {
	h   *History
	all []Anomaly
}

func (f *findings) full() bool { return len(f.all) >= findingsMax }

// add notes an anomaly of some operations.
func (f *findings) add(name string, ops []int, format string, args ...any) {
	if f.full() {
		return
	}
	slices.Sort(ops)
	f.all = append(f.all, f.h.anomaly(name, fmt.Sprintf(format, args...), slices.Compact(ops)...))
}
