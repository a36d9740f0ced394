package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cairnkv/cairn/client"
)

const (
	defaultEndpoint = "http://127.0.0.1:7600"
	// defaultTimeout bounds commands on single keys. Those on many run as long as they need.
	defaultTimeout = 10 * time.Second
	// callAttemptsMax is low, since somebody looks on: 10 + 20 ms and the answer is there.
	callAttemptsMax = 3
)

// formats are what -o takes.
var formats = []string{"text", "json", "ndjson", "table", "raw"}

// session is what the flags said, shared by all commands of a run.
type session struct {
	main     *Main
	flags    *pflag.FlagSet // that all commands have
	endpoint string         // for messages, once it is known
	format   string
	timeout  time.Duration
}

func newRoot(s *session) *cobra.Command {
	root := &cobra.Command{
		Use:   "cairn",
		Short: "Read and write a Cairn cluster",
		Long: `Read and write a Cairn cluster.

Keys and values are the bytes of the argument. An argument that is itself in double quotes is
a Go string literal: '"a\x00b"'. One that begins with - and a digit is a value, never a flag.

Exit codes: 0 ok, 1 failure, 2 usage, 3 not found or condition not met, 4 conflict after
retries, 5 unavailable or deadline, 6 outcome unknown, 7 unauthenticated or forbidden,
130 interrupted.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("no command %q", args[0])
			}
			return cmd.Help()
		},
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if !slices.Contains(formats, s.format) {
				return usagef("no format %q: %s", s.format, strings.Join(formats, ", "))
			}
			return nil
		},
	}
	root.SetIn(s.main.Stdin)
	root.SetOut(s.main.Stdout)
	root.SetErr(s.main.Stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usagef("%v", err) })
	f := root.PersistentFlags()
	s.settingFlags(f)
	f.StringVarP(&s.format, "output", "o", "text", strings.Join(formats, "|"))
	f.DurationVar(&s.timeout, "timeout", defaultTimeout,
		"for commands on single keys, 0 = none")
	root.AddCommand(
		newSet(s), newGet(s), newExists(s), newDelete(s), newExtend(s), newScan(s),
		newTTL(s), newPersist(s), newIncr(s), newDecr(s), newAppend(s), newMax(s), newMin(s),
		newMGet(s), newMSet(s), newMDelete(s), newKeys(s), newCount(s), newHistory(s), newRevert(s),
		newTxn(s), newKeyspace(s), newImport(s), newExport(s), newCtx(s),
		newStatus(s), newTxns(s), newLocks(s), newMember(s), newLeader(s), newMan(s), newVersion(s),
		inMemory(newSet(s), "eset KEY VALUE [nx | xx] [cmp V] [cmprev N] [ex MS|30s | keepttl]"),
		inMemory(newGet(s), "eget KEY"), inMemory(newExists(s), "eexists KEY"),
		inMemory(newDelete(s), "edelete KEY [xx] [cmp V] [cmprev N]", "edel"),
		inMemory(newExtend(s), "eextend KEY MS|30s"),
	)
	root.AddCommand(s.main.Extra...)
	s.completeFlags(root)
	return root
}

// withDB runs fn with a connection, as long as fn takes.
func (s *session) withDB(ctx context.Context, fn func(context.Context, *client.DB) error) error {
	o, err := s.options()
	if err != nil {
		return err
	}
	db, err := client.New(o)
	if err != nil {
		return err
	}
	defer db.Close()
	return s.unreachable(fn(ctx, db))
}

// brief is withDB under the timeout for single keys.
func (s *session) brief(ctx context.Context, fn func(context.Context, *client.DB) error) error {
	if s.timeout > 0 {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	return s.withDB(ctx, fn)
}

func newVersion(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which version this program is; status says the server's",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			if s.format == "json" || s.format == "ndjson" {
				return s.printJSON(map[string]string{"version": s.main.version()})
			}
			_, err := fmt.Fprintf(s.main.Stdout, "cairn %s\n", s.main.version())
			return err
		},
	}
}

func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%q is one word too many", plain(args[0]))
	}
	return nil
}
