package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cairnkv/cairn/jepsen/check/depend"
	"github.com/cairnkv/cairn/jepsen/history"
)

// Predicate checks scans of ranges in which rows come and go, without timestamps.
//
// Within a transaction two scans of a range show the same (phantom-internal) but
// for what it wrote itself (internal). A range with a limit in Init, limit/<name>,
// never shows more rows (crowded). Every value is there by who wrote it last in its
// transaction (aborted-read, intermediate-read, unwritten-read). And what scans show
// and do not show puts transactions into an order, which must have no cycle:
// G1-predicate if all in it wrote or were shown what was written, G2-predicate if
// somebody overwrote what another was shown, or inserted what another was not; with
// -realtime if it takes an end before a beginning to close it.
//
// Values of a key have to be unique; keys for which they are not, and lists, are
// left out of the order. So is a read of nothing where several deletions may be why.
func Predicate() Checker {
	return Checker{Name: "predicate", Check: func(h *History) []Anomaly {
		p := &predicate{findings: findings{h: h}, limits: map[string]int64{}}
		for key, n := range h.Init { // order: each is its own
			if name, is := strings.CutPrefix(key, "limit/"); is {
				p.limits[name] = n
			}
		}
		for _, o := range byInvocation(h) {
			p.checkInternal(o)
			p.checkLimits(o)
		}
		p.checkOrder()
		return p.all
	}}
}

type predicate struct {
	findings
	limits map[string]int64
}

func (p *predicate) checkLimits(o *history.Op) {
	for _, m := range o.Mops {
		limit, is := p.limits[m.Key]
		if m.Kind == history.Scan && is && int64(len(m.Rows)) > limit {
			p.add("crowded", []int{o.ID}, "%q shows %d rows, at most %d may be there",
				m.Key, len(m.Rows), limit)
		}
	}
}

// knowledge is what a transaction has seen and done so far.
type knowledge struct {
	keys   map[string]cell
	wrote  map[string]bool
	ranges []string // scanned: what is not in keys is missing
}

func (k *knowledge) of(key string) (c cell, known bool) {
	if c, known = k.keys[key]; known {
		return c, true
	}
	known = slices.ContainsFunc(k.ranges, func(name string) bool { return inRange(name, key) })
	return cell{missing: true}, known
}

// checkInternal compares what an operation reads with what it has seen before, and
// with what it wrote.
func (p *predicate) checkInternal(o *history.Op) {
	if len(o.Mops) < 2 {
		return
	}
	k := &knowledge{keys: map[string]cell{}, wrote: map[string]bool{}}
	for i := range o.Mops {
		m := &o.Mops[i]
		switch {
		case m.Listed || m.Kind == history.Append:
			return // lists are for others
		case m.Kind == history.Scan && m.Known:
			p.learnRange(o, k, m)
		case m.Kind == history.Read && m.Known:
			p.learn(o, k, m.Key, found(m))
			k.keys[m.Key] = found(m)
		case m.Kind == history.Delete:
			k.keys[m.Key], k.wrote[m.Key] = cell{missing: true}, true
		case m.Writes():
			k.keys[m.Key], k.wrote[m.Key] = cell{n: m.N}, true
		}
	}
}

func (p *predicate) learn(o *history.Op, k *knowledge, key string, saw cell) {
	was, known := k.of(key)
	switch {
	case !known || was == saw:
	case k.wrote[key]:
		p.add("internal", []int{o.ID}, "own write of %q left %v, read is %v", key, was, saw)
	default:
		p.add("phantom-internal", []int{o.ID}, "%q was %v, and then %v, in one transaction",
			key, was, saw)
	}
}

func (p *predicate) learnRange(o *history.Op, k *knowledge, m *history.Mop) {
	for _, key := range sortedKeys(k.keys) {
		if _, there := m.Rows[key]; !there && inRange(m.Key, key) {
			p.learn(o, k, key, cell{missing: true})
		}
	}
	for key, n := range m.Rows { // order: keys do not concern each other
		p.learn(o, k, key, cell{n: n})
	}
	for key, n := range m.Rows { // order: each is its own
		k.keys[key] = cell{n: n}
	}
	k.ranges = append(k.ranges, m.Key)
}

// checkOrder looks for cycles.
func (p *predicate) checkOrder() {
	for _, cycle := range newVersions(p).order().Find() {
		name := "G2-predicate"
		if strings.HasPrefix(cycle.Name(), "G0") || strings.HasPrefix(cycle.Name(), "G1") {
			name = "G1-predicate"
		}
		if strings.HasSuffix(cycle.Name(), "-realtime") {
			name += "-realtime"
		}
		var ids []int
		var text []string
		for _, s := range cycle.Steps {
			ids = append(ids, s.From)
			text = append(text, fmt.Sprintf("op %d %s op %d", s.From, words(s), s.To))
		}
		p.add(name, ids, "each is before the next, and the last before the first: %s",
			strings.Join(text, "; "))
	}
}

// words are why a step of a cycle is there.
func words(s depend.Step) string {
	switch {
	case s.Kind == depend.RealTime:
		return "ended before"
	case s.Level == depend.InRealTime:
		return "must be before"
	case s.Kind == depend.WW:
		return "was overwritten by"
	case s.Kind == depend.WR:
		return "was shown to"
	}
	return "did not see the write of"
}
