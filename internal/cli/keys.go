package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/client"
)

const aboutPatterns = ` A pattern is of the whole key: * stands for any characters, / among
them, ? for one, [abc], [a-z] and [!x] for one of a set or none of it, \ makes the next one stand
for itself. Quote it, or the shell takes it for files.`

func newKeys(s *session) *cobra.Command {
	l := &listing{keysOnly: true, target: &target{}}
	cmd := &cobra.Command{
		Use:   "keys [PATTERN] [as of TIME]",
		Short: "List the keys that match a pattern, in order, without values",
		Long:  "List the keys that match a pattern, or all of them, from one snapshot." + aboutPatterns,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := matching(args)
			if err != nil {
				return err
			}
			return l.list(cmd, s, r)
		},
	}
	cmd.Flags().Int64Var(&l.limit, "limit", 0, "most keys, 0 = all")
	cmd.Flags().BoolVar(&l.reverse, "reverse", false, "list from the last key to the first")
	return cmd
}

// matching takes a pattern, if there is one, and the time.
func matching(args []string) (r client.Range, err error) {
	rest := &words{args}
	r = client.All()
	if len(rest.rest) > 0 && (rest.rest[0] != "as" || len(rest.rest) != 3) {
		if r.Glob, err = rest.key(); err != nil {
			return r, err
		}
	}
	var version readWords
	if err := version.read(rest); err != nil {
		return r, err
	}
	if version.revision != nil {
		return r, usagef("at N is for one key; many take as of TIME")
	}
	r.AsOf = version.asOf
	return r, nil
}

func newCount(s *session) *cobra.Command {
	prefix := ""
	cmd := &cobra.Command{
		Use:   "count [PATTERN] [as of TIME]",
		Short: "Count the keys that match a pattern, or all of them",
		Long:  "Count the keys that match a pattern, or all of them, in one snapshot." + aboutPatterns,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := matching(args)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("prefix") {
				begins, err := unquote(prefix)
				if err != nil {
					return err
				}
				glob, at := r.Glob, r.AsOf
				r = client.Prefix(begins)
				r.Glob, r.AsOf = glob, at
			}
			return s.withDB(cmd.Context(), func(ctx context.Context, db *client.DB) error {
				start := time.Now()
				n, err := db.Count(ctx, r)
				if err != nil {
					return err
				}
				return s.printCount(counted{Count: n, took: time.Since(start)})
			})
		},
	}
	cmd.Flags().StringVar(&prefix, "prefix", "", "only keys that begin with it")
	return cmd
}
