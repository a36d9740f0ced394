package report

import (
	"slices"
	"time"

	"github.com/cairnkv/cairn/bench/load"
)

const mebi = 1 << 20

func (g *Group) long() bool {
	return len(g.Samples) > 0 && g.Samples[0].Run.Long()
}

// Hole is the longest time without an operation that ended well, of any round.
func (g *Group) Hole() time.Duration {
	return g.longest(func(s Sample) time.Duration { return s.Hole })
}

// longestSync is the longest sync of a file that is not the system's, of any round.
func (g *Group) longestSync() time.Duration {
	return g.longest(func(s Sample) time.Duration { return s.LongestSync })
}

func (g *Group) longest(of func(Sample) time.Duration) (longest time.Duration) {
	for _, s := range g.Samples {
		longest = max(longest, of(s))
	}
	return longest
}

// followed reports whether it is known what the processes took in the course of the rounds.
func (g *Group) followed() bool {
	return slices.ContainsFunc(g.Samples, func(s Sample) bool {
		return slices.ContainsFunc(s.Processes, func(u load.Usage) bool { return len(u.Over) > 0 })
	})
}

// taken is what the processes that count took together in the course of a round. One that was not
// followed as long as the others counts as long as it was.
func (g *Group) taken(round int, counts func(Process) bool) (all []load.Room) {
	for _, u := range g.Samples[round].Processes {
		if !counts(Process{u.Role, u.Name}) {
			continue
		}
		for i, r := range u.Over {
			if i == len(all) {
				all = append(all, load.Room{})
			}
			all[i].Memory += r.Memory
			all[i].Disk += r.Disk
		}
	}
	return all
}

func serves(p Process) bool { return p.Role != RoleLoad }

// course is what the processes of a system took together, in MiB. Begin and end are medians of
// the rounds, most is that of any moment.
type course struct{ begin, end, most float64 }

func (g *Group) course(bytes func(load.Room) int64) course {
	var begin, end, most []float64
	for i := range g.Samples {
		all := g.taken(i, serves)
		if len(all) == 0 {
			continue
		}
		at := func(i int) float64 { return float64(bytes(all[i])) / mebi }
		begin, end = append(begin, at(0)), append(end, at(len(all)-1))
		for i := range all {
			most = append(most, at(i))
		}
	}
	return course{statOf(begin).Median, statOf(end).Median, statOf(most).Most}
}

func memoryOf(r load.Room) int64 { return r.Memory }

func diskOf(r load.Room) int64 { return r.Disk }

// room says what the systems took, and how it grew; nil where no process is known.
func room(groups []*Group) *Table {
	columns, _ := varying(groups)
	all := slices.DeleteFunc(processes(groups), func(p Process) bool { return !serves(p) })
	if len(all) == 0 {
		return nil
	}
	t := head("Memory of the system's processes, and their data, MiB", columns,
		append(append([]string{"at first", "at most", "at the end"}, titles(all)...),
			"data at first", "at the end", "bytes written/op")...)
	t.Notes = []string{"at first, and by process at the end: medians of the rounds; data: all " +
		"files, 0 where they are not known; written: to the disk, by all processes"}
	for _, g := range groups {
		memory, disk := g.course(memoryOf), g.course(diskOf)
		row := append(lead(g, columns), whole(memory.begin), whole(max(memory.most, g.Memory().Most)),
			whole(g.Memory().Median))
		row = append(row, byProcess(g, all, func(p Process) string {
			return whole(g.MemoryOf(p).Median)
		})...)
		t.add(append(row, whole(disk.begin), whole(disk.end), whole(g.Written().Median))...)
	}
	return t
}

// steadiness is about runs that are long enough for it; nil if there is none.
func steadiness(groups []*Group) *Table {
	groups = slices.DeleteFunc(slices.Clone(groups), func(g *Group) bool { return !g.long() })
	if len(groups) == 0 {
		return nil
	}
	columns, _ := varying(groups)
	t := head("In the course of runs of a minute and longer", columns, "longest hole ms",
		"longest sync", "p99.9 ms", "slowest second", "median", "fastest")
	t.Notes = []string{"longest hole: between two operations that ended well, of all callers; " +
		"longest sync, ms: of a file of the harness's own, 4 KiB, synced every 200 ms on the same " +
		"disk, 0 where that was not done; seconds: operations that ended well in each of them"}
	for _, g := range groups {
		var seconds []float64
		for _, s := range g.Samples {
			for _, n := range wholeSeconds(s) {
				seconds = append(seconds, float64(n))
			}
		}
		s := statOf(seconds)
		t.add(append(lead(g, columns), milliseconds(g.Hole()), milliseconds(g.longestSync()),
			milliseconds(g.Latency(99.9)),
			whole(s.Least), whole(s.Median), whole(s.Most))...)
	}
	return t
}
