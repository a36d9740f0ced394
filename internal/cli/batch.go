package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/client"
)

// allKeys are the words of a command on many keys.
func allKeys(args []string) ([]string, error) {
	if len(args) == 0 {
		return nil, usagef("the keys are missing")
	}
	out := make([]string, len(args))
	for i, arg := range args {
		var err error
		if out[i], err = unquote(arg); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func newMGet(s *session) *cobra.Command {
	t, o := &target{}, client.BatchGetOptions{}
	asOf := ""
	cmd := &cobra.Command{
		Use:   "mget KEY...",
		Short: "Read many keys from one snapshot",
		Long: `Read many keys from one snapshot, one line a key. Exit code 3 if one of them is missing;
with --require-all nothing is read then, and the error lists the missing ones.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			names, err := allKeys(args)
			if err != nil {
				return err
			}
			if asOf != "" {
				if o.AsOf, err = parseTime(asOf, time.Now()); err != nil {
					return err
				}
			}
			return s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
				entries, err := t.of(db).BatchGet(ctx, names, o)
				if err != nil {
					return err
				}
				return s.printFound(entries)
			})
		},
	}
	t.readFlags(cmd)
	cmd.Flags().BoolVar(&o.RequireAll, "require-all", false, "fail unless all of them exist")
	cmd.Flags().StringVar(&asOf, "as-of", "", "a commit_ts, 2026-01-02T15:04:05Z, or 5m for 5m ago")
	return s.completesKeys(cmd)
}

// printFound prints entries, and what is missing as such.
func (s *session) printFound(entries []client.Entry) error {
	p := s.newEntryPrinter(false)
	var missed error
	for _, e := range entries {
		if e.Found() {
			if err := p.entry(e); err != nil {
				return err
			}
			continue
		}
		missed = errNotMet
		w := written{Key: e.Key, Revision: e.Revision}
		n, key := revision(e.Revision), quoteKey(e.Key)
		o := newObject()
		o.text("key", "key_encoding", []byte(e.Key))
		o.put("result", w.word())
		o.put("revision", e.Revision)
		err := p.add(line{
			text: n + " " + key + " " + w.word(), row: []string{n, key, "", w.word()}, object: o,
		})
		if err != nil {
			return err
		}
	}
	if err := p.end(); err != nil {
		return err
	}
	return missed
}

// batchSet is what is said of all keys that are written.
type batchSet struct {
	target
	typ, ex, file     string
	nx, xx, keep      bool
	norev, requireAll bool
	batched           bool
}

func newMSet(s *session) *cobra.Command {
	b := &batchSet{}
	cmd := &cobra.Command{
		Use:   "mset KEY VALUE [KEY VALUE...], or mset --file FILE.json",
		Short: "Write many keys in one transaction",
		Long: `Write many keys in one transaction, one line a key. Conditions are those of each key:
where one does not hold that key is not written (exit code 3), and the others are. More than
10,000 keys, or 8 MiB of them and their values, need --batched: page by page, so that others see
some written and some not.

--file reads a JSON object of keys and values, whose types are what they look like (3 is an int,
3.0 a float), or a list of entries as scan -o json prints them; - is standard input.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if b.batched && b.requireAll {
				return usagef("--require-all is about one moment, --batched is not: leave one out")
			}
			items, err := b.items(s, args)
			if err != nil {
				return err
			}
			run := s.brief
			if b.batched {
				run = s.withDB
			}
			return run(cmd.Context(), func(ctx context.Context, db *client.DB) error {
				results, err := b.write(ctx, s, db, items)
				if err != nil {
					return err
				}
				all := make([]written, len(results))
				for i, r := range results {
					all[i] = written{
						Key: items[i].Key, Done: r.Set, Revision: r.Revision, CommitTS: r.CommitTS,
						Prev: replaced(r.Set, r.PrevRevision), CreateTS: r.CreateTS,
						ExpiresAt: r.ExpiresAt, Word: "set",
					}
				}
				return s.printWrites(all)
			})
		},
	}
	b.writeFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&b.typ, "type", "bytes", "of the values: bytes, string, int, float, bool, json, null")
	f.StringVar(&b.ex, "ex", "", "time to live: milliseconds, or 30s, 5m")
	f.StringVar(&b.file, "file", "", "JSON file of keys and values; - is standard input")
	f.BoolVar(&b.nx, "nx", false, "only keys that are missing")
	f.BoolVar(&b.xx, "xx", false, "only keys that exist")
	f.BoolVar(&b.keep, "keepttl", false, "keep the times to live there are")
	f.BoolVar(&b.norev, "norev", false, "do not keep the replaced values")
	f.BoolVar(&b.requireAll, "require-all", false, "write nothing unless all of them exist")
	f.BoolVar(&b.batched, "batched", false, "page by page: any number, not atomic")
	return s.completesKeys(cmd)
}

