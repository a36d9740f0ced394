package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/cairnkv/cairn/jepsen/cell"
)

// Exit codes.
const (
	exitAnomaly = 1 // a cell failed
	exitUsage   = 2
	exitVoid    = 3 // a cell proves nothing
)

func main() { os.Exit(jepsen()) }

func jepsen() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := &options{}
	flags := o.flags()
	if err := flags.Parse(os.Args[1:]); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return 0
		}
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	code, err := o.run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "jepsen:", err)
		return exitAnomaly
	}
	return code
}

// options are what the flags say.
type options struct {
	plan       cell.Plan
	load       time.Duration
	faults     string
	cells      []int
	matrix     bool
	mutants    bool
	list       bool
	quick      bool
	keep       bool
	namespaces bool
	minutes    float64
	report     string
	out        string
	set        *pflag.FlagSet
}

func (o *options) flags() *pflag.FlagSet {
	f := pflag.NewFlagSet("jepsen", pflag.ContinueOnError)
	f.SortFlags = false
	f.BoolVar(&o.list, "list", false, "name workloads, nemeses and cells, and do nothing")
	f.IntSliceVar(&o.cells, "cell", nil, "numbers of cells of the matrix, instead of the first ones")
	f.BoolVar(&o.matrix, "matrix", false, "all cells of the matrix")
	f.BoolVar(&o.quick, "quick", false, "cells with one round and some seconds")
	f.Float64Var(&o.minutes, "minutes", 0,
		"begin no other cell of the matrix after these (default 2, but for --matrix and --cell)")
	f.StringVar(&o.report, "report", "", "write the table of all cells to this file")
	f.BoolVar(&o.mutants, "mutants", false,
		"plant bugs, one after the other, and say in how many cells each is found")
	f.StringVar(&o.plan.Workload, "workload", "", "a cell of your own: its workload")
	f.StringVar(&o.faults, "faults", "none",
		"its rounds of nemeses, one after the other (,) or at once (+)")
	f.StringVar(&o.plan.Commit, "commit", "2pc", "its way to commit: 2pc or parallel")
	f.IntVar(&o.plan.Members, "members", 3, "its members: 3 or 5")
	f.StringVar(&o.plan.Reads, "reads", "lease", "its way to read: lease or quorum")
	f.Uint64Var(&o.plan.Seed, "seed", 1, "its choices")
	f.DurationVar(&o.load, "load", 20*time.Second, "how long its load lasts at least")
	f.StringVar(&o.plan.Mutant, "mutant", "",
		"plant a bug: a name of internal/mutant; with --mutants only these, with spaces between")
	f.StringVar(&o.out, "out", "", "directory for what the cells leave (default jepsen/out/<time>)")
	f.BoolVar(&o.keep, "keep", false, "keep the members' data")
	f.BoolVar(&o.namespaces, "namespaces", false,
		"a network namespace for each process instead of a proxy for each link; needs root")
	o.set = f
	return f
}

func (o *options) run(ctx context.Context) (code int, err error) {
	if o.list {
		return 0, list(os.Stdout)
	}
	if o.out == "" {
		o.out = filepath.Join("jepsen", "out", time.Now().UTC().Format("20060102T150405Z"))
	}
	if err := o.check(); err != nil {
		fmt.Fprintln(os.Stderr, "jepsen:", err)
		return exitUsage, nil
	}
	c := &campaign{out: o.out, keep: o.keep, namespaces: o.namespaces, strict: !o.quick,
		say: os.Stdout}
	switch {
	case o.mutants:
		return c.detect(ctx, o.plan.Mutant)
	case o.plan.Workload != "":
		o.plan.Rounds, o.plan.Load = cell.ParseRounds(o.faults), cell.Duration(o.load)
		c.plans = []cell.Plan{o.plan}
	default:
		if err := c.choose(o); err != nil {
			return 0, err
		}
	}
	return c.run(ctx, o.report)
}

// check refuses flags that would do nothing.
func (o *options) check() error {
	own := o.plan.Workload != ""
	switch {
	case own && (o.matrix || len(o.cells) > 0 || o.mutants):
		return errors.New("--workload is a cell of your own: without --matrix, --cell and --mutants")
	case o.mutants && (o.matrix || len(o.cells) > 0):
		return errors.New("--mutants has cells of its own: without --matrix and --cell")
	case !own && !o.mutants && o.plan.Mutant != "":
		return errors.New("--mutant is for a cell of your own (--workload) or for --mutants")
	case o.report != "" && !o.matrix:
		return errors.New("--report is about a run of the --matrix")
	}
	for _, name := range ownFlags {
		if !own && o.set.Changed(name) {
			return fmt.Errorf("--%s is for a cell of your own: with --workload", name)
		}
	}
	return nil
}

// ownFlags say what a cell is made of; those of the matrix are as they are.
var ownFlags = []string{"faults", "commit", "members", "reads", "seed", "load"}

// list names everything that the flags can name.
func list(w *os.File) error {
	for _, line := range cell.List() {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}
