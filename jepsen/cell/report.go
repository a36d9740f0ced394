package cell

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Report tells all verdicts of a run of the matrix as a page in Markdown.
type Report struct {
	Began    time.Time
	Took     time.Duration
	Version  string // of the code: a commit
	Machine  string // cores, system, version of Go
	Command  string
	Cells    int        // of the matrix
	Verdicts []*Verdict // of those that ran, each the last of its cell
	Again    int        // cells that were void once
}

// String is the page.
func (r *Report) String() string {
	var b strings.Builder
	passed, rounds, doubles, committed := 0, 0, 0, 0
	var took []time.Duration
	for _, v := range r.Verdicts {
		if v.Outcome == Passed {
			passed++
		}
		if v.Plan.Double() {
			doubles++
		}
		committed += v.Committed
		rounds += len(v.Rounds)
		for _, res := range v.Rounds {
			took = append(took, time.Duration(res.Recovered))
		}
	}
	fmt.Fprintf(&b, "%s\n", reportHead)
	fmt.Fprintf(&b, "%s, commit %s, %s: **%d of %d cells passed** in %v (`%s`), of %d that "+
		"there are. %d rounds of faults, %d cells with two at once, %d committed operations, %d "+
		"cells were void once and ran again.",
		r.Began.UTC().Format("2006-01-02 15:04 MST"), r.Version, r.Machine, passed, len(r.Verdicts),
		r.Took.Round(time.Second), r.Command, r.Cells, rounds, doubles, committed, r.Again)
	if len(took) > 0 {
		slices.Sort(took)
		fmt.Fprintf(&b, " For how long some shard committed nothing, during a fault that leaves a "+
			"majority or after the healing of another: median %v, 95 %% within %v, at most %v.",
			ms(took[len(took)/2]),
			ms(took[(len(took)*95+99)/100-1]), ms(took[len(took)-1]))
	}
	b.WriteString("\n\n")
	r.crossing(&b)
	r.cells(&b)
	return b.String()
}

const reportHead = `# What the processes were put through

This page is written by ` + "`make long-jepsen`" + `; do not change it by hand. What the words mean
says [testing.md](testing.md).
`

// crossing is the table of workloads and nemeses.
func (r *Report) crossing(b *strings.Builder) {
	met := map[[2]string][]*Verdict{}
	var workloads, nemeses []string
	for _, v := range r.Verdicts {
		if !slices.Contains(workloads, v.Plan.Workload) {
			workloads = append(workloads, v.Plan.Workload)
		}
		for _, round := range v.Plan.Rounds {
			for _, n := range round {
				if !slices.Contains(nemeses, n) {
					nemeses = append(nemeses, n)
				}
				at := [2]string{v.Plan.Workload, n}
				met[at] = append(met[at], v)
			}
		}
	}
	slices.Sort(workloads)
	slices.Sort(nemeses)
	b.WriteString("## Workloads and faults\n\nThe numbers are those of the cells below; what did " +
		"not pass is bold.\n\n| |")
	for _, w := range workloads {
		fmt.Fprintf(b, " %s |", w)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(workloads)) + "\n")
	for _, n := range nemeses {
		fmt.Fprintf(b, "| %s |", n)
		for _, w := range workloads {
			var cells []string
			for _, v := range met[[2]string{w, n}] {
				cells = append(cells, v.mark(fmt.Sprint(v.Plan.Number)))
			}
			fmt.Fprintf(b, " %s |", strings.Join(cells, ", "))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

// cells is the table of all cells.
func (r *Report) cells(b *strings.Builder) {
	b.WriteString("## Cells\n\n| cell | workload | faults | commit | committed | a second | " +
		"recovered | outcome |\n|---|---|---|---|---|---|---|---|\n")
	for _, v := range r.Verdicts {
		recovered := make([]string, len(v.Rounds))
		for i, res := range v.Rounds {
			recovered[i] = fmt.Sprint(ms(time.Duration(res.Recovered)))
		}
		p := &v.Plan
		fmt.Fprintf(b, "| %d | %s | %s | %s | %d | %.0f | %s | %s |\n", p.Number, p.Workload,
			strings.ReplaceAll(p.Faults(), ",", ", "), p.Commit, v.Committed, v.Rate,
			strings.Join(recovered, ", "), v.mark(string(v.Outcome)))
	}
	b.WriteString("\nA cell runs again with `go run ./jepsen --cell N`.\n")
}

func (v *Verdict) mark(s string) string {
	if v.Outcome == Passed {
		return s
	}
	return "**" + s + "**"
}

func ms(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
