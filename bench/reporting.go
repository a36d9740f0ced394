package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/cairnkv/cairn/bench/report"
)

// reporting is what the flags of report say.
type reporting struct {
	compare  string
	markdown string
	plots    string
	pages    []string
}

// runReport makes tables and plots of results that are there.
func runReport(_ context.Context, args []string) (code int, err error) {
	r := &reporting{}
	f := pflag.NewFlagSet("bench report RESULTS.json...", pflag.ContinueOnError)
	f.SortFlags = false
	f.StringVar(&r.compare, "compare", "", "an older file, to compare each of them with")
	f.StringVar(&r.markdown, "markdown", "", "write all tables to this page")
	f.StringVar(&r.plots, "plots", "", "draw SVG plots into this directory")
	f.StringSliceVar(&r.pages, "page", nil,
		"put the table of targets between the marks of this page: <!-- bench:targets -->")
	if err := f.Parse(args); err != nil {
		return exitUsage, err
	}
	if f.NArg() == 0 {
		return exitUsage, errors.New("report: name the results.json of one or several runs")
	}
	var files []*report.File
	for _, name := range f.Args() {
		file, err := report.Read(name)
		if err != nil {
			return 0, err
		}
		files = append(files, file)
	}
	return 0, r.run(os.Stdout, files)
}

func (r *reporting) run(say io.Writer, files []*report.File) error {
	var page strings.Builder
	for i, f := range files {
		if err := errors.Join(f.Text(say), f.Markdown(&page)); err != nil {
			return err
		}
		growth, err := f.Growth()
		if err != nil {
			return err
		}
		if growth != nil {
			if err := errors.Join(growth.Text(say), growth.Markdown(&page)); err != nil {
				return err
			}
		}
		if r.compare != "" {
			if err := compare(say, f, r.compare); err != nil {
				return err
			}
		}
		if r.plots != "" {
			dir := r.plots
			if len(files) > 1 {
				dir = filepath.Join(dir, fmt.Sprint(i+1))
			}
			if _, err := f.Plots(dir); err != nil {
				return err
			}
		}
	}
	if err := r.targets(say, files); err != nil {
		return err
	}
	if r.markdown == "" {
		return nil
	}
	return os.WriteFile(r.markdown, []byte(page.String()), 0o644)
}

// targets prints the table of targets, and puts it where it belongs.
func (r *reporting) targets(say io.Writer, files []*report.File) error {
	verdicts, err := report.Judge(report.Targets, files)
	if err != nil {
		return err
	}
	t := report.TargetTable(verdicts)
	if err := t.Text(say); err != nil {
		return err
	}
	var b strings.Builder
	if err := t.Markdown(&b); err != nil {
		return err
	}
	for _, f := range files {
		for _, line := range f.Head() {
			b.WriteString("- " + line + "\n")
		}
	}
	for _, page := range r.pages {
		if err := report.ReplacePart(page, "targets", b.String()); err != nil {
			return err
		}
	}
	return nil
}

// compare prints how a file is to an older one.
func compare(say io.Writer, now *report.File, older string) error {
	old, err := report.Read(older)
	if err != nil {
		return err
	}
	ratios, different, err := report.Compare(now, old)
	if err != nil {
		return err
	}
	if len(ratios) == 0 {
		_, err := fmt.Fprintf(say, "%s has no run that is in this one, too\n", older)
		return err
	}
	t := report.RatioTable("Now against "+older+
		": ratio of medians, (the widest that single rounds allow)", ratios)
	t.Notes = different
	return t.Text(say)
}
