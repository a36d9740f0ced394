package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/client"
)

// writeWords are the conditions and options of a write, as words or as flags.
type writeWords struct {
	typ      string
	nx, xx   bool
	cmp      string
	cmprev   string
	ex       string
	keepTTL  bool
	norev    bool
	hasCmp   bool
	hasRev   bool
	hasEx    bool
	settable bool // the words that only a set knows
	target
}

func newSet(s *session) *cobra.Command {
	w := &writeWords{settable: true}
	cmd := &cobra.Command{
		Use:   "set KEY VALUE [nx | xx] [cmp V] [cmprev N] [ex MS|30s | keepttl] [norev]",
		Short: "Write a key",
		Long: `Write a key. Conditions must all hold, otherwise nothing is written (exit code 3):
nx the key is missing, xx it exists, cmp V it has this value and the type of --type, cmprev N
it is at this revision (-1 = missing). ex sets a time to live, keepttl keeps the one there is;
without either the key never expires. norev does not keep the replaced value in the history.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			rest := &words{args}
			key, err := rest.key()
			if err != nil {
				return err
			}
			word, err := rest.next("the value")
			if err != nil {
				return err
			}
			o, value, err := w.parse(cmd, word, rest)
			if err != nil {
				return err
			}
			return s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
				start := time.Now()
				r, err := w.of(db).Set(ctx, key, value, o)
				if err != nil {
					return err
				}
				return s.printWrite(written{
					Key: key, Done: r.Set, Revision: r.Revision, CommitTS: r.CommitTS,
					Prev: replaced(r.Set, r.PrevRevision), CreateTS: r.CreateTS,
					ExpiresAt: r.ExpiresAt, Word: "set", took: time.Since(start),
				})
			})
		},
	}
	w.flags(cmd)
	return s.completesKeys(cmd)
}

func (w *writeWords) flags(cmd *cobra.Command) {
	w.writeFlags(cmd)
	f := cmd.Flags()
	f.BoolVar(&w.xx, "xx", false, "only if the key exists")
	f.StringVar(&w.cmp, "cmp", "", "only if the key has this value")
	f.StringVar(&w.cmprev, "cmprev", "", "only if the key is at this revision; -1 = missing")
	f.StringVar(&w.typ, "type", "bytes", "of the value: bytes, string, int, float, bool, json, null")
	if w.settable {
		f.BoolVar(&w.nx, "nx", false, "only if the key is missing")
		f.StringVar(&w.ex, "ex", "", "time to live: milliseconds, or 30s, 5m")
		f.BoolVar(&w.keepTTL, "keepttl", false, "keep the time to live there is")
		f.BoolVar(&w.norev, "norev", false, "do not keep the replaced value")
	}
}

// word reads one option word; false if there is none of that name.
func (w *writeWords) word(name string, rest *words) (known bool, err error) {
	switch name {
	case "xx":
		err, w.xx = once(w.xx, name), true
	case "cmp":
		if err = once(w.hasCmp, name); err == nil {
			w.hasCmp = true
			w.cmp, err = rest.next("the value after cmp")
		}
	case "cmprev":
		if err = once(w.hasRev, name); err == nil {
			w.hasRev = true
			w.cmprev, err = rest.next("the revision after cmprev")
		}
	default:
		if !w.settable {
			return false, nil
		}
		return w.setWord(name, rest)
	}
	return true, err
}

func (w *writeWords) setWord(name string, rest *words) (known bool, err error) {
	switch name {
	case "nx":
		err, w.nx = once(w.nx, name), true
	case "ex":
		if err = once(w.hasEx, name); err == nil {
			w.hasEx = true
			w.ex, err = rest.next("the duration after ex")
		}
	case "keepttl":
		err, w.keepTTL = once(w.keepTTL, name), true
	case "norev":
		err, w.norev = once(w.norev, name), true
	default:
		return false, nil
	}
	return true, err
}

// read takes all words that are left.
func (w *writeWords) read(cmd *cobra.Command, rest *words) error {
	w.hasCmp = cmd.Flags().Changed("cmp")
	w.hasRev = cmd.Flags().Changed("cmprev")
	w.hasEx = w.settable && cmd.Flags().Changed("ex")
	for len(rest.rest) > 0 {
		name, _ := rest.next("")
		known, err := w.word(name, rest)
		if err != nil {
			return err
		}
		if !known {
			return usagef("no option %q for %s; quote a value of several words",
				plain(name), cmd.Name())
		}
	}
	return nil
}

func (w *writeWords) conditions(t client.Type) (c client.Conditions, err error) {
	c.Absent, c.Present = w.nx, w.xx
	if w.hasCmp {
		value, err := parseValue(w.cmp, t)
		if err != nil {
			return c, err
		}
		c.Value = &value
	}
	if w.hasRev {
		n, err := parseRevision(w.cmprev)
		if err != nil {
			return c, err
		}
		c.Revision = &n
	}
	return c, nil
}

// parse makes options and value out of all that was said.
func (w *writeWords) parse(
	cmd *cobra.Command, word string, rest *words,
) (o client.SetOptions, v client.Value, err error) {
	if err = w.read(cmd, rest); err != nil {
		return o, v, err
	}
	t, err := client.ParseType(w.typ)
	if err != nil {
		return o, v, err
	}
	if v, err = parseValue(word, t); err != nil {
		return o, v, err
	}
	if o.If, err = w.conditions(t); err != nil {
		return o, v, err
	}
	if w.hasEx {
		if err = once(w.keepTTL, "keepttl"); err != nil {
			return o, v, err
		}
		if o.TTL, err = parseDuration(w.ex); err != nil {
			return o, v, err
		}
		if o.TTL <= 0 {
			return o, v, usagef("ex %s is not positive", plain(w.ex))
		}
	}
	o.KeepTTL, o.NoHistory, o.Message = w.keepTTL, w.norev, w.message
	return o, v, nil
}
