package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/client"
)

// listing is a command that prints many keys as they come.
type listing struct {
	limit    int64
	reverse  bool
	keysOnly bool
	glob     string
	target   *target
}

func newScan(s *session) *cobra.Command {
	l := &listing{target: &target{}}
	cmd := &cobra.Command{
		Use:   "scan by prefix|bucket NAME [as of TIME]",
		Short: "Read all keys that begin with a prefix, in order, from one snapshot",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) < 3 || args[0] != "by" {
				return usagef("all three words are needed: scan by prefix NAME")
			}
			return l.run(cmd, s, args[1:])
		},
	}
	l.flags(cmd)
	return cmd
}

func (l *listing) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Int64Var(&l.limit, "limit", 0, "most keys of a listing, 0 = all")
	f.BoolVar(&l.reverse, "reverse", false, "list from the last key to the first")
	f.BoolVar(&l.keysOnly, "keys-only", false, "list keys without values")
	f.StringVar(&l.glob, "glob", "", "list only keys that match: * ? [a-z] [!x]")
}

// run takes the words after by: prefix or bucket, its name, options.
func (l *listing) run(cmd *cobra.Command, s *session, args []string) error {
	rest := &words{args}
	how, _ := rest.next("")
	name, err := rest.key()
	if err != nil {
		return err
	}
	var r client.Range
	switch how {
	case "prefix":
		r = client.Prefix(name)
	case "bucket":
		r = client.Bucket(name)
	default:
		return usagef("by what? by prefix NAME, or by bucket NAME")
	}
	var version readWords
	if err := version.read(rest); err != nil {
		return err
	}
	if version.revision != nil {
		return usagef("at N is for one key; a listing takes as of TIME")
	}
	if r.Glob, err = unquote(l.glob); err != nil {
		return err
	}
	r.AsOf = version.asOf
	return l.list(cmd, s, r)
}

// list prints what r selects.
func (l *listing) list(cmd *cobra.Command, s *session, r client.Range) error {
	if l.limit < 0 {
		return usagef("--limit %d is negative", l.limit)
	}
	r.Limit, r.Reverse, r.KeysOnly = l.limit, l.reverse, l.keysOnly
	return s.withDB(cmd.Context(), func(ctx context.Context, db *client.DB) error {
		p := s.newEntryPrinter(l.keysOnly)
		for e, err := range l.target.of(db).Scan(ctx, r) {
			if err != nil {
				return err
			}
			if err := p.entry(e); err != nil {
				return err
			}
		}
		return p.end()
	})
}

// printEntry prints the answer to a get.
func printEntry(s *session, e client.Entry, took time.Duration) error {
	if !e.Found() {
		return s.printWrite(written{Key: e.Key, Revision: e.Revision, took: took})
	}
	return s.printOne(e, took)
}
