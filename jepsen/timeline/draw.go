package timeline

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// The paper, in pixels.
const (
	width       = 960.0
	left, right = 64.0, 24.0
	top         = 62.0 // title and legend
	rateHeight  = 170.0
	waitHeight  = 130.0
	panelGap    = 34.0
	laneHeight  = 15.0
	shardHeight = 20.0
	bottom      = 34.0
)

// Latencies are drawn from 0.1 ms to 100 s, ten times as much every decadeth part.
const (
	waitFrom = 100 * time.Microsecond
	decades  = 6
)

// style holds all colours: those for light ground, and what is different on dark.
const style = `
 text{font:12px system-ui,sans-serif;fill:#24292f}
 .title{font-size:16px;font-weight:600}.small{font-size:11px}
 .paper{fill:#ffffff}.frame{fill:none;stroke:#8c959f}.grid{stroke:#d0d7de;stroke-width:.6}
 .fault{fill:#d4a72c;fill-opacity:.22}.edge{stroke:#9a6700;stroke-dasharray:3 3}
 .ok{fill:#0969da;fill-opacity:.25;stroke:#0969da;stroke-width:1.5}
 .failed{fill:#cf222e}.info{fill:#8250df}
 .p50{fill:none;stroke:#1a7f37;stroke-width:1.8}.p99{fill:none;stroke:#bc4c00;stroke-width:1.8}
 .gap{fill:#cf222e}.up{fill:#2da44e;fill-opacity:.3}
 @media (prefers-color-scheme:dark){
 text{fill:#e6edf3}.paper{fill:#0d1117}.frame{stroke:#6e7681}.grid{stroke:#30363d}
 .fault{fill:#d29922;fill-opacity:.28}.edge{stroke:#d29922}
 .ok{fill:#58a6ff;stroke:#58a6ff;fill-opacity:.25}.failed{fill:#ff7b72}.info{fill:#bc8cff}
 .p50{stroke:#3fb950}.p99{stroke:#f0883e}.gap{fill:#ff7b72}.up{fill:#3fb950;fill-opacity:.3}
 }
`

// Draw writes t as an SVG.
func Draw(w io.Writer, t Timeline) error {
	if t.Length <= 0 || t.Length > bucketsMax*bucketWidth {
		return fmt.Errorf("a run of %v cannot be drawn: it lasts for longer than 0 and up to %v",
			t.Length, bucketsMax*bucketWidth)
	}
	lanes, laneCount := faultLanes(t.Faults, t.Length)
	d := &drawing{t: &t, buckets: buckets(&t)}
	d.rateTop = top + float64(laneCount)*laneHeight
	d.waitTop = d.rateTop + rateHeight + panelGap
	d.shardTop = d.waitTop + waitHeight + panelGap
	d.height = d.shardTop + float64(len(t.Shards))*shardHeight + bottom
	d.put(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f"`+
		` role="img">`, width, d.height, width, d.height)
	d.put("<title>%s</title>\n<style>%s</style>", escape(t.Title), style)
	d.put(`<rect class="paper" width="100%%" height="100%%"/>`)
	d.text(left, 24, "title", t.Title)
	d.legend()
	d.faults(lanes)
	d.seconds()
	d.rates()
	d.waits()
	d.shards()
	d.put("</svg>")
	_, err := io.WriteString(w, d.String())
	return err
}

// drawing is an SVG in the making.
type drawing struct {
	strings.Builder
	t                                  *Timeline
	buckets                            []bucket
	rateTop, waitTop, shardTop, height float64
}

func (d *drawing) put(format string, args ...any) { fmt.Fprintf(&d.Builder, format+"\n", args...) }

func (d *drawing) text(x, y float64, class, text string) {
	d.put(`<text x="%.1f" y="%.1f" class="%s">%s</text>`, x, y, class, escape(text))
}

// label is a text that ends at x.
func (d *drawing) label(x, y float64, text string) {
	d.put(`<text x="%.1f" y="%.1f" class="small" text-anchor="end">%s</text>`, x, y, escape(text))
}

func (d *drawing) box(class string, x, y, width, height float64) {
	d.put(`<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`,
		class, x, y, width, height)
}

// hint is a box that says what f is when it is pointed at.
func (d *drawing) hint(class string, f Fault, y, height float64) {
	x := d.x(f.From)
	d.put(`<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f">`,
		class, x, y, max(d.x(f.To)-x, 1), height)
	d.put("<title>%s, %s to %s</title></rect>", escape(f.Name), seconds(f.From), seconds(f.To))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}

// x is where a moment is; what lies outside of the run is at its edge.
func (d *drawing) x(at time.Duration) float64 {
	part := float64(min(max(at, 0), d.t.Length)) / float64(d.t.Length)
	return left + part*(width-left-right)
}

func (d *drawing) legend() {
	x := left
	for _, entry := range []struct{ class, text string }{
		{"ok", "ok/s"}, {"failed", "failed/s"}, {"info", "unknown/s"},
		{"p50", "latency p50"}, {"p99", "latency p99"}, {"fault", "fault"}, {"gap", "shard silent"},
	} {
		d.box(entry.class, x, 38, 12, 10)
		d.text(x+17, 47, "small", entry.text)
		x += 34 + 6.2*float64(len(entry.text))
	}
}

