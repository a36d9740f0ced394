package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/cairnkv/cairn/bench/load"
	"github.com/cairnkv/cairn/bench/report"
)

// measured is a system that has been started.
type measured struct {
	run   func(context.Context, load.Run) (*load.Result, error)
	close func() error
}

// campaign is steps that run one after the other, and what they leave.
type campaign struct {
	sides []*side
	steps []step
	start func(context.Context, *side) (*measured, error)
	file  *report.File
	out   string // directory
	say   io.Writer
}

// system is a side that has been started.
type system struct {
	*measured
	side *side
	keys int // the most of any run until now
}

// run starts all sides, takes every step, and writes the results after each round: a run that is
// broken off has left what there was. A step that fails ends it; an error of single operations
// does not, it is in the result.
func (c *campaign) run(ctx context.Context) (err error) {
	started := make([]*system, len(c.sides))
	defer func() {
		for _, s := range started {
			if s != nil && s.measured != nil {
				err = errors.Join(err, s.close())
			}
		}
	}()
	for i, s := range c.sides {
		c.file.Sides = append(c.file.Sides, s.Side)
		fmt.Fprintf(c.say, "%s: %s\n", s.Name, s.Command)
		started[i] = &system{side: s}
		if err := c.begin(ctx, started[i]); err != nil {
			return err
		}
	}
	for i, s := range c.steps {
		if err := c.step(ctx, i, s, started[s.side]); err != nil {
			return err
		}
		if i+1 == len(c.steps) || c.steps[i+1].round != s.round {
			c.file.Took = time.Since(c.file.Began)
			if err := c.file.Write(filepath.Join(c.out, resultsFile)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *campaign) begin(ctx context.Context, s *system) (err error) {
	if s.measured, err = c.start(ctx, s.side); err != nil {
		return fmt.Errorf("start %s: %w", s.side.Name, err)
	}
	s.keys = 0
	return nil
}

// empty starts a system anew that has more keys than a run says: those of earlier runs stay, and
// its result would be about more.
func (c *campaign) empty(ctx context.Context, s *system, keys int) error {
	if keys < s.keys {
		err := s.close()
		if s.measured = nil; err != nil {
			return err
		}
		if err := c.begin(ctx, s); err != nil {
			return err
		}
	}
	s.keys = max(s.keys, keys)
	return nil
}

// resultsFile is what all tables and plots are made of.
const resultsFile = "results.json"

func (c *campaign) step(ctx context.Context, i int, s step, on *system) error {
	name := on.side.Name
	if err := c.empty(ctx, on, s.run.Keys); err != nil {
		return err
	}
	result, err := on.run(ctx, s.run)
	if err != nil {
		return fmt.Errorf("%s by %s, %d callers, round %d: %w",
			s.run.Workload, name, s.run.Callers, s.round, err)
	}
	sample := report.Sample{Side: name, Round: s.round, Result: *result}
	c.file.Samples = append(c.file.Samples, sample)
	perSecond := 0.0
	if result.Elapsed > 0 {
		perSecond = float64(result.Ops) / result.Elapsed.Seconds()
	}
	fmt.Fprintf(c.say, "%d/%d round %d, %s: %s %s, %d callers, %d keys: %.0f/s, %d errors\n",
		i+1, len(c.steps), s.round, name, s.run.Workload, s.run.Way, s.run.Callers, s.run.Keys,
		perSecond, result.Errors)
	return nil
}

// tell prints the tables and leaves them beside the results, with the plots.
func (c *campaign) tell(o *options) error {
	if err := c.file.Text(c.say); err != nil {
		return err
	}
	if o.compare != "" {
		if err := compare(c.say, c.file, o.compare); err != nil {
			return err
		}
	}
	if _, err := c.file.Histograms(filepath.Join(c.out, "latencies")); err != nil {
		return err
	}
	if o.plots {
		if _, err := c.file.Plots(filepath.Join(c.out, "plots")); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(c.say, "in "+c.out)
	return err
}
