package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"github.com/cairnkv/cairn/bench/cairn"
	"github.com/cairnkv/cairn/bench/driver"
)

// drive makes this process the driver of a Cairn: the harness starts it.
func drive(ctx context.Context, args []string) (code int, err error) {
	o := &cairnOptions{}
	f := pflag.NewFlagSet("bench drive", pflag.ContinueOnError)
	o.add(f)
	if err := errors.Join(parse(f, args, 0), o.settle(f)); err != nil {
		return exitUsage, err
	}
	system, err := cairn.Start(ctx, o.Options)
	if err != nil {
		return 0, err
	}
	for _, command := range system.Commands() {
		fmt.Fprintln(os.Stderr, command)
	}
	return 0, driver.Serve(ctx, os.Stdin, os.Stdout, system) // closes it
}

// startDriver starts the process of a side.
func startDriver(ctx context.Context, s *side) (*measured, error) {
	d, err := driver.Start(ctx, s.command())
	if err != nil {
		return nil, err
	}
	return &measured{run: d.Run, close: d.Close}, nil
}
