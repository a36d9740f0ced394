package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cairnkv/cairn/client"
)

// protected marks an argument that looks like a flag and is none. No argument of a process
// contains it.
const protected = "\x00"

// protectNumbers marks arguments that begin with - and a digit, unless they
// are the value of the flag before.
func protectNumbers(root *cobra.Command, args []string) []string {
	cmd, _, err := root.Find(args)
	if err != nil {
		cmd = root
	}
	out := make([]string, len(args))
	for i, arg := range args {
		number := len(arg) > 1 && arg[0] == '-' && arg[1] >= '0' && arg[1] <= '9'
		if number && (i == 0 || !takesValue(cmd, args[i-1])) {
			arg = protected + arg
		}
		out[i] = arg
	}
	return out
}

// takesValue reports whether arg is a flag whose value is the next argument.
func takesValue(cmd *cobra.Command, arg string) bool {
	var f *pflag.Flag
	if name, ok := strings.CutPrefix(arg, "--"); ok {
		if f = cmd.Flag(name); f == nil {
			f = cmd.InheritedFlags().Lookup(name)
		}
	} else if len(arg) == 2 && arg[0] == '-' {
		if f = cmd.Flags().ShorthandLookup(arg[1:]); f == nil {
			f = cmd.InheritedFlags().ShorthandLookup(arg[1:])
		}
	}
	return f != nil && f.NoOptDefVal == ""
}

// plain is the argument as it was typed.
func plain(arg string) string { return strings.TrimPrefix(arg, protected) }

// unquote is the bytes that an argument stands for.
func unquote(arg string) (string, error) {
	arg = plain(arg)
	if len(arg) < 2 || arg[0] != '"' || arg[len(arg)-1] != '"' {
		return arg, nil
	}
	s, err := strconv.Unquote(arg)
	if err != nil {
		return "", usagef("%s is in double quotes and is no Go string literal", arg)
	}
	return s, nil
}

// quoteKey writes a key as an argument would be typed: quoted only where it must be.
func quoteKey(key string) string {
	if strings.ContainsFunc(key, unicode.IsSpace) {
		return strconv.Quote(key)
	}
	return quoteText(key)
}

// quoteText quotes what would not come back: nothing at all, what is not
// printable, what is quoted already, and spaces at the ends.
func quoteText(s string) string {
	must := s == "" || s[0] == '"' || !utf8.ValidString(s) || strings.TrimSpace(s) != s ||
		strings.ContainsFunc(s, unprintable)
	if must {
		return strconv.Quote(s)
	}
	return s
}

func unprintable(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }

// oneLine keeps messages on one line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' '
		}
		return r
	}, s)
}

// parseDuration takes bare milliseconds, or 30s, 5m.
func parseDuration(s string) (time.Duration, error) {
	s = plain(s)
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		if d := time.Duration(ms) * time.Millisecond; d.Milliseconds() == ms {
			return d, nil
		}
		return 0, usagef("%s ms is more than can be counted", s)
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, usagef("%q is no duration: milliseconds, or 30s, 5m", s)
	}
	return d, nil
}

// parseTime takes a commit_ts, a time as in RFC 3339, or how long ago as in 5m.
func parseTime(s string, now time.Time) (client.Timestamp, error) {
	s = plain(s)
	if ts, err := strconv.ParseInt(s, 10, 64); err == nil {
		if ts <= 0 {
			return 0, usagef("commit_ts %d is not positive", ts)
		}
		return client.Timestamp(ts), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return client.Timestamp(t.UnixMicro()), nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return client.Timestamp(now.Add(-d).UnixMicro()), nil
	}
	return 0, usagef("%q is no time: a commit_ts, 2026-01-02T15:04:05Z, or 5m for 5m ago", s)
}

func parseRevision(s string) (int64, error) {
	n, err := strconv.ParseInt(plain(s), 10, 64)
	if err != nil {
		return 0, usagef("%q is no revision", plain(s))
	}
	return n, nil
}

// words are the arguments of a command that are left to read.
type words struct{ rest []string }

// next is the next word as typed; what says what is missing.
func (w *words) next(what string) (string, error) {
	if len(w.rest) == 0 {
		return "", usagef("%s is missing", what)
	}
	word := w.rest[0]
	w.rest = w.rest[1:]
	return word, nil
}

// key is the next word as the bytes of a key.
func (w *words) key() (string, error) {
	word, err := w.next("the key")
	if err != nil {
		return "", err
	}
	return unquote(word)
}

func (w *words) done() error {
	if len(w.rest) > 0 {
		return usagef("%q is one word too many", plain(w.rest[0]))
	}
	return nil
}

// once refuses options that were given twice or exclude each other.
func once(given bool, what string) error {
	if given {
		return usagef("%s is given twice or excludes another word", what)
	}
	return nil
}

// parseValue makes a value of a type out of a word. JSON is taken as it is
// typed, since there a string is in double quotes too.
func parseValue(word string, t client.Type) (client.Value, error) {
	if t == client.TypeJSON {
		return client.JSONValue([]byte(plain(word))), nil
	}
	s, err := unquote(word)
	if err != nil {
		return client.Value{}, err
	}
	bad := fmt.Errorf("%q is no %v", s, t)
	switch t {
	case client.TypeString:
		return client.StringValue(s), nil
	case client.TypeInt:
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return client.Value{}, &usageError{bad}
		}
		return client.IntValue(n), nil
	case client.TypeFloat:
		n, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return client.Value{}, &usageError{bad}
		}
		return client.FloatValue(n), nil
	case client.TypeBool:
		if s != "true" && s != "false" {
			return client.Value{}, &usageError{bad}
		}
		return client.BoolValue(s == "true"), nil
	case client.TypeNull:
		if s != "null" && s != "" {
			return client.Value{}, &usageError{bad}
		}
		return client.NullValue(), nil
	}
	return client.BytesValue([]byte(s)), nil
}
