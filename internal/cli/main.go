package cli

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/internal/release"
)

// Main is a run of the program: what it may touch, and what it is.
type Main struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string
	// Version of the program; empty = the release of this source.
	Version string
	// Extra commands, hidden or not, beside those of this package.
	Extra []*cobra.Command
}

// Process is a Main over the process itself.
func Process(extra ...*cobra.Command) *Main {
	return &Main{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Extra: extra,
	}
}

// ErrInterrupted is the cause of a context that a signal ended.
var ErrInterrupted = errors.New("interrupted")

// Run runs one command line until it is done or SIGINT or SIGTERM comes, and
// returns the exit code.
func (m *Main) Run(args []string) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() {
		select {
		case <-signals:
			cancel(ErrInterrupted)
			signal.Stop(signals) // the second one kills
		case <-ctx.Done():
		}
	}()
	return m.RunContext(ctx, args)
}

// RunContext is Run without signals.
func (m *Main) RunContext(ctx context.Context, args []string) int {
	s := &session{main: m}
	root := newRoot(s)
	root.SetArgs(protectNumbers(root, args))
	err := root.ExecuteContext(ctx)
	return report(ctx, m.Stderr, err)
}

func (m *Main) version() string { return cmp.Or(m.Version, release.Version) }
