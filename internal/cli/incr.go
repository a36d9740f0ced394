package cli

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/client"
)

// updating is a command that changes a value by what it is.
type updating struct {
	target
	typ   string
	norev bool
	do    func(
		*client.KV, context.Context, string, client.Value, client.UpdateOptions,
	) (client.UpdateResult, error)
	word string // what it has done
	// otherwise is what it has done where it wrote nothing; empty: it has not.
	otherwise string
	// silent says that the new value is not shown.
	silent bool
}

func (u *updating) flags(cmd *cobra.Command, typ, usage string) {
	u.writeFlags(cmd)
	cmd.Flags().StringVar(&u.typ, "type", typ, usage)
	cmd.Flags().BoolVar(&u.norev, "norev", false, "do not keep the replaced value")
}

func (u *updating) run(
	cmd *cobra.Command, s *session, key string, v client.Value, o client.UpdateOptions,
) error {
	o.Message, o.NoHistory = u.message, u.norev
	return s.brief(cmd.Context(), func(ctx context.Context, db *client.DB) error {
		start := time.Now()
		r, err := u.do(u.of(db), ctx, key, v, o)
		if err != nil {
			return err
		}
		w := written{
			Key: key, Done: r.Updated, Revision: r.Revision, CommitTS: r.CommitTS,
			Prev: replaced(r.Updated, r.PrevRevision), CreateTS: r.CreateTS,
			ExpiresAt: r.ExpiresAt, Word: u.word, took: time.Since(start),
		}
		if !r.Updated && u.otherwise != "" {
			w.Done, w.Word = true, u.otherwise
		}
		if !u.silent && r.Revision >= 0 {
			w.Value = &r.Value
		}
		return s.printWrite(w)
	})
}

func newIncr(s *session) *cobra.Command {
	return s.counter(&updating{do: (*client.KV).Increment, word: "incremented"}, "incr", "Add to")
}

func newDecr(s *session) *cobra.Command {
	u := &updating{do: (*client.KV).Decrement, word: "decremented"}
	return s.counter(u, "decr", "Subtract from")
}

func (s *session) counter(u *updating, name, verb string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   name + " KEY [BY] [min N] [max N] [ex MS|30s]",
		Short: verb + " a number, and say what it is now",
		Long: verb + ` a number, by 1 if nothing else is said, and say what it is now: r3 6 4ms. A
missing key counts as 0. min and max bound the result: one that would pass them is not written
(exit code 3). ex lets a key that this creates expire; one that exists keeps its time to live. BY
is an int, or with a point or an exponent a float, and the key must be of the same type.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			rest := &words{args}
			key, err := rest.key()
			if err != nil {
				return err
			}
			by := "1"
			if len(rest.rest) > 0 && !counterWord(rest.rest[0]) {
				by, _ = rest.next("")
			}
			v, err := parseNumber(by, u.typ)
			if err != nil {
				return err
			}
			var o client.UpdateOptions
			if err := readBounds(rest, v.Type, &o); err != nil {
				return err
			}
			return u.run(cmd, s, key, v, o)
		},
	}
	u.flags(cmd, "", "of the number: int or float; default: what BY looks like")
	return s.completesKeys(cmd)
}

func counterWord(word string) bool { return word == "min" || word == "max" || word == "ex" }

// parseNumber makes a value of a number that says itself what it is, unless it is told.
func parseNumber(word, typ string) (client.Value, error) {
	if typ != "" {
		t, err := client.ParseType(typ)
		if err != nil {
			return client.Value{}, err
		}
		return parseValue(word, t)
	}
	text, err := unquote(word)
	if err != nil {
		return client.Value{}, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err == nil:
		return client.IntValue(n), nil
	case errors.Is(err, strconv.ErrRange): // as a float it would lose digits
		return client.Value{}, usagef("%s is more than an int of 64 bits holds; %s.0 is a float",
			text, text)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return client.Value{}, usagef("%q is no number", text)
	}
	return client.FloatValue(f), nil
}

// readBounds takes min, max and ex.
func readBounds(rest *words, t client.Type, o *client.UpdateOptions) error {
	for len(rest.rest) > 0 {
		name, _ := rest.next("")
		if !counterWord(name) {
			return usagef("no option %q: min N, max N, ex MS", plain(name))
		}
		word, err := rest.next("what comes after " + name)
		if err != nil {
			return err
		}
		if name == "ex" {
			if err := once(o.TTLIfNew != 0, name); err != nil {
				return err
			}
			if o.TTLIfNew, err = parseDuration(word); err != nil {
				return err
			}
			if o.TTLIfNew <= 0 {
				return usagef("ex %s is not positive", plain(word))
			}
			continue
		}
		bound := &o.LowerBound
		if name == "max" {
			bound = &o.UpperBound
		}
		if err := once(*bound != nil, name); err != nil {
			return err
		}
		v, err := parseValue(word, t)
		if err != nil {
			return err
		}
		*bound = &v
	}
	return nil
}

func newAppend(s *session) *cobra.Command {
	u := &updating{do: (*client.KV).Append, word: "appended", silent: true}
	cmd := &cobra.Command{
		Use:   "append KEY VALUE",
		Short: "Put bytes or text behind the value of a key",
		Long: `Put bytes or text behind the value of a key, which stays of its type; a missing key gets
the value as it is.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, word, err := keyAndValue(args)
			if err != nil {
				return err
			}
			t, err := client.ParseType(u.typ)
			if err != nil {
				return err
			}
			v, err := parseValue(word, t)
			if err != nil {
				return err
			}
			return u.run(cmd, s, key, v, client.UpdateOptions{})
		},
	}
	u.flags(cmd, "bytes", "of the value: bytes or string")
	return s.completesKeys(cmd)
}

func keyAndValue(args []string) (key, word string, err error) {
	rest := &words{args}
	if key, err = rest.key(); err != nil {
		return "", "", err
	}
	if word, err = rest.next("the value"); err != nil {
		return "", "", err
	}
	return key, word, rest.done()
}

func newMax(s *session) *cobra.Command {
	u := &updating{do: (*client.KV).Max, word: "updated", otherwise: "kept"}
	return s.keeper(u, "max", "larger")
}

func newMin(s *session) *cobra.Command {
	u := &updating{do: (*client.KV).Min, word: "updated", otherwise: "kept"}
	return s.keeper(u, "min", "smaller")
}

func (s *session) keeper(u *updating, name, which string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   name + " KEY VALUE",
		Short: "Keep the " + which + " of the value that is there and another one",
		Long: "Keep the " + which + ` of the value that is there and another one, and say which it is:
r2 70 5ms. Nothing is written if that is what is there. A missing key gets the value. It is a
number, unless --type says otherwise.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, word, err := keyAndValue(args)
			if err != nil {
				return err
			}
			v, err := parseNumber(word, u.typ)
			if err != nil {
				return err
			}
			return u.run(cmd, s, key, v, client.UpdateOptions{})
		},
	}
	u.flags(cmd, "", "int, float, bytes or string; default: the number that VALUE looks like")
	return s.completesKeys(cmd)
}
