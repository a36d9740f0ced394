package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cairnkv/cairn/bench/load"
)

// condition is a part of a run that is a column where it differs, and else is said once.
type condition struct {
	name string // of the column
	cell func(load.Run) string
	say  func(load.Run) string
}

var conditions = []condition{
	{
		"way",
		func(r load.Run) string { return r.Way },
		func(r load.Run) string {
			if r.Way == "" {
				return ""
			}
			return "way in: " + r.Way
		},
	},
	{
		"callers",
		func(r load.Run) string { return fmt.Sprint(r.Callers) },
		func(r load.Run) string {
			if r.Callers == 1 {
				return "1 caller"
			}
			return fmt.Sprint(r.Callers, " callers")
		},
	},
	{
		"rate",
		func(r load.Run) string { return whole(r.Rate) },
		func(r load.Run) string {
			if r.Rate == 0 {
				return "closed loop"
			}
			return "open loop of " + whole(r.Rate) + " a second"
		},
	},
	{
		"keys",
		func(r load.Run) string { return whole(float64(r.Keys)) },
		func(r load.Run) string { return whole(float64(r.Keys)) + " keys" },
	},
	{
		"zipf",
		func(r load.Run) string { return fmt.Sprint(r.Zipf) },
		func(r load.Run) string {
			if r.Zipf == 0 {
				return "uniform"
			}
			return fmt.Sprint("zipfian with ", r.Zipf)
		},
	},
	{
		"bytes",
		func(r load.Run) string { return fmt.Sprint(r.ValueBytes) },
		func(r load.Run) string { return fmt.Sprint("values of ", r.ValueBytes, " bytes") },
	},
	{
		"width",
		func(r load.Run) string { return fmt.Sprint(r.Width) },
		func(r load.Run) string {
			if r.Width == 0 {
				return ""
			}
			return fmt.Sprint(r.Width, " keys an operation")
		},
	},
}

// varying are the conditions in which groups differ; same is the sentence about the others.
func varying(groups []*Group) (columns []condition, same string) {
	var parts []string
	for _, c := range conditions {
		differs := slices.ContainsFunc(groups, func(g *Group) bool {
			return c.cell(g.Case) != c.cell(groups[0].Case)
		})
		switch {
		case differs:
			columns = append(columns, c)
		case len(groups) > 0 && c.say(groups[0].Case) != "":
			parts = append(parts, c.say(groups[0].Case))
		}
	}
	return columns, strings.Join(parts, ", ")
}

func names(columns []condition) (all []string) {
	for _, c := range columns {
		all = append(all, c.name)
	}
	return all
}

func cells(columns []condition, r load.Run) (all []string) {
	for _, c := range columns {
		all = append(all, c.cell(r))
	}
	return all
}

// Origin says when and where the file was made, and of which versions.
func (f *File) Origin() string {
	text := f.Began.UTC().Format("2006-01-02 15:04 UTC") + ", " + f.Machine
	for _, s := range f.Sides {
		text += ", " + s.Name + " " + s.Version
	}
	return text
}

// Head says what stands above the tables: where, when, what, and how the sides were started.
func (f *File) Head() []string {
	lines := []string{
		fmt.Sprintf("%s, commit %s, %s, took %s", f.Began.UTC().Format("2006-01-02 15:04 UTC"),
			f.Commit, f.Machine, f.Took.Round(time.Second)),
		"`" + f.Command + "`",
	}
	for _, s := range f.Sides {
		procs := "all cores"
		if s.Procs > 0 {
			procs = fmt.Sprint("GOMAXPROCS=", s.Procs)
		}
		lines = append(lines, fmt.Sprintf("%s: %s, nodes: %d, %s, %s; `%s`",
			s.Name, s.Version, s.Nodes, procs, s.Durability, s.Command))
	}
	return lines
}

// rounds says how many there were and how long.
func rounds(groups []*Group) string {
	if len(groups) == 0 || len(groups[0].Samples) == 0 {
		return "no rounds"
	}
	n, r := len(groups[0].Samples), groups[0].Samples[0].Run
	return fmt.Sprintf("rounds: %d, each %s after %s", n, r.Last, r.Warm)
}
