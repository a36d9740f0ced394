package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/client"
)

// sweep are the flags of a deletion of many keys.
type sweep struct {
	chosen
	dryRun, batched bool
}

func newDelete(s *session) *cobra.Command {
	w, many := &writeWords{}, &sweep{}
	cmd := &cobra.Command{
		Use:     "delete KEY [xx] [cmp V] [cmprev N], or delete --prefix P [--dry-run]",
		Aliases: []string{"del"},
		Short:   "Remove a key, or all keys of a prefix; their history stays readable",
		Long: `Remove a key, if its conditions hold. Exit code 3 if it was missing.

With --prefix or --glob, remove all keys that they select, in one transaction of at most 10,000
keys; --dry-run only counts them. --batched removes any number of them, page by page: others see
some keys gone and some not, and after an error some of them are.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if many.given(cmd) {
				if err := noArgs(cmd, args); err != nil {
					return err
				}
				return many.run(cmd, s, &w.target)
			}
			if many.dryRun || many.batched {
				return usagef("--dry-run and --batched go with --prefix or --glob")
			}
			return s.deleteOne(cmd, args, w)
		},
	}
	w.flags(cmd)
	many.flags(cmd)
	cmd.Flags().BoolVar(&many.dryRun, "dry-run", false, "delete nothing, only count")
	cmd.Flags().BoolVar(&many.batched, "batched", false, "page by page: any number, not atomic")
	return s.completesKeys(cmd)
}

func (s *session) deleteOne(cmd *cobra.Command, args []string, w *writeWords) error {
	rest := &words{args}
	key, err := rest.key()
	if err != nil {
		return err
	}
	if err := w.read(cmd, rest); err != nil {
		return err
	}
	t, err := client.ParseType(w.typ)
	if err != nil {
		return err
	}
	cond, err := w.conditions(t)
	if err != nil {
		return err
	}
	return s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
		start := time.Now()
		r, err := w.of(db).Delete(ctx, key, client.DeleteOptions{If: cond, Message: w.message})
		if err != nil {
			return err
		}
		return s.printWrite(written{
			Key: key, Done: r.Deleted, Revision: r.Revision, CommitTS: r.CommitTS,
			Prev: replaced(r.Deleted, r.PrevRevision), Word: "deleted", took: time.Since(start),
		})
	})
}

func (w *sweep) run(cmd *cobra.Command, s *session, t *target) error {
	if w.dryRun && w.batched {
		return usagef("--dry-run deletes nothing, --batched does: leave one out")
	}
	r, err := w.keys()
	if err != nil {
		return err
	}
	return s.withDB(cmd.Context(), func(ctx context.Context, db *client.DB) error {
		start := time.Now()
		if w.batched {
			return w.pages(ctx, s, t.of(db), r, t.message)
		}
		o := client.DeleteRangeOptions{DryRun: w.dryRun, Message: t.message}
		out, err := t.of(db).DeleteRange(ctx, r, o)
		if err != nil {
			return err
		}
		word := "deleted"
		if w.dryRun {
			word = "would be deleted"
		}
		return s.printCount(counted{out.Count, out.CommitTS, word, time.Since(start)})
	})
}

// pages is the deletion that is not atomic, and says so.
func (w *sweep) pages(
	ctx context.Context, s *session, kv *client.KV, r client.Range, message string,
) error {
	start := time.Now()
	n, err := kv.DeleteRangeBatched(ctx, r, message)
	s.notAtomic("deleted", n, err)
	if err != nil {
		return err
	}
	return s.printCount(counted{n, 0, "deleted", time.Since(start)})
}
