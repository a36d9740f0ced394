package check

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cairnkv/cairn/jepsen/history"
)

func (c cell) String() string {
	if c.missing {
		return "nothing"
	}
	return fmt.Sprint(c.n)
}

// sortedKeys are the keys of m in their order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// wrong reports a read of a register that is not what the model has.
func (r *replay) wrong(o *history.Op, key string, saw, want cell) {
	if r.full() {
		return
	}
	name, by := "wrong-read", []int(nil)
	if !saw.missing {
		name, by = r.whose(write{key, saw.n})
	}
	r.add(name, append(by, o.ID), "%q was read as %v; by the timestamps it is %v", key, saw, want)
}

// wrongList reports a list that is not what the model has.
func (r *replay) wrongList(o *history.Op, key string, saw, want []int64) {
	if r.full() {
		return
	}
	i := 0
	for i < len(saw) && i < len(want) && saw[i] == want[i] {
		i++
	}
	name, by := "wrong-read", []int(nil)
	switch {
	case i < len(saw) && slices.Contains(saw[:i], saw[i]):
		name = "duplicate"
	case i < len(saw):
		name, by = r.whose(write{key, saw[i]})
	}
	r.add(name, append(by, o.ID), "%q has from index %d on %v; by the timestamps it has %v there",
		key, i, head(saw[i:]), head(want[i:]))
}

// head is the beginning of a long list.
func head(list []int64) []int64 { return list[:min(len(list), 10)] }

// whose names what it means to read w where it should not be, and tells by whom it
// is, up to three of them.
func (r *replay) whose(w write) (name string, by []int) {
	if r.writers == nil {
		r.writers = map[write][]int{}
		for i := range r.h.Ops {
			for _, m := range r.h.Ops[i].Mops {
				if m.Writes() && m.Kind != history.Delete {
					w := write{m.Key, m.N}
					r.writers[w] = append(r.writers[w], i)
				}
			}
		}
	}
	by = r.writers[w]
	first, init := r.h.Init[w.key]
	failed := func(id int) bool { return r.h.Ops[id].Type == history.Fail }
	switch {
	case init && first == w.n:
		name = "wrong-read"
	case len(by) == 0:
		name = "unwritten-read"
	case !slices.ContainsFunc(by, func(id int) bool { return !failed(id) }):
		name = "aborted-read"
	default:
		name = "wrong-read"
	}
	return name, slices.Clone(by[:min(len(by), 3)])
}
