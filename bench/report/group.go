package report

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/cairnkv/cairn/bench/load"
)

// Group is one run of one side in all rounds.
type Group struct {
	Side    string
	Case    load.Run // without what may differ between rounds: seed and lengths
	Samples []Sample // by round
	rounds  []*hdrhistogram.Histogram
	all     *hdrhistogram.Histogram
}

// Process names one that takes part in a run.
type Process struct{ Role, Name string }

// RoleLoad is that of the process that makes the load: it is no part of a system.
const RoleLoad = "load"

func (p Process) String() string {
	if p.Name == "" || p.Name == p.Role {
		return p.Role
	}
	return p.Role + " " + p.Name
}

// Case is a run without what may differ between rounds.
func Case(r load.Run) load.Run {
	r.Seed, r.Warm, r.Last = 0, 0, 0
	return r
}

// Groups puts the samples of all rounds together: those of the first side in the order of its
// first round, and after each of them what it is compared with.
func (f *File) Groups() ([]*Group, error) {
	type key struct {
		side string
		of   load.Run
	}
	var groups []*Group
	found := make(map[key]*Group)
	for _, s := range f.Samples {
		k := key{s.Side, Case(s.Run)}
		if found[k] == nil {
			found[k] = &Group{Side: s.Side, Case: k.of}
			groups = append(groups, found[k])
		}
		found[k].Samples = append(found[k].Samples, s)
	}
	for _, g := range groups {
		slices.SortStableFunc(g.Samples, func(a, b Sample) int { return a.Round - b.Round })
		if err := g.decode(); err != nil {
			return nil, fmt.Errorf("latencies of %s by %s: %w", g.Case.Workload, g.Side, err)
		}
	}
	return f.ordered(groups), nil
}

// ordered undoes what the turns of the sides did to the order.
func (f *File) ordered(groups []*Group) []*Group {
	all := make([]*Group, 0, len(groups))
	add := func(g *Group) {
		if !slices.Contains(all, g) {
			all = append(all, g)
		}
	}
	for _, left := range groups {
		if left.Side != f.Sides[0].Name {
			continue
		}
		add(left)
		for _, side := range f.Sides {
			for _, right := range groups {
				if right.Side == side.Name && f.comparable(left, right) {
					add(right)
				}
			}
		}
	}
	for _, g := range groups {
		add(g)
	}
	return all
}

func (g *Group) decode() error {
	for _, s := range g.Samples {
		h, err := hdrhistogram.Decode([]byte(s.Latencies))
		if err != nil {
			return fmt.Errorf("round %d: %w", s.Round, err)
		}
		g.rounds = append(g.rounds, h)
		if g.all == nil {
			g.all = hdrhistogram.New(h.LowestTrackableValue(), h.HighestTrackableValue(),
				int(h.SignificantFigures()))
		}
		if lost := g.all.Merge(h); lost > 0 {
			return errors.New("the histograms of the rounds have different ranges")
		}
	}
	return nil
}

// each is a figure of every round, by round.
func (g *Group) each(figure func(i int) float64) []float64 {
	values := make([]float64, len(g.Samples))
	for i := range g.Samples {
		values[i] = figure(i)
	}
	return values
}

// perSecond are the operations in a second, by round.
func (g *Group) perSecond() []float64 {
	return g.each(func(i int) float64 {
		return float64(g.Samples[i].Ops) / g.Samples[i].Elapsed.Seconds()
	})
}

// latencies are a percentile in milliseconds, by round.
func (g *Group) latencies(percentile float64) []float64 {
	return g.each(func(i int) float64 {
		return float64(g.rounds[i].ValueAtPercentile(percentile)) / 1e3
	})
}

// cpu is microseconds of CPU for an operation by the processes that count, by round.
func (g *Group) cpu(counts func(Process) bool) []float64 {
	return g.each(func(i int) float64 {
		var sum time.Duration
		for _, u := range g.Samples[i].Processes {
			if counts(Process{u.Role, u.Name}) {
				sum += u.CPU
			}
		}
		return perOp(float64(sum.Nanoseconds())/1e3, g.Samples[i].Ops)
	})
}

// memory is MiB of all processes of the system, by round.
func (g *Group) memory() []float64 {
	return g.each(func(i int) float64 {
		return float64(g.servers(i, func(u load.Usage) int64 { return u.Memory })) / mebi
	})
}

// written is bytes to disk for an operation by all processes of the system, by round.
func (g *Group) written() []float64 {
	return g.each(func(i int) float64 {
		sum := g.servers(i, func(u load.Usage) int64 { return u.Written })
		return perOp(float64(sum), g.Samples[i].Ops)
	})
}

func (g *Group) servers(i int, figure func(load.Usage) int64) (sum int64) {
	for _, u := range g.Samples[i].Processes {
		if u.Role != RoleLoad {
			sum += figure(u)
		}
	}
	return sum
}

// perOp is 0 where nothing ended: the table says that all failed.
func perOp(sum float64, ops int64) float64 {
	if ops == 0 {
		return 0
	}
	return sum / float64(ops)
}

func everyProcess(Process) bool { return true }

// PerSecond is how many operations end in a second.
func (g *Group) PerSecond() Stat { return statOf(g.perSecond()) }

// CPU is microseconds for an operation, of all processes and the load.
func (g *Group) CPU() Stat { return statOf(g.cpu(everyProcess)) }

// CPUOf is microseconds for an operation of one process.
func (g *Group) CPUOf(p Process) Stat {
	return statOf(g.cpu(func(q Process) bool { return p == q }))
}

// Memory is MiB of the system's processes at the end of a round.
func (g *Group) Memory() Stat { return statOf(g.memory()) }

// MemoryOf is MiB of one process at the end of a round.
func (g *Group) MemoryOf(p Process) Stat {
	return statOf(g.each(func(i int) (sum float64) {
		for _, u := range g.Samples[i].Processes {
			if p == (Process{u.Role, u.Name}) {
				sum += float64(u.Memory) / mebi
			}
		}
		return sum
	}))
}

// Written is bytes to disk for an operation.
func (g *Group) Written() Stat { return statOf(g.written()) }

// Latency is the percentile (0 to 100) of all rounds together.
func (g *Group) Latency(percentile float64) time.Duration {
	return time.Duration(g.all.ValueAtPercentile(percentile)) * time.Microsecond
}

// LatencyMax is the longest of all rounds.
func (g *Group) LatencyMax() time.Duration { return time.Duration(g.all.Max()) * time.Microsecond }

// Errors are the operations that failed in all rounds, and what the first one said.
func (g *Group) Errors() (n int64, first string) {
	for _, s := range g.Samples {
		n += s.Errors
		if first == "" {
			first = s.Error
		}
	}
	return n, first
}

// Processes are all that took part, as they were named; the load comes last.
func (g *Group) Processes() []Process {
	var all []Process
	for _, s := range g.Samples {
		for _, u := range s.Processes {
			if p := (Process{u.Role, u.Name}); !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	loadLast(all)
	return all
}

func loadLast(all []Process) {
	slices.SortStableFunc(all, func(a, b Process) int {
		switch {
		case a.Role == RoleLoad && b.Role != RoleLoad:
			return 1
		case b.Role == RoleLoad && a.Role != RoleLoad:
			return -1
		}
		return 0
	})
}
