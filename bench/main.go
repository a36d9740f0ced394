package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
	exitSlower = 3 // than the commit before
)

func main() { os.Exit(bench(os.Args[1:])) }

func bench(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	command, args := subcommand(args)
	code, err := command(ctx, args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return 0
	case err == nil:
		return code
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	if code == 0 {
		return exitFailed
	}
	return code
}

type action func(ctx context.Context, args []string) (code int, err error)

// subcommand is the first word, or run.
func subcommand(args []string) (action, []string) {
	if len(args) == 0 || args[0] == "" || args[0][0] == '-' {
		return runCairn, args
	}
	switch args[0] {
	case "run":
		return runCairn, args[1:]
	case "vs":
		return runPeer, args[1:]
	case "guard":
		return runGuard, args[1:]
	case "report":
		return runReport, args[1:]
	case "drive":
		return drive, args[1:]
	}
	return func(context.Context, []string) (int, error) {
		return exitUsage, fmt.Errorf("%q: run, vs, guard or report", args[0])
	}, nil
}

// parse reads flags; how many other words there are is for the subcommand to say.
func parse(f *pflag.FlagSet, args []string, words int) error {
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() != words {
		return fmt.Errorf("%s: %d words besides flags, and there are %d: %q",
			f.Name(), words, f.NArg(), f.Args())
	}
	return nil
}
