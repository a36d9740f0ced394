package report

import (
	"fmt"
	"slices"
)

// Tables are all that a file says: what each side did, what it used and how that grows, and the
// ratios.
func (f *File) Tables() ([]*Table, error) {
	groups, err := f.Groups()
	if err != nil {
		return nil, err
	}
	if len(groups) == 0 {
		return nil, nil
	}
	tables := []*Table{speed(groups), cpu(groups)}
	for _, t := range []*Table{
		room(groups), steadiness(groups), f.versions(groups), slope(groups),
	} {
		if t != nil {
			tables = append(tables, t)
		}
	}
	ratios, err := f.Ratios()
	if err != nil {
		return nil, err
	}
	if len(ratios) > 0 {
		title := fmt.Sprintf("%s against the others: ratio of medians, (range of single rounds)",
			f.Sides[0].Name)
		tables = append(tables, RatioTable(title, ratios))
	}
	return tables, nil
}

// head begins a table: the columns of words come first.
func head(title string, columns []condition, figures ...string) *Table {
	header := append([]string{"workload"}, names(columns)...)
	t := &Table{Title: title, Header: append(header, "side"), words: len(columns) + 2}
	t.Header = append(t.Header, figures...)
	return t
}

func lead(g *Group, columns []condition) []string {
	return append(append([]string{g.Case.Workload}, cells(columns, g.Case)...), g.Side)
}

func speed(groups []*Group) *Table {
	columns, same := varying(groups)
	t := head("Throughput and latency", columns,
		"ops/s", "spread", "p50 ms", "p99", "p99.9", "max", "errors")
	t.Notes = []string{same, rounds(groups) +
		"; medians, spread: the round farthest from it; percentiles of all rounds together"}
	for _, g := range groups {
		failed, first := g.Errors()
		t.add(append(lead(g, columns), whole(g.PerSecond().Median), spread(g.PerSecond()),
			milliseconds(g.Latency(50)), milliseconds(g.Latency(99)), milliseconds(g.Latency(99.9)),
			milliseconds(g.LatencyMax()), whole(float64(failed)))...)
		if failed > 0 {
			t.Notes = append(t.Notes, fmt.Sprintf("%s, %s, %d callers: %d errors, the first one: %s",
				g.Case.Workload, g.Side, g.Case.Callers, failed, first))
		}
	}
	return t
}

// processes are those of all groups; the load comes last.
func processes(groups []*Group) (all []Process) {
	for _, g := range groups {
		for _, p := range g.Processes() {
			if !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	loadLast(all)
	return all
}

func cpu(groups []*Group) *Table {
	columns, _ := varying(groups)
	all := processes(groups)
	t := head("CPU microseconds for an operation, by process", columns,
		append([]string{"all", "spread"}, titles(all)...)...)
	for _, g := range groups {
		row := append(lead(g, columns), short(g.CPU().Median), spread(g.CPU()))
		t.add(append(row, byProcess(g, all, func(p Process) string {
			return short(g.CPUOf(p).Median)
		})...)...)
	}
	return t
}

func titles(all []Process) (words []string) {
	for _, p := range all {
		words = append(words, p.String())
	}
	return words
}

// byProcess is a cell for each process of any group: empty for one that is not of this group.
func byProcess(g *Group, all []Process, figure func(Process) string) []string {
	row, own := make([]string, len(all)), g.Processes()
	for i, p := range all {
		if slices.Contains(own, p) {
			row[i] = figure(p)
		}
	}
	return row
}

// RatioTable has a row for each ratio: left by right, so more is better only for ops/s.
func RatioTable(title string, ratios []Ratio) *Table {
	var left []*Group
	for i := range ratios {
		left = append(left, ratios[i].Left)
	}
	columns, _ := varying(left)
	t := head(title, columns, "against", "ops/s", "against", "ratio", "(rounds)", "p50", "p99",
		"CPU/op", "memory")
	t.words++
	for i := range ratios {
		r := &ratios[i]
		against := r.Right.Side
		if r.Right.Case.Workload != r.Left.Case.Workload {
			against += " " + r.Right.Case.Workload
		}
		t.add(append(lead(r.Left, columns), against,
			whole(r.Left.PerSecond().Median), whole(r.Right.PerSecond().Median),
			r.PerSecond.String(), "("+r.PerSecond.Range()+")",
			r.P50.String(), r.P99.String(), r.CPU.String(), r.Bytes.String())...)
	}
	return t
}
