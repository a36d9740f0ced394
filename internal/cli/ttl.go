package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/client"
)

func newExtend(s *session) *cobra.Command {
	t := &target{}
	cmd := &cobra.Command{
		Use:     "extend KEY MS|30s",
		Aliases: []string{"expire"},
		Short:   "Let a key expire so long from now; 0 = never",
		RunE: func(cmd *cobra.Command, args []string) error {
			rest := &words{args}
			key, err := rest.key()
			if err != nil {
				return err
			}
			word, err := rest.next("the duration")
			if err != nil {
				return err
			}
			ttl, err := parseDuration(word)
			if err != nil {
				return err
			}
			if err := rest.done(); err != nil {
				return err
			}
			return s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
				start := time.Now()
				o := client.ExtendOptions{Message: t.message}
				r, err := t.of(db).ExtendWith(ctx, key, ttl, o)
				if err != nil {
					return err
				}
				return s.printWrite(written{
					Key: key, Done: r.Extended, Revision: r.Revision, CommitTS: r.CommitTS,
					ExpiresAt: r.ExpiresAt, Word: "extended", took: time.Since(start),
				})
			})
		},
	}
	t.writeFlags(cmd)
	return s.completesKeys(cmd)
}

// onlyKey is the one word of a command.
func onlyKey(args []string) (string, error) {
	rest := &words{args}
	key, err := rest.key()
	if err != nil {
		return "", err
	}
	return key, rest.done()
}

func newPersist(s *session) *cobra.Command {
	t := &target{}
	cmd := &cobra.Command{
		Use:   "persist KEY",
		Short: "Let a key that expires live for ever",
		Long: `Let a key that expires live for ever. Exit code 3 if it is missing, or if nothing had to be
done: r2 no ttl.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := onlyKey(args)
			if err != nil {
				return err
			}
			return s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
				start := time.Now()
				r, err := t.of(db).Persist(ctx, key, client.ExtendOptions{Message: t.message})
				if err != nil {
					return err
				}
				return s.printWrite(written{
					Key: key, Done: r.Persisted, Revision: r.Revision, CommitTS: r.CommitTS,
					Word: "persisted", Otherwise: "no ttl", took: time.Since(start),
				})
			})
		},
	}
	t.writeFlags(cmd)
	return s.completesKeys(cmd)
}

func newTTL(s *session) *cobra.Command {
	t := &target{}
	cmd := &cobra.Command{
		Use:   "ttl KEY",
		Short: "Say how many milliseconds a key has left",
		Long: `Say how many milliseconds a key has left: r2 29500 5ms is revision 2, and 29.5 s to live.
0 means that it never expires. Exit code 3 if it is missing.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := onlyKey(args)
			if err != nil {
				return err
			}
			return s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
				start := time.Now()
				r, err := t.of(db).TTL(ctx, key)
				if err != nil {
					return err
				}
				return s.printTTL(key, r, time.Since(start))
			})
		},
	}
	t.readFlags(cmd)
	return s.completesKeys(cmd)
}

func (s *session) printTTL(key string, r client.TTLResult, d time.Duration) error {
	if !r.Found() {
		return s.printWrite(written{Key: key, Revision: r.Revision, took: d})
	}
	left, out := strconv.FormatInt(r.Left.Milliseconds(), 10), s.main.Stdout
	var err error
	switch s.format {
	case "json", "ndjson":
		o := newObject()
		o.text("key", "key_encoding", []byte(key))
		o.put("revision", r.Revision)
		o.put("ttl_ms", r.Left.Milliseconds())
		o.put("expires_at", unixMS(r.ExpiresAt))
		return s.printJSON(o)
	case "table":
		return printTable(out, []string{"REVISION", "KEY", "TTL MS"}, [][]string{
			{revision(r.Revision), quoteKey(key), left},
		})
	case "raw":
		_, err = fmt.Fprintln(out, left)
	default:
		_, err = fmt.Fprintf(out, "%s %s %s\n", revision(r.Revision), left, took(d))
	}
	return err
}
