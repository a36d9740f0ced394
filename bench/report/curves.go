package report

import (
	"math"
	"slices"
	"time"

	"gonum.org/v1/plot/plotter"
)

// curve is a line of a picture.
type curve struct {
	name   string
	points plotter.XYs
}

// throughput is operations in a second against callers.
func throughput(s *sheet) (curves []*curve) {
	for _, g := range s.groups {
		name := s.label(g)
		i := slices.IndexFunc(curves, func(c *curve) bool { return c.name == name })
		if i < 0 {
			i = len(curves)
			curves = append(curves, &curve{name: name})
		}
		curves[i].points = append(curves[i].points,
			plotter.XY{X: float64(g.Case.Callers), Y: g.PerSecond().Median})
	}
	for _, c := range curves {
		slices.SortFunc(c.points, func(a, b plotter.XY) int { return int(a.X - b.X) })
	}
	return curves
}

// nines is where a percentile stands on the axis: 90 at 1, 99 at 2, 99.9 at 3.
func nines(percentile float64) float64 { return -math.Log10(1 - percentile/100) }

const (
	ninesStep = 0.05
	ninesMax  = 6
)

// percentiles are milliseconds against nines, as far as there are operations for them.
func percentiles(s *sheet) (curves []*curve) {
	for _, g := range s.groups {
		c := &curve{name: s.label(g)}
		most := min(math.Log10(float64(max(1, g.all.TotalCount()))), ninesMax)
		for i := 0; float64(i)*ninesStep <= most; i++ {
			at := float64(i) * ninesStep
			micros := g.all.ValueAtPercentile(100 * (1 - math.Pow(10, -at)))
			c.points = append(c.points, plotter.XY{X: at, Y: float64(max(1, micros)) / 1e3})
		}
		curves = append(curves, c)
	}
	return curves
}

// overTime is operations in each second, the rounds one after the other.
func overTime(s *sheet) (curves []*curve) {
	for _, g := range s.groups {
		c := &curve{name: s.label(g)}
		for _, sample := range g.Samples {
			for _, n := range wholeSeconds(sample) {
				c.points = append(c.points, plotter.XY{X: float64(len(c.points) + 1), Y: float64(n)})
			}
		}
		curves = append(curves, c)
	}
	return curves
}

// secondSlack is by how much a run may be shorter than its last second.
const secondSlack = 50 * time.Millisecond

// wholeSeconds leaves out a last second that was not there as a whole: it would look like a hole.
func wholeSeconds(s Sample) []int64 {
	n := min(len(s.Seconds), int((s.Elapsed+secondSlack)/time.Second))
	return s.Seconds[:n]
}

// memoryOverTime is MiB of each process of the systems, every second, the rounds one after the
// other.
func memoryOverTime(s *sheet) (curves []*curve) {
	for _, g := range s.groups {
		for _, p := range g.Processes() {
			if !serves(p) {
				continue
			}
			c := &curve{name: s.label(g) + " " + p.String()}
			for i := range g.Samples {
				for _, r := range g.taken(i, func(q Process) bool { return p == q }) {
					c.points = append(c.points,
						plotter.XY{X: float64(len(c.points)), Y: float64(r.Memory) / mebi})
				}
			}
			curves = append(curves, c)
		}
	}
	return curves
}
