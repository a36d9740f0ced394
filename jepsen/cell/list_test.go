package cell

import "testing"

// TestCells: at least 40 cells, a third of which have two faults at once.
func TestCells(t *testing.T) {
	all, doubles := All(), 0
	for i := range all {
		if all[i].Double() {
			doubles++
		}
	}
	t.Logf("%d cells, %d with two faults at once", len(all), doubles)
	if len(all) < 40 || 3*doubles < len(all) {
		t.Errorf("%d cells, %d of them with two faults at once", len(all), doubles)
	}
}
