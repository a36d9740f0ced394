package report

import (
	"fmt"

	"github.com/cairnkv/cairn/bench/load"
)

// growth is how a cost grows with the number of keys of an operation.
type growth struct {
	side   string
	of     load.Run // without the width
	groups []*Group
}

const growthLeast = 3 // points that a line needs to say anything

// slope fits a line through CPU and latency against the keys of an operation, for each side and
// workload that was measured at several widths. It is nil if there is none.
func slope(groups []*Group) *Table {
	t := &Table{Title: "Cost of an operation as its keys grow", words: 2, Header: []string{
		"workload", "side", "keys", "µs CPU/key", "and fixed", "fit", "p50 µs/key", "and fixed",
		"fit"}}
	for _, g := range growths(groups) {
		if len(g.groups) < growthLeast {
			continue
		}
		var widths, cpu, p50 []float64
		for _, at := range g.groups {
			widths = append(widths, float64(at.Case.Width))
			cpu = append(cpu, at.CPU().Median)
			p50 = append(p50, statOf(at.latencies(50)).Median*1e3)
		}
		c, l := fit(widths, cpu), fit(widths, p50)
		t.add(fmt.Sprintf("%s %s, %d callers", g.of.Workload, g.of.Way, g.of.Callers), g.side,
			fmt.Sprintf("%.0f to %.0f", statOf(widths).Least, statOf(widths).Most),
			short(c.slope), short(c.fixed), short(c.r2), short(l.slope), short(l.fixed), short(l.r2))
	}
	if len(t.Rows) == 0 {
		return nil
	}
	t.Notes = []string{"fit: the part of what differs that a line explains; 1 is linear. CPU is " +
		"that of all processes and the load"}
	return t
}

func growths(groups []*Group) (all []*growth) {
	type key struct {
		side string
		of   load.Run
	}
	found := make(map[key]*growth)
	for _, g := range groups {
		k := key{g.Side, g.Case}
		k.of.Width = 0
		if found[k] == nil {
			found[k] = &growth{side: g.Side, of: k.of}
			all = append(all, found[k])
		}
		found[k].groups = append(found[k].groups, g)
	}
	return all
}

// line is a least-squares fit.
type line struct{ slope, fixed, r2 float64 }

func fit(xs, ys []float64) line {
	n := float64(len(xs))
	var sx, sy, sxx, sxy, syy float64
	for i, x := range xs {
		sx, sy = sx+x, sy+ys[i]
		sxx, sxy, syy = sxx+x*x, sxy+x*ys[i], syy+ys[i]*ys[i]
	}
	slope := divide(n*sxy-sx*sy, n*sxx-sx*sx)
	r := divide((n*sxy-sx*sy)*(n*sxy-sx*sy), (n*sxx-sx*sx)*(n*syy-sy*sy))
	return line{slope, (sy - slope*sx) / n, r}
}
