package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/internal/release"
	"github.com/cairnkv/cairn/txn"
)

// Exit codes of API.md section 6 that a server can end with.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// heapFloorBytes are allocated and never touched, so they take no memory. What a gateway has
// alive is a few MiB, and the collector would run each time as much again has been allocated,
// dozens of times a second; with these it waits for at least that much.
const heapFloorBytes = 32 << 20

// GatewayCommand is the command line of cmd/gateway, and of the hidden
// subcommand `cairn gateway`.
func GatewayCommand(stdout, stderr io.Writer) *cobra.Command {
	g := &Gateway{Stdout: stdout, Stderr: stderr}
	cmd := &cobra.Command{
		Use:   "gateway",
		Short: "Start Cairn in one process",
		Long: "gateway starts Cairn in one process: the API on --listen, its data in --data.\n" +
			"Without arguments it serves http://127.0.0.1:7600 from ./cairn-data.\n" +
			"With --shards the data is that of members which run by themselves (cmd/shard).",
		Version: release.Version, Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			floor := make([]byte, heapFloorBytes)
			defer runtime.KeepAlive(floor)
			return g.Run(cmd.Context())
		},
	}
	g.Flags(cmd.Flags())
	return finish(cmd, stdout, stderr)
}

// ShardCommand is the command line of cmd/shard.
func ShardCommand(stdout, stderr io.Writer) *cobra.Command {
	s := &Shard{Stdout: stdout, Stderr: stderr}
	cmd := &cobra.Command{
		Use:   "shard",
		Short: "Start a member that gateways in other processes reach",
		Long: "shard starts a member: it keeps the data and serves gateways on --listen.\n" +
			"A gateway finds it by: gateway --shards ADDRESS.",
		Version: release.Version, Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.Run(cmd.Context()) },
	}
	s.Flags(cmd.Flags())
	return finish(cmd, stdout, stderr)
}

func finish(cmd *cobra.Command, stdout, stderr io.Writer) *cobra.Command {
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	return cmd
}

// usageError is a wrong command line.
type usageError struct{ error }

// Main runs a command until it ends or the process is interrupted, prints the
// error if there is one, and returns the exit code.
func Main(cmd *cobra.Command, args []string, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(stderr, "%s: %v\n", cmd.Name(), err)
	if _, usage := errors.AsType[usageError](err); usage || txn.KindOf(err) == txn.Invalid {
		return exitUsage
	}
	return exitFailure
}
