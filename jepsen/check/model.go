package check

import "github.com/cairnkv/cairn/jepsen/history"

// model is what a store holds, as far as it is known for sure: without the
// keys that operations of unknown outcome write.
type model struct {
	cells  map[string]int64
	lists  map[string][]int64
	listed map[string]bool // keys that are lists
	names  map[string]bool
	// ranges are the keys that are there, by name of a range that somebody scans.
	ranges map[string]map[string]int64
	// looseIn are the loose keys in a range, lists excepted.
	looseIn map[string][]string
	in      map[string][]string // the ranges of a key
	// past are the versions of each register that is not loose, and appended the groups of the
	// elements of each list; known are the keys that were ever in a range.
	past     map[string][]version
	appended map[string][]int
	known    map[string][]string
}

// version is what a group left.
type version struct {
	cell
	g int
}

func newModel(h *History) model {
	m := model{
		cells: map[string]int64{}, lists: map[string][]int64{}, listed: map[string]bool{},
		names: scannedNames(h), ranges: map[string]map[string]int64{},
		looseIn: map[string][]string{}, in: map[string][]string{}, past: map[string][]version{},
		appended: map[string][]int{}, known: map[string][]string{},
	}
	for name := range m.names { // order: each is its own
		m.ranges[name] = map[string]int64{}
	}
	for i := range h.Ops {
		for _, mop := range h.Ops[i].Mops {
			if mop.Kind == history.Append || mop.Listed {
				m.listed[mop.Key] = true
			}
		}
	}
	for key, n := range h.Init { // order: each is its own
		m.leave(key, effect{cell: cell{n: n}})
	}
	return m
}

func (m *model) rangesOf(key string) []string {
	in, known := m.in[key]
	if !known {
		in = rangesOf(key, m.names)
		m.in[key] = in
	}
	return in
}

// loosen takes a key out: nobody knows from now on what it holds.
func (m *model) loosen(key string) cell {
	was := m.cell(key)
	m.leave(key, effect{cell: cell{missing: true}})
	if !m.listed[key] {
		for _, name := range m.rangesOf(key) {
			m.looseIn[name] = append(m.looseIn[name], key)
		}
	}
	return was
}

// know makes a key one that its ranges may show.
func (m *model) know(key string) {
	for _, name := range m.rangesOf(key) {
		m.known[name] = append(m.known[name], key)
	}
}

// pass is leave with the place where it happens.
func (m *model) pass(g int, key string, e effect) {
	if m.listed[key] {
		for range e.appended {
			m.appended[key] = append(m.appended[key], g)
		}
		m.leave(key, e)
		return
	}
	all := m.past[key]
	if all == nil {
		all = []version{{m.cell(key), -1}}
		if all[0].missing { // otherwise it was known from the beginning
			m.know(key)
		}
	}
	m.past[key] = append(all, version{e.cell, g})
	m.leave(key, e)
}

func (m *model) holds(key string) bool {
	_, there := m.cells[key]
	return there
}

func (m *model) cell(key string) cell {
	n, there := m.cells[key]
	return cell{n: n, missing: !there}
}

func (m *model) leave(key string, e effect) {
	switch {
	case m.listed[key]:
		m.lists[key] = append(m.lists[key], e.appended...)
	case e.missing:
		delete(m.cells, key)
		for _, name := range m.rangesOf(key) {
			delete(m.ranges[name], key)
		}
	default:
		m.cells[key] = e.n
		for _, name := range m.rangesOf(key) {
			m.ranges[name][key] = e.n
		}
	}
}
