package cli

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/client"
)

// reverting is one run of revert.
type reverting struct {
	s *session
	chosen
	target
	dryRun, batched bool
}

func newRevert(s *session) *cobra.Command {
	r := &reverting{s: s}
	cmd := &cobra.Command{
		Use:   "revert KEY N|TIME|at N|as of TIME, or revert --prefix P TIME",
		Short: "Bring a key, or all keys of a prefix, back to what they were",
		Long: `Bring a key back to what it was at revision N or at a time, by a new revision: a bare
number is a revision. as of takes a commit_ts, too. A key that is as it was stays untouched
(r2 unchanged).

With --prefix or --glob, all keys that they select go back to a time, in one transaction of at
most 10,000 changes. --dry-run lists what would change, and to what. --batched brings back any
number of them, page by page: others see some changed and some not.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if r.given(cmd) {
				return r.many(cmd, args)
			}
			if r.batched {
				return usagef("--batched goes with --prefix or --glob")
			}
			return r.one(cmd, args)
		},
	}
	r.flags(cmd)
	r.messageFlag(cmd)
	cmd.Flags().BoolVar(&r.dryRun, "dry-run", false, "change nothing, list what would change")
	cmd.Flags().BoolVar(&r.batched, "batched", false, "page by page: any number, not atomic")
	return s.completesKeys(cmd)
}

// version takes N, TIME, at N or as of TIME.
func (r *reverting) version(rest *words) (v readWords, err error) {
	if len(rest.rest) != 1 {
		if err = v.read(rest); err == nil && v.revision == nil && v.asOf == 0 {
			err = usagef("back to what? N, TIME, at N, or as of TIME")
		}
		return v, err
	}
	word, _ := rest.next("")
	if n, no := strconv.ParseInt(plain(word), 10, 64); no == nil {
		v.revision = &n
		return v, nil
	}
	v.asOf, err = parseTime(word, time.Now())
	return v, err
}

func (r *reverting) options() client.RevertOptions {
	return client.RevertOptions{DryRun: r.dryRun, Message: r.message}
}

func (r *reverting) one(cmd *cobra.Command, args []string) error {
	rest := &words{args}
	key, err := rest.key()
	if err != nil {
		return err
	}
	version, err := r.version(rest)
	if err != nil {
		return err
	}
	return r.s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
		start := time.Now()
		out, err := db.Revert(ctx, key, version.options()[0], r.options())
		if err != nil {
			return err
		}
		if r.dryRun {
			return r.s.printChanges(out.Changes)
		}
		// The answer has no revision: what is there since the commit has.
		e, err := db.Exists(ctx, key, client.AsOf(out.CommitTS))
		if err != nil {
			return err
		}
		w := written{
			Key: key, Done: true, Revision: e.Revision, CommitTS: out.CommitTS,
			ExpiresAt: e.ExpiresAt, Word: "reverted", took: time.Since(start),
		}
		if out.Count == 0 {
			w.Word = "unchanged"
		}
		return r.s.printWrite(w)
	})
}

func (r *reverting) many(cmd *cobra.Command, args []string) error {
	if r.batched && r.dryRun {
		return usagef("--dry-run changes nothing, --batched does: leave one out")
	}
	selected, err := r.keys()
	if err != nil {
		return err
	}
	version, err := r.version(&words{args})
	if err != nil {
		return err
	}
	if version.revision != nil {
		return usagef("revisions are of one key; many go back to a time: as of %d", *version.revision)
	}
	return r.s.withDB(cmd.Context(), func(ctx context.Context, db *client.DB) error {
		start := time.Now()
		if r.batched {
			n, err := db.RevertRangeBatched(ctx, selected, version.asOf, r.message)
			if r.s.notAtomic("reverted", n, err); err != nil {
				return err
			}
			return r.s.printCount(counted{n, 0, "reverted", time.Since(start)})
		}
		out, err := db.RevertRange(ctx, selected, version.asOf, r.options())
		if err != nil {
			return err
		}
		if r.dryRun {
			return r.s.printChanges(out.Changes)
		}
		return r.s.printCount(counted{out.Count, out.CommitTS, "reverted", time.Since(start)})
	})
}

// printChanges prints one line a key: key: r4 v2 -> r1 v1.
func (s *session) printChanges(changes []client.RevertChange) error {
	p := s.newPrinter("KEY", "FROM", "TO")
	for i := range changes {
		c := &changes[i]
		o := newObject()
		o.text("key", "key_encoding", []byte(c.Key))
		o.put("from", versionObject(c.From))
		o.put("to", versionObject(c.To))
		key, from, to := quoteKey(c.Key), versionText(c.From), versionText(c.To)
		err := p.add(line{
			text: key + ": " + from + " -> " + to, raw: []byte(c.Key),
			row: []string{key, from, to}, object: o,
		})
		if err != nil {
			return err
		}
	}
	return p.end()
}

func versionText(e *client.Entry) string {
	if e == nil {
		return "r-1 not found"
	}
	return revision(e.Revision) + " " + valueText(e.Value)
}

// versionObject is null for what is not there.
func versionObject(e *client.Entry) any {
	if e == nil {
		return nil
	}
	return entryObject(*e, true)
}