// write writes all items at one moment, or page by page, and says so.
func (b *batchSet) write(
	ctx context.Context, s *session, db *client.DB, items []client.SetItem,
) ([]client.SetResult, error) {
	if !b.batched {
		o := client.BatchOptions{RequireAll: b.requireAll, Message: b.message}
		return b.of(db).BatchSet(ctx, items, o)
	}
	results, err := b.of(db).BatchSetBatched(ctx, items, b.message)
	s.notAtomic("set", int64(len(results)), err)
	return results, err
}

// notAtomic tells of what went page by page.
func (s *session) notAtomic(done string, n int64, err error) {
	if err == nil {
		_, _ = fmt.Fprintf(s.main.Stderr, "cairn: note: %s page by page, not at one moment\n", done)
	} else {
		_, _ = fmt.Fprintf(s.main.Stderr, "cairn: note: %s were %s before the error\n", keys(n), done)
	}
}

// items are what the words or the file say, with what the flags say of all.
func (b *batchSet) items(s *session, args []string) (items []client.SetItem, err error) {
	if b.file == "" {
		items, err = b.pairs(args)
	} else if len(args) > 0 {
		err = usagef("either --file, or keys and values as words")
	} else {
		var text []byte
		if text, err = s.readFile(b.file); err == nil {
			items, err = parseItems(text)
		}
	}
	if err != nil {
		return nil, err
	}
	each := client.SetItem{
		If: client.Conditions{Absent: b.nx, Present: b.xx}, KeepTTL: b.keep, NoHistory: b.norev,
	}
	if b.ex != "" {
		if each.TTL, err = parseDuration(b.ex); err != nil {
			return nil, err
		}
		if each.TTL <= 0 {
			return nil, usagef("--ex %s is not positive", plain(b.ex))
		}
		if err := once(b.keep, "--keepttl"); err != nil {
			return nil, err
		}
	}
	for i := range items {
		each.Key, each.Value = items[i].Key, items[i].Value
		items[i] = each
	}
	return items, nil
}

func (b *batchSet) pairs(args []string) ([]client.SetItem, error) {
	t, err := client.ParseType(b.typ)
	if err != nil {
		return nil, err
	}
	rest := &words{args}
	var items []client.SetItem
	for first := true; first || len(rest.rest) > 0; first = false {
		var item client.SetItem
		if item.Key, err = rest.key(); err != nil {
			return nil, err
		}
		word, err := rest.next("the value of the last key")
		if err != nil {
			return nil, err
		}
		if item.Value, err = parseValue(word, t); err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// readFile reads a file that a user named; - is standard input.
func (s *session) readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(s.main.Stdin)
	}
	return os.ReadFile(name)
}

func newMDelete(s *session) *cobra.Command {
	t, o := &target{}, client.BatchOptions{}
	cmd := &cobra.Command{
		Use:     "mdelete KEY...",
		Aliases: []string{"mdel"},
		Short:   "Remove many keys in one transaction",
		Long: `Remove many keys in one transaction, one line a key. Exit code 3 if one of them was
missing; with --require-all nothing is removed then, and the error lists the missing ones.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			names, err := allKeys(args)
			if err != nil {
				return err
			}
			o.Message = t.message
			return s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
				results, err := t.of(db).BatchDelete(ctx, names, o)
				if err != nil {
					return err
				}
				all := make([]written, len(results))
				for i, r := range results {
					all[i] = written{
						Key: names[i], Done: r.Deleted, Revision: r.Revision, CommitTS: r.CommitTS,
						Prev: replaced(r.Deleted, r.PrevRevision), Word: "deleted",
					}
				}
				return s.printWrites(all)
			})
		},
	}
	t.writeFlags(cmd)
	cmd.Flags().BoolVar(&o.RequireAll, "require-all", false, "fail unless all of them exist")
	return s.completesKeys(cmd)
}
