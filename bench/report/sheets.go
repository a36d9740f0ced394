package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cairnkv/cairn/bench/load"
)

// sheet is the groups that are drawn into one picture.
type sheet struct {
	kind     string // of picture
	workload string // of the first side
	of       load.Run
	without  []string // names of conditions that may differ within
	groups   []*Group
}

// kinds are the pictures of a file, with the conditions that may differ within one of them.
var kinds = []struct {
	name    string
	without []string
}{
	{"throughput", []string{"callers", "way"}},
	{"latency", []string{"way"}},
	{"cpu", []string{"callers", "way"}},
	{"time", []string{"way"}},
	{"memory", nil},
}

// Pictures are the kinds of pictures that Plots draws.
func Pictures() (names []string) {
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// sheets puts groups together, in the order of the file. A workload that is compared with one
// of another name is drawn where that one is.
func (f *File) sheets(kind string, without []string, groups []*Group) (all []*sheet) {
	for _, g := range groups {
		if kind == "memory" && !g.followed() {
			continue
		}
		for _, workload := range f.drawnAs(g) {
			of := g.Case
			of.Workload = workload
			if slices.Contains(without, "callers") {
				of.Callers = 0
			}
			if slices.Contains(without, "way") {
				of.Way = ""
			}
			i := slices.IndexFunc(all, func(s *sheet) bool { return s.of == of })
			if i < 0 {
				i = len(all)
				all = append(all, &sheet{kind: kind, workload: workload, of: of, without: without})
			}
			all[i].groups = append(all[i].groups, g)
		}
	}
	return all
}

// drawnAs names the workloads of the first side that a group is compared with, or its own.
func (f *File) drawnAs(g *Group) (all []string) {
	for _, p := range f.Pairs {
		if g.Side != f.Sides[0].Name && p.Right == g.Case.Workload && !slices.Contains(all, p.Left) {
			all = append(all, p.Left)
		}
	}
	if len(all) == 0 {
		all = []string{g.Case.Workload}
	}
	return all
}

// name is that of the file, without what is the same in all pictures.
func (s *sheet) name(columns []condition) string {
	name := s.kind + "-" + s.workload
	for _, c := range columns {
		if !slices.Contains(s.without, c.name) {
			name += "-" + c.name + strings.ReplaceAll(c.cell(s.of), ",", "")
		}
	}
	return name + ".svg"
}

// label names a group within the sheet: what all have in common is left out.
func (s *sheet) label(g *Group) string {
	name := g.Side
	if g.Case.Workload != s.workload {
		name += " " + g.Case.Workload
	}
	differs := func(part func(load.Run) string) bool {
		return slices.ContainsFunc(s.groups, func(o *Group) bool {
			return o.Side == g.Side && part(o.Case) != part(g.Case)
		})
	}
	if differs(func(r load.Run) string { return r.Way }) {
		name += " " + g.Case.Way
	}
	return name
}

// title says what is in the picture.
func (s *sheet) title(what string) string {
	_, same := varying(s.groups)
	if same == "" {
		return s.workload + ": " + what
	}
	return fmt.Sprintf("%s: %s\n%s", s.workload, what, broken(same))
}

// titleColumns is how much of a line fits above a picture.
const titleColumns = 55

// broken puts a list on as many lines as it needs.
func broken(list string) string {
	var b strings.Builder
	width := 0
	for i, word := range strings.Split(list, ", ") {
		switch {
		case i == 0:
		case width+len(word) > titleColumns:
			b.WriteString(",\n")
			width = 0
		default:
			b.WriteString(", ")
		}
		b.WriteString(word)
		width += len(word) + 2
	}
	return b.String()
}
