package check

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/cairnkv/cairn/jepsen/history"
)

// workload makes histories.
type workload struct {
	name  string
	init  map[string]int64
	draw  func(w *world) plan
	final func(v *view)
}

func (l workload) history(t testing.TB, seed uint64, n int, wrong bug) *History {
	w := newWorld(seed, wrong)
	if seed%3 == 2 && wrong == none {
		w.unknown = 30
	}
	w.init(l.init)
	return w.run(t, n, l.draw, l.final)
}

func workloads() []workload {
	return []workload{
		{name: "lists", draw: drawLists}, {name: "registers", draw: drawRegisters},
		{name: "small", draw: drawSmall},
		{name: "bank", init: map[string]int64{"account/0": 10, "account/1": 10, "account/2": 10, "account/3": 10},
			draw: drawBank},
		{name: "set", draw: drawSet, final: func(v *view) { v.scan("set") }},
		{name: "counters", draw: drawCounters}, {name: "causes", draw: drawCauses},
		{name: "rooms", init: map[string]int64{"limit/p0": 3, "limit/p1": 3, "p0/k0": -1}, draw: drawRooms},
		{name: "cas", draw: drawCAS},
	}
}

func (w *world) value() int64 {
	w.unique++
	return w.unique
}

// several draws up to four steps, each given by what it does to a view.
func (w *world) several(step func() func(v *view) bool) plan {
	steps := []func(v *view) bool{step()}
	for w.IntN(3) > 0 && len(steps) < 4 {
		steps = append(steps, step())
	}
	return plan{"optimistic", func(v *view) bool {
		for _, s := range steps {
			if !s(v) {
				return false
			}
		}
		return true
	}}
}

func drawLists(w *world) plan {
	return w.several(func() func(v *view) bool {
		key := fmt.Sprintf("l%d", w.IntN(4)+int(w.unique/200))
		if w.IntN(2) == 0 {
			return func(v *view) bool { v.list(key); return true }
		}
		n := w.value()
		return func(v *view) bool { return v.write(history.Append, key, n) }
	})
}

func drawRegisters(w *world) plan {
	return w.several(func() func(v *view) bool {
		key := fmt.Sprintf("p%d/k%d", w.IntN(2), w.IntN(4))
		switch w.IntN(8) {
		case 0, 1, 2:
			return func(v *view) bool { v.read(key); return true }
		case 3:
			return func(v *view) bool { v.scan(key[:2]); return true }
		case 4:
			return func(v *view) bool { return v.write(history.Delete, key, 0) }
		case 5:
			n := w.value()
			return func(v *view) bool { return v.write(history.Insert, key, n) }
		default:
			n := w.value()
			return func(v *view) bool { return v.write(history.Write, key, n) }
		}
	})
}

// drawSmall writes the same few values again and again.
func drawSmall(w *world) plan {
	return w.several(func() func(v *view) bool {
		key, n := fmt.Sprintf("s/%d", w.IntN(3)), w.Int64N(3)
		switch w.IntN(8) {
		case 0, 1, 2:
			return func(v *view) bool { v.read(key); return true }
		case 3:
			return func(v *view) bool { v.scan("s"); return true }
		case 4:
			return func(v *view) bool { return v.write(history.Delete, key, 0) }
		default:
			return func(v *view) bool { return v.write(history.Write, key, n) }
		}
	})
}

func drawBank(w *world) plan {
	a, b := fmt.Sprintf("account/%d", w.IntN(4)), fmt.Sprintf("account/%d", w.IntN(4))
	amount := w.Int64N(4) + 1
	switch {
	case w.IntN(3) == 0:
		return plan{"get", func(v *view) bool { v.scan("account"); return true }}
	case a == b:
		return plan{"get", func(v *view) bool {
			for i := range 4 {
				v.read(fmt.Sprintf("account/%d", i))
			}
			return true
		}}
	}
	return plan{"pessimistic", func(v *view) bool {
		x, _ := v.read(a)
		y, _ := v.read(b)
		if x < amount {
			return false
		}
		return v.write(history.Write, a, x-amount) && v.write(history.Write, b, y+amount)
	}}
}

func drawSet(w *world) plan {
	n := w.value()
	if w.Int64N(8+n/20) == 0 { // the larger it is the more a scan costs
		return plan{"get", func(v *view) bool { v.scan("set"); return true }}
	}
	return plan{"oneshot", func(v *view) bool { return v.write(history.Insert, fmt.Sprintf("set/%d", n), n) }}
}

func drawCounters(w *world) plan {
	key := fmt.Sprintf("n%d", w.IntN(3))
	reads := w.IntN(3) == 0
	return plan{"optimistic", func(v *view) bool {
		n, _ := v.read(key)
		return reads || v.write(history.Write, key, n+1)
	}}
}

func drawCauses(w *world) plan {
	n, at := w.value(), w.Int64N(w.unique+1)
	if w.IntN(3) == 0 {
		return plan{"get", func(v *view) bool {
			for i := max(at-5, 1); i <= at; i++ {
				v.read(fmt.Sprintf("%d-cause/%d", i%3, i))
			}
			return true
		}}
	}
	return plan{"oneshot", func(v *view) bool {
		return v.write(history.Insert, fmt.Sprintf("%d-cause/%d", n%3, n), n)
	}}
}

// drawRooms inserts where there is room.
func drawRooms(w *world) plan {
	name, n, leave := fmt.Sprintf("p%d", w.IntN(2)), w.value(), w.IntN(3) == 0
	if w.IntN(4) == 0 {
		return plan{"get", func(v *view) bool { v.scan(name); return true }}
	}
	return plan{"optimistic", func(v *view) bool {
		rows := v.scan(name)
		if keys := slices.Sorted(maps.Keys(rows)); leave && len(keys) > 0 {
			return v.write(history.Delete, keys[0], 0)
		}
		if len(rows) >= 3 {
			return true
		}
		return v.write(history.Insert, fmt.Sprintf("%s/k%d", name, n%7), n)
	}}
}

func drawCAS(w *world) plan {
	key, n, was := fmt.Sprintf("c%d", w.IntN(3)), w.value()%5, w.Int64N(5)
	switch w.IntN(3) {
	case 0:
		return plan{"get", func(v *view) bool { v.read(key); return true }}
	case 1:
		return plan{"oneshot", func(v *view) bool { return v.write(history.Write, key, n) }}
	}
	return plan{"cas", func(v *view) bool {
		is, _ := v.read(key)
		return is == was && v.write(history.Write, key, n)
	}}
}
