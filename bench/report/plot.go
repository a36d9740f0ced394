package report

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// Sizes of pictures.
const (
	plotWidth  = 16 * vg.Centimeter
	plotHeight = 10 * vg.Centimeter
	barHeight  = 0.45 * vg.Centimeter
	barRow     = 0.75 * vg.Centimeter
	headRoom   = 1.3 // above the highest figure, for the legend
)

// colours are told apart by those who do not see all of them, too.
var colours = []color.RGBA{
	{0x00, 0x72, 0xb2, 0xff}, {0xd5, 0x5e, 0x00, 0xff}, {0x00, 0x9e, 0x73, 0xff},
	{0xcc, 0x79, 0xa7, 0xff}, {0xe6, 0x9f, 0x00, 0xff}, {0x56, 0xb4, 0xe9, 0xff},
	{0x55, 0x55, 0x55, 0xff}, {0x99, 0x4f, 0x00, 0xff},
}

func colour(i int) color.RGBA { return colours[i%len(colours)] }

// Plots draws pictures of a file into a directory, and names them: those of some kinds, or all.
func (f *File) Plots(dir string, only ...string) (files []string, err error) {
	groups, err := f.Groups()
	if err != nil || len(groups) == 0 {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	columns, _ := varying(groups)
	for _, k := range kinds {
		if len(only) > 0 && !slices.Contains(only, k.name) {
			continue
		}
		for _, s := range f.sheets(k.name, k.without, groups) {
			p, height, err := s.draw()
			if err != nil {
				return nil, fmt.Errorf("plot %s: %w", s.name(columns), err)
			}
			file := filepath.Join(dir, s.name(columns))
			if err := p.Save(plotWidth, height, file); err != nil {
				return nil, err
			}
			files = append(files, file)
		}
	}
	return files, nil
}

func (s *sheet) draw() (*plot.Plot, vg.Length, error) {
	p := plot.New()
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	switch s.kind {
	case "throughput":
		p.Title.Text = s.title("throughput against callers")
		p.X.Label.Text, p.Y.Label.Text = "callers", "operations in a second"
		curves := throughput(s)
		err := lines(p, curves, true)
		callersAxis(p, curves)
		fromZero(&p.Y)
		return p, plotHeight, err
	case "latency":
		p.Title.Text = s.title("latency")
		p.X.Label.Text, p.Y.Label.Text = "percentile", "milliseconds"
		err := lines(p, percentiles(s), false)
		percentileAxis(p)
		return p, plotHeight, err
	case "cpu":
		p.Title.Text = s.title("CPU for an operation, by process")
		p.X.Label.Text, p.Y.Label.Text = "microseconds", "side, callers"
		height, err := s.bars(p)
		fromZero(&p.X)
		return p, height, err
	case "memory":
		p.Title.Text = s.title("memory over time, round after round")
		p.X.Label.Text, p.Y.Label.Text = "seconds", "MiB, resident"
		err := lines(p, memoryOverTime(s), false)
		fromZero(&p.Y)
		return p, plotHeight, err
	default:
		p.Title.Text = s.title("throughput over time, round after round")
		p.X.Label.Text, p.Y.Label.Text = "seconds", "operations in a second"
		err := lines(p, overTime(s), false)
		fromZero(&p.Y)
		return p, plotHeight, err
	}
}

// lines draws the curves; one without points is left out.
func lines(p *plot.Plot, curves []*curve, dots bool) error {
	for i, c := range curves {
		if len(c.points) == 0 {
			continue
		}
		line, points, err := plotter.NewLinePoints(c.points)
		if err != nil {
			return err
		}
		line.Color, points.Color = colour(i), colour(i)
		line.Width = vg.Points(1.5)
		p.Add(line)
		if dots {
			p.Add(points)
		}
		p.Legend.Add(c.name, line)
	}
	return nil
}

func fromZero(a *plot.Axis) {
	a.Min, a.Max = 0, max(a.Max*headRoom, 1e-3)
	a.Tick.Marker = plot.TickerFunc(func(least, most float64) []plot.Tick {
		ticks := plot.DefaultTicks{}.Ticks(least, most)
		for i, t := range ticks {
			switch {
			case t.Label == "":
			case most < 10:
				ticks[i].Label = fmt.Sprintf("%.4g", t.Value)
			default:
				ticks[i].Label = whole(t.Value)
			}
		}
		return ticks
	})
}

// callersAxis doubles from tick to tick and names those that were measured.
func callersAxis(p *plot.Plot, curves []*curve) {
	var ticks plot.ConstantTicks
	for _, c := range curves {
		for _, at := range c.points {
			seen := slices.ContainsFunc(ticks, func(t plot.Tick) bool { return t.Value == at.X })
			if !seen {
				ticks = append(ticks, plot.Tick{Value: at.X, Label: fmt.Sprint(at.X)})
			}
		}
	}
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, ticks
	if p.X.Min == p.X.Max { // a logarithmic axis needs a length
		p.X.Min, p.X.Max = p.X.Min/2, p.X.Max*2
	}
}

func percentileAxis(p *plot.Plot) {
	ticks := plot.ConstantTicks{{Value: 0, Label: "0"}}
	for _, percentile := range []float64{50, 90, 99, 99.9, 99.99, 99.999, 99.9999} {
		if at := nines(percentile); at <= p.X.Max {
			ticks = append(ticks, plot.Tick{Value: at, Label: fmt.Sprint(percentile)})
		}
	}
	p.X.Tick.Marker = ticks
	// Whole decades, so that there are ticks to read.
	low := int(math.Floor(math.Log10(p.Y.Min)))
	high := int(math.Floor(math.Log10(p.Y.Max))) + 1
	p.Y.Min, p.Y.Max = math.Pow10(low), math.Pow10(high)
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, decades(low, high)
}

// decades has a tick for each digit and a label for each power. Those of gonum leave out powers
// below one that are not exact.
func decades(low, high int) (ticks plot.ConstantTicks) {
	for power := low; power <= high; power++ {
		at := math.Pow10(power)
		ticks = append(ticks, plot.Tick{Value: at, Label: fmt.Sprint(at)})
		for digit := 2; digit < 10 && power < high; digit++ {
			ticks = append(ticks, plot.Tick{Value: float64(digit) * at})
		}
	}
	return ticks
}

// bars has a bar for each group, of its processes one after the other.
func (s *sheet) bars(p *plot.Plot) (vg.Length, error) {
	n := len(s.groups)
	labels := make([]string, n)
	for i, g := range s.groups {
		labels[n-1-i] = fmt.Sprintf("%s, %d", s.label(g), g.Case.Callers) // the first on top
	}
	p.Legend.Left = false
	var below *plotter.BarChart
	for i, process := range processes(s.groups) {
		values := make(plotter.Values, n)
		for j, g := range s.groups {
			values[n-1-j] = g.CPUOf(process).Median
		}
		bar, err := plotter.NewBarChart(values, barHeight)
		if err != nil {
			return 0, err
		}
		bar.Horizontal, bar.Color, bar.LineStyle.Width = true, colour(i), 0
		if below != nil {
			bar.StackOn(below)
		}
		below = bar
		p.Add(bar)
		p.Legend.Add(process.String(), bar)
	}
	p.NominalY(labels...)
	return max(plotHeight, vg.Length(n)*barRow+plotHeight/3), nil
}