// faultLanes puts the labels of faults that overlap below each other.
func faultLanes(faults []Fault, length time.Duration) (lane []int, lanes int) {
	var free []float64 // from where on a lane has room
	for _, f := range faults {
		x := float64(f.From) / float64(length) * (width - left - right)
		n := 0
		for n < len(free) && free[n] > x {
			n++
		}
		if n == len(free) {
			free = append(free, 0)
		}
		free[n] = x + 12 + 6.4*float64(len(f.Name))
		lane = append(lane, n)
	}
	return lane, len(free)
}

// faults are bands behind everything.
func (d *drawing) faults(lanes []int) {
	for i, f := range d.t.Faults {
		y := top + float64(lanes[i])*laneHeight
		x := d.x(f.From)
		d.hint("fault", f, y, d.height-bottom-y)
		d.put(`<line class="edge" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, x, x, y, d.height-bottom)
		// A label that would leave the paper ends at its edge.
		if room := 6.4 * float64(len(f.Name)); x+room > width {
			d.label(width-2, y+11, f.Name)
			continue
		}
		d.text(x+3, y+11, "small", f.Name)
	}
}

// seconds is the axis of time.
func (d *drawing) seconds() {
	every := time.Second
	for _, more := range []time.Duration{2, 5, 10, 20, 60, 120, 300} {
		if d.t.Length/every <= 20 {
			break
		}
		every = more * time.Second
	}
	for at := time.Duration(0); at <= d.t.Length; at += every {
		x := d.x(at)
		d.put(`<line class="grid" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`,
			x, x, d.rateTop, d.height-bottom)
		d.put(`<text x="%.1f" y="%.1f" class="small" text-anchor="middle">%.0f s</text>`,
			x, d.height-bottom+16, at.Seconds())
	}
}

// level is a line with its value at the left.
func (d *drawing) level(y float64, text string) {
	d.put(`<line class="grid" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, left, width-right, y, y)
	d.label(left-6, y+4, text)
}

// rates is the upper panel.
func (d *drawing) rates() {
	most := 1.0
	for _, b := range d.buckets {
		most = max(most, b.ok, b.failed+b.info)
	}
	step := math.Pow(10, math.Floor(math.Log10(most)))
	if most/step < 3 {
		step /= 2
	}
	most = math.Ceil(most/step) * step
	base := d.rateTop + rateHeight
	y := func(n float64) float64 { return base - n/most*rateHeight }
	for n := 0.0; n <= most; n += step {
		d.level(y(n), fmt.Sprintf("%g", n))
	}
	d.text(left, d.rateTop-4, "small", "operations a second")
	path := fmt.Sprintf("M%.1f %.1f", left, base)
	for i, b := range d.buckets {
		from, to := d.x(time.Duration(i)*bucketWidth), d.x(time.Duration(i+1)*bucketWidth)
		path += fmt.Sprintf("L%.1f %.1fL%.1f %.1f", from, y(b.ok), to, y(b.ok))
	}
	d.put(`<path class="ok" d="%sL%.1f %.1fZ"/>`, path, width-right, base)
	for i, b := range d.buckets {
		from, to := d.x(time.Duration(i)*bucketWidth), d.x(time.Duration(i+1)*bucketWidth)
		if b.failed > 0 {
			d.box("failed", from+1, y(b.failed), max(to-from-2, 1), base-y(b.failed))
		}
		if b.info > 0 {
			d.box("info", from+1, y(b.failed+b.info), max(to-from-2, 1), base-y(b.info))
		}
	}
	d.box("frame", left, d.rateTop, width-left-right, rateHeight)
}

// waits is the panel of latencies. A bucket in which nothing ended well interrupts
// the lines.
func (d *drawing) waits() {
	base := d.waitTop + waitHeight
	y := func(took time.Duration) float64 {
		n := math.Log10(float64(took) / float64(waitFrom))
		return base - min(max(n, 0), decades)/decades*waitHeight
	}
	for took, n := waitFrom, 0; n <= decades; took, n = took*10, n+1 {
		d.level(y(took), took.String())
	}
	d.text(left, d.waitTop-4, "small", "latency of what ended well, by halves of a second")
	for class, of := range map[string]func(b *bucket) time.Duration{
		"p50": func(b *bucket) time.Duration { return b.p50 },
		"p99": func(b *bucket) time.Duration { return b.p99 },
	} {
		path, pen := "", "M"
		for i := range d.buckets {
			if len(d.buckets[i].took) == 0 {
				pen = "M"
				continue
			}
			at := y(of(&d.buckets[i]))
			path += fmt.Sprintf("%s%.1f %.1fL%.1f %.1f", pen, d.x(time.Duration(i)*bucketWidth), at,
				d.x(time.Duration(i+1)*bucketWidth), at)
			pen = "L"
		}
		if path != "" {
			d.put(`<path class="%s" d="%s"/>`, class, path)
		}
	}
	d.box("frame", left, d.waitTop, width-left-right, waitHeight)
}

// shards has a bar for each, with holes where it was silent.
func (d *drawing) shards() {
	if len(d.t.Shards) > 0 {
		d.text(left, d.shardTop-4, "small", "shards, as probes saw them")
	}
	for i, name := range d.t.Shards {
		y := d.shardTop + float64(i)*shardHeight
		d.label(left-6, y+14, name)
		d.box("up", left, y+4, width-left-right, shardHeight-8)
		longest := time.Duration(0)
		for _, g := range d.t.Gaps {
			if g.Shard == name {
				d.hint("gap", Fault{name + " silent", g.From, g.To}, y+4, shardHeight-8)
				longest = max(longest, g.To-g.From)
			}
		}
		if longest > 0 {
			d.label(width-right-4, y+14, "longest "+seconds(longest))
		}
	}
}
