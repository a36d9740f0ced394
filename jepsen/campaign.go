package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/cairnkv/cairn/jepsen/cell"
	"github.com/cairnkv/cairn/jepsen/check"
)

const (
	minutesDefault = 2  // of the first cells of the matrix
	cellsLeast     = 40 // of the matrix, for a run of it to mean something
)

// campaign is cells that run one after the other.
type campaign struct {
	plans      []cell.Plan
	out        string
	keep       bool
	namespaces bool
	strict     bool // hold recovery against its objectives
	until      time.Time
	least      int // cells that must run
	say        io.Writer
	verdicts   []*cell.Verdict
	again      int // cells that were void
}

// choose takes cells of the matrix.
func (c *campaign) choose(o *options) error {
	all := cell.All()
	c.plans = all
	if len(o.cells) > 0 {
		c.plans = nil
	}
	for _, n := range o.cells {
		if n < 1 || n > len(all) {
			return fmt.Errorf("there is no cell %d: they are 1 to %d", n, len(all))
		}
		c.plans = append(c.plans, all[n-1])
	}
	if o.matrix {
		c.least = cellsLeast
	}
	minutes := o.minutes
	if minutes == 0 && !o.matrix && len(o.cells) == 0 {
		minutes = minutesDefault
	}
	if minutes > 0 {
		c.until = time.Now().Add(time.Duration(minutes * float64(time.Minute)))
	}
	if o.quick {
		for i := range c.plans {
			c.plans[i] = c.plans[i].Quick()
		}
	}
	return nil
}

// run runs them all and tells of each.
func (c *campaign) run(ctx context.Context, report string) (code int, err error) {
	began, of := time.Now(), version()
	programs, err := c.build(ctx)
	if err != nil {
		return 0, err
	}
	for _, p := range c.plans {
		if !c.until.IsZero() && time.Now().After(c.until) || ctx.Err() != nil {
			break
		}
		v, err := c.twice(ctx, p, programs)
		if err != nil {
			return 0, fmt.Errorf("cell %d, %s: %w", p.Number, p.String(), err)
		}
		c.verdicts = append(c.verdicts, v)
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if report != "" {
		if err := c.report(report, of, began); err != nil {
			return 0, err
		}
	}
	return c.sum(), nil
}

// build makes the debug build and tries the checkers on what they must refuse.
func (c *campaign) build(ctx context.Context) (cell.Programs, error) {
	if err := check.Controls(cell.AllCheckers()); err != nil {
		return cell.Programs{}, fmt.Errorf("the checkers: %w", err)
	}
	mutants := false
	for i := range c.plans {
		mutants = mutants || c.plans[i].Mutant != ""
	}
	return cell.Build(ctx, filepath.Join(c.out, "bin"), mutants)
}

// twice runs a cell, and once more if it was void.
func (c *campaign) twice(
	ctx context.Context, p cell.Plan, programs cell.Programs,
) (*cell.Verdict, error) {
	v, err := c.one(ctx, p, programs, "")
	if err != nil || v.Outcome != cell.Void || !c.strict {
		return v, err
	}
	c.again++
	return c.one(ctx, p, programs, "-again")
}

func (c *campaign) one(
	ctx context.Context, p cell.Plan, programs cell.Programs, suffix string,
) (*cell.Verdict, error) {
	name := fmt.Sprintf("%03d-%s%s", p.Number, p.Workload, suffix)
	if p.Mutant != "" {
		name += "-" + p.Mutant + fmt.Sprint("-", p.Seed)
	}
	v, err := cell.Run(ctx, p, cell.Options{Programs: programs, Dir: filepath.Join(c.out, name),
		Namespaces: c.namespaces, Strict: c.strict, Keep: c.keep})
	if err == nil {
		fmt.Fprintf(c.say, "cell %d %s", p.Number, v)
	}
	return v, err
}

// sum tells how many passed; the exit code says the worst.
func (c *campaign) sum() (code int) {
	counts := map[cell.Outcome]int{}
	for _, v := range c.verdicts {
		counts[v.Outcome]++
	}
	fmt.Fprintf(c.say, "%d cells: %d passed, %d failed, %d void; in %s\n", len(c.verdicts),
		counts[cell.Passed], counts[cell.Failed], counts[cell.Void], c.out)
	if len(c.verdicts) < c.least {
		fmt.Fprintf(c.say, "%d cells are wanted: there was no time for more\n", c.least)
		code = exitVoid
	}
	switch {
	case counts[cell.Failed] > 0:
		return exitAnomaly
	case counts[cell.Void] > 0:
		return exitVoid
	default:
		return code
	}
}

// report writes the page about all cells, of the commit that was built.
func (c *campaign) report(file, of string, began time.Time) error {
	r := &cell.Report{Began: began, Took: time.Since(began), Version: of, Machine: machine(),
		Command: "go run ./jepsen " + strings.Join(os.Args[1:], " "), Cells: len(cell.All()),
		Verdicts: c.verdicts, Again: c.again}
	return os.WriteFile(file, []byte(r.String()), 0o644)
}

// version is the commit that is checked out, and whether anything has changed since.
func version() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty", "--exclude", "*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func machine() string {
	return fmt.Sprintf("%d cores, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH,
		runtime.Version())
}
