package report

import (
	"fmt"

	"github.com/cairnkv/cairn/bench/load"
)

// Ratio is what two groups have to do with each other: left by right.
type Ratio struct {
	Left, Right                     *Group
	PerSecond, P50, P99, CPU, Bytes Quotient
	// Rounds is that of operations in a second in pairs of rounds, if both sides ran in the same
	// ones: what the machine could do in a round does not count, unlike in the ratio of medians.
	Rounds Estimate
}

func ratioOf(left, right *Group, together bool) Ratio {
	together = together && sameRounds(left, right)
	r := Ratio{
		Left: left, Right: right,
		PerSecond: quotient(left.perSecond(), right.perSecond(), together),
		P50:       quotient(left.latencies(50), right.latencies(50), together),
		P99:       quotient(left.latencies(99), right.latencies(99), together),
		CPU:       quotient(left.cpu(everyProcess), right.cpu(everyProcess), together),
		Bytes:     quotient(left.memory(), right.memory(), together),
	}
	if together {
		r.Rounds = estimate(left.perSecond(), right.perSecond())
	}
	return r
}

func sameRounds(left, right *Group) bool {
	if len(left.Samples) != len(right.Samples) {
		return false
	}
	for i := range left.Samples {
		if left.Samples[i].Round != right.Samples[i].Round {
			return false
		}
	}
	return true
}

// Ratios compares the first side of a file with every other one.
func (f *File) Ratios() ([]Ratio, error) {
	groups, err := f.Groups()
	if err != nil || len(f.Sides) < 2 {
		return nil, err
	}
	var ratios []Ratio
	for _, left := range groups {
		if left.Side != f.Sides[0].Name {
			continue
		}
		for _, right := range groups {
			if f.comparable(left, right) {
				ratios = append(ratios, ratioOf(left, right, true))
			}
		}
	}
	return ratios, nil
}

// comparable reports whether two sides did the same.
func (f *File) comparable(left, right *Group) bool {
	return left.Side != right.Side && f.paired(left.Case.Workload, right.Case.Workload) &&
		sameBut(left.Case, right.Case)
}

func sameBut(a, b load.Run) bool {
	a.Workload, b.Workload = "", ""
	return a == b
}

// Compare compares the sides of a file with those of the same name in an older one. What differs
// between the files besides the results is named: a ratio is then not about the program alone.
func Compare(now, old *File) (ratios []Ratio, different []string, err error) {
	groups, err := now.Groups()
	if err != nil {
		return nil, nil, err
	}
	before, err := old.Groups()
	if err != nil {
		return nil, nil, err
	}
	for _, left := range groups {
		for _, right := range before {
			if left.Side == right.Side && left.Case == right.Case {
				ratios = append(ratios, ratioOf(left, right, false))
			}
		}
	}
	return ratios, differences(now, old), nil
}

func differences(now, old *File) (all []string) {
	note := func(what, before, after string) {
		if before != after {
			all = append(all, fmt.Sprintf("%s was %q and is %q", what, before, after))
		}
	}
	note("the machine", old.Machine, now.Machine)
	for _, s := range now.Sides {
		o := old.side(s.Name)
		if o == nil {
			continue
		}
		note("the version of "+s.Name, o.Version, s.Version)
		note("the durability of "+s.Name, o.Durability, s.Durability)
		note("GOMAXPROCS of "+s.Name, fmt.Sprint(o.Procs), fmt.Sprint(s.Procs))
		note("the nodes of "+s.Name, fmt.Sprint(o.Nodes), fmt.Sprint(s.Nodes))
	}
	return all
}
