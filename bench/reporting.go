package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/cairnkv/cairn/bench/report"
)

// reporting is what the flags of report say.
type reporting struct {
	compare   string
	markdown  string
	plots     string
	pictures  []string
	part      string
	pages     []string
	summaries []string
}

// partOfTargets is the part of a page that is about the targets; others have all that files say.
const partOfTargets = "targets"

func (r *reporting) flags() *pflag.FlagSet {
	f := pflag.NewFlagSet("bench report RESULTS.json...", pflag.ContinueOnError)
	f.SortFlags = false
	f.StringVar(&r.compare, "compare", "", "an older file, to compare each of them with")
	f.StringVar(&r.markdown, "markdown", "", "write all tables to this page")
	f.StringVar(&r.plots, "plots", "", "draw SVG plots into this directory")
	f.StringSliceVar(&r.pictures, "pictures", report.Pictures(), "which plots")
	f.StringVar(&r.part, "part", partOfTargets,
		"of a page: its lines <!-- bench:NAME --> and <!-- /bench:NAME --> say where it is; "+
			"targets has the table of targets, any other one all tables, and the plots if there are")
	f.StringSliceVar(&r.pages, "page", nil, "write the part to this page; can be repeated")
	f.StringSliceVar(&r.summaries, "summary", nil,
		"write the targets to this page without their figures; of what was measured only the "+
			"first file's origin is named; can be repeated")
	return f
}

// runReport makes tables and plots of results that are there.
func runReport(_ context.Context, args []string) (code int, err error) {
	r := &reporting{}
	f := r.flags()
	if err := f.Parse(args); err != nil {
		return exitUsage, err
	}
	if f.NArg() == 0 {
		return exitUsage, errors.New("report: name the results.json of one or several runs")
	}
	for _, name := range r.pictures {
		if !slices.Contains(report.Pictures(), name) {
			return exitUsage, fmt.Errorf("--pictures %q: %s", name, strings.Join(report.Pictures(), ", "))
		}
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
	var plots []string
	for i, f := range files {
		if err := errors.Join(f.Text(say), f.Markdown(&page)); err != nil {
			return err
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
			drawn, err := f.Plots(dir, r.pictures...)
			if err != nil {
				return err
			}
			plots = append(plots, drawn...)
		}
	}
	if r.markdown != "" {
		if err := os.WriteFile(r.markdown, []byte(page.String()), 0o644); err != nil {
			return err
		}
	}
	if r.part == partOfTargets {
		return r.targets(say, files)
	}
	for _, name := range r.pages {
		links, err := linked(name, plots)
		if err != nil {
			return err
		}
		if err := report.ReplacePart(name, r.part, page.String()+links); err != nil {
			return err
		}
	}
	return nil
}

// linked shows plots on a page.
func linked(page string, plots []string) (links string, err error) {
	for _, plot := range plots {
		path, err := filepath.Rel(filepath.Dir(page), plot)
		if err != nil {
			return "", err
		}
		name := strings.TrimSuffix(filepath.Base(plot), ".svg")
		links += fmt.Sprintf("![%s](%s)\n", name, filepath.ToSlash(path))
	}
	return links, nil
}

// targets prints the table of targets, and puts it where it belongs.
func (r *reporting) targets(say io.Writer, files []*report.File) error {
	verdicts, err := report.Judge(report.Targets, files)
	if err != nil {
		return err
	}
	full := report.TargetTable(verdicts)
	if err := full.Text(say); err != nil {
		return err
	}
	var table, short strings.Builder
	if err := errors.Join(
		full.Markdown(&table), report.TargetSummary(verdicts).Markdown(&short),
	); err != nil {
		return err
	}
	for _, f := range files {
		for _, line := range f.Head() {
			table.WriteString("- " + line + "\n")
		}
	}
	for _, page := range r.pages {
		if err := report.ReplacePart(page, partOfTargets, table.String()); err != nil {
			return err
		}
	}
	short.WriteString("- " + files[0].Origin() + "\n")
	for _, page := range r.summaries {
		if err := report.ReplacePart(page, partOfTargets, short.String()); err != nil {
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
