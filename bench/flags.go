package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/cairnkv/cairn/bench/cairn"
	"github.com/cairnkv/cairn/bench/report"
)

// options are what the flags of a measurement say.
type options struct {
	matrix
	cairn   cairnOptions
	rounds  int
	procs   int
	out     string
	compare string
	plots   bool
	began   time.Time
}

// defaults are what is measured without flags.
type defaults struct {
	workloads  []string
	callers    []int
	rounds     int
	warm, last time.Duration // 0: 2 s, and 5 s
}

func (o *options) flags(name string, d defaults) *pflag.FlagSet {
	f := pflag.NewFlagSet("bench "+name, pflag.ContinueOnError)
	f.SortFlags = false
	f.StringSliceVar(&o.workloads, "workload", d.workloads, "workloads, all of them by every --way")
	f.StringSliceVar(&o.ways, "way", []string{"stream"}, "stream and unary")
	f.IntSliceVar(&o.callers, "callers", d.callers, "how many callers at a time, 1 to 1024")
	f.IntSliceVar(&o.keys, "keys", []int{100_000},
		"how many keys there are; a system that has more from an earlier run is started anew")
	f.IntSliceVar(&o.widths, "width", []int{0}, "keys of a transaction or a range; 0: the workload's")
	f.IntSliceVar(&o.bytes, "value-bytes", []int{256}, "length of each value")
	f.Float64Var(&o.zipf, "zipf", 0,
		"exponent of a zipfian choice of keys, 0.99 as in YCSB; 0: uniform")
	f.Float64Var(&o.rate, "rate", 0,
		"operations that begin in a second, whether others have ended or not; 0: a closed loop")
	f.DurationVar(&o.warm, "warm", cmp.Or(d.warm, 2*time.Second), "how long before anything counts")
	f.DurationVar(&o.last, "last", cmp.Or(d.last, 5*time.Second), "how long what counts lasts")
	f.IntVar(&o.rounds, "rounds", d.rounds, "rounds of all of it; medians are taken over them")
	f.Uint64Var(&o.seed, "seed", 1, "of the first round; the next one has the next")
	f.IntVar(&o.procs, "procs", 0, "GOMAXPROCS of every process; 0: all cores")
	f.StringVar(&o.out, "out", "", "directory for what is left (default bench/out/<time>)")
	f.StringVar(&o.compare, "compare", "", "results.json of an older run, to be compared with")
	f.BoolVar(&o.plots, "plots", true, "draw SVG plots")
	o.cairn.add(f)
	return f
}

// settle checks what the flags say.
func (o *options) settle(f *pflag.FlagSet) error {
	o.began = time.Now()
	if o.out == "" {
		o.out = filepath.Join("bench", "out", o.began.UTC().Format("20060102T150405Z"))
	}
	for _, w := range o.workloads {
		known := cairn.Workloads()
		if !slices.Contains(known, w) {
			return fmt.Errorf("--workload %q: %s", w, strings.Join(known, ", "))
		}
	}
	errs := []error{o.matrix.validate(), o.cairn.settle(f)}
	if o.procs < 0 || o.procs > runtime.NumCPU() {
		errs = append(errs, fmt.Errorf("--procs %d: 0 to %d", o.procs, runtime.NumCPU()))
	}
	return errors.Join(errs...)
}

// file begins what the run will leave.
func (o *options) file() *report.File {
	return &report.File{
		Format: report.Format, Began: o.began.UTC(), Commit: version("."), Machine: machine(),
		Command: "go run ./bench " + strings.Join(os.Args[1:], " "),
	}
}

// cairnOptions say how Cairn is started. They are flags of drive, too.
type cairnOptions struct{ cairn.Options }

func (o *cairnOptions) add(f *pflag.FlagSet) {
	f.StringVar((*string)(&o.Kind), "kind", string(cairn.Cluster),
		"of Cairn: embedded (one process), cluster (members and a gateway), target (that runs already)")
	f.IntVar(&o.Members, "members", 3, "of a cluster: 1, 3 or 5")
	f.IntVar(&o.Shards, "shards", 4, "that the keys lie on; of a target as it was started")
	f.StringVar(&o.Endpoint, "target", "",
		"gateway of a running Cairn, http://127.0.0.1:7600; its processes are not measured")
	f.StringVar(&o.Dir, "dir", "",
		"where the data of every side is (default: with temporary files, which may be in memory)")
	f.StringArrayVar(&o.MemberFlags, "member-flag", nil, "for every member's command line")
	f.StringArrayVar(&o.GatewayFlags, "gateway-flag", nil,
		"for the gateway's command line, such as --commit=parallel")
}

// settle checks what concerns more than one flag; the rest is for package cairn.
func (o *cairnOptions) settle(f *pflag.FlagSet) error {
	if o.Endpoint != "" && !f.Changed("kind") {
		o.Kind = cairn.Target
	}
	kinds := []cairn.Kind{cairn.Embedded, cairn.Cluster, cairn.Target}
	switch {
	case !slices.Contains(kinds, o.Kind):
		return fmt.Errorf("--kind %q: %v", o.Kind, kinds)
	case (o.Kind == cairn.Target) != (o.Endpoint != ""):
		return fmt.Errorf("--kind %s, --target %q: a target has an address, nothing else has one",
			o.Kind, o.Endpoint)
	case o.Members < 1:
		return fmt.Errorf("--members %d: at least 1", o.Members)
	case o.Shards < 1 || o.Shards > cairn.ShardsMax:
		return fmt.Errorf("--shards %d: 1 to %d", o.Shards, cairn.ShardsMax)
	}
	return nil
}

// args are the flags again, for drive.
func (o *cairnOptions) args() []string {
	args := []string{"drive", "--kind", string(o.Kind), "--shards", fmt.Sprint(o.Shards)}
	if o.Kind == cairn.Cluster {
		args = append(args, "--members", fmt.Sprint(o.Members))
	}
	if o.Endpoint != "" {
		args = append(args, "--target", o.Endpoint)
	}
	if o.Dir != "" {
		args = append(args, "--dir", o.Dir)
	}
	for _, flag := range o.MemberFlags {
		args = append(args, "--member-flag", flag)
	}
	for _, flag := range o.GatewayFlags {
		args = append(args, "--gateway-flag", flag)
	}
	return args
}

// nodes are those that keep a replica; 0 where only the target knows.
func (o *cairnOptions) nodes() int {
	switch o.Kind {
	case cairn.Embedded:
		return 1
	case cairn.Cluster:
		return o.Members
	}
	return 0
}

func machine() string {
	return fmt.Sprintf("%d cores, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH,
		runtime.Version())
}
