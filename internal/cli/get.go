package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/client"
)

// readWords say which version of a key to read.
type readWords struct {
	revision *int64
	asOf     client.Timestamp
}

// read takes `at N` and `as of T`, and refuses anything else.
func (r *readWords) read(rest *words) error {
	for len(rest.rest) > 0 {
		switch name, _ := rest.next(""); name {
		case "at":
			word, err := rest.next("the revision after at")
			if err != nil {
				return err
			}
			n, err := parseRevision(word)
			if err != nil {
				return err
			}
			if err := once(r.revision != nil || r.asOf != 0, "at"); err != nil {
				return err
			}
			r.revision = &n
		case "as":
			if of, err := rest.next("the word of after as"); err != nil || of != "of" {
				return usagef("after as comes of: as of TIME")
			}
			if err := once(r.revision != nil || r.asOf != 0, "as of"); err != nil {
				return err
			}
			word, err := rest.next("the time after as of")
			if err != nil {
				return err
			}
			if r.asOf, err = parseTime(word, time.Now()); err != nil {
				return err
			}
		default:
			return usagef("no option %q: at N, or as of TIME", plain(name))
		}
	}
	return nil
}

func (r *readWords) options() []client.ReadOption {
	switch {
	case r.revision != nil:
		return []client.ReadOption{client.AtRevision(*r.revision)}
	case r.asOf != 0:
		return []client.ReadOption{client.AsOf(r.asOf)}
	}
	return nil
}

func newGet(s *session) *cobra.Command {
	l, t := &listing{}, &target{}
	cmd := &cobra.Command{
		Use:   "get KEY [at N | as of TIME], or get by bucket|prefix NAME [as of TIME]",
		Short: "Read a key, or all keys of a bucket",
		Long: `Read a key: the latest version, the revision N, or what was current at a time (a
commit_ts, 2026-01-02T15:04:05Z, or 5m for 5 minutes ago). Exit code 3 if there is none.

get by bucket NAME reads all keys of a bucket: those whose text before the last / is NAME.
It takes all three words: a key named by is read by cairn get by.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) >= 3 && args[0] == "by" {
				l.target = t
				return l.run(cmd, s, args[1:])
			}
			return s.readOne(cmd, args, reading{t, (*client.KV).Get, printEntry})
		},
	}
	l.flags(cmd)
	t.readFlags(cmd)
	return s.completesKeys(cmd)
}

func newExists(s *session) *cobra.Command {
	t := &target{}
	cmd := &cobra.Command{
		Use:   "exists KEY [at N | as of TIME]",
		Short: "Ask whether a key exists",
		RunE: func(cmd *cobra.Command, args []string) error {
			print := func(s *session, e client.Entry, took time.Duration) error {
				return s.printWrite(written{
					Key: e.Key, Done: e.Found(), Revision: e.Revision, CommitTS: e.CommitTS,
					CreateTS: e.CreateTS, ExpiresAt: e.ExpiresAt, Word: "exists", took: took,
				})
			}
			return s.readOne(cmd, args, reading{t, (*client.KV).Exists, print})
		},
	}
	t.readFlags(cmd)
	return s.completesKeys(cmd)
}

// reading is how a command reads one key, and what it says of it.
type reading struct {
	target *target
	read   func(
		*client.KV, context.Context, string, ...client.ReadOption,
	) (client.Entry, error)
	print func(*session, client.Entry, time.Duration) error
}

// readOne is a command that reads one key.
func (s *session) readOne(cmd *cobra.Command, args []string, how reading) error {
	rest := &words{args}
	key, err := rest.key()
	if err != nil {
		return err
	}
	var version readWords
	if err := version.read(rest); err != nil {
		return err
	}
	return s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
		start := time.Now()
		e, err := how.read(how.target.of(db), ctx, key, version.options()...)
		if err != nil {
			return err
		}
		return how.print(s, e, time.Since(start))
	})
}
