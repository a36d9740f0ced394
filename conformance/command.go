package conformance

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cairnkv/cairn/txn"
)

// Command is a step as a command line of cairn.
type Command struct {
	Args  []string // behind the program's name
	Stdin string
}

// Command is the step as a command line, or says why there is none.
func (s *Step) Command() (c *Command, cannot string) {
	if cannot = s.noCommand(); cannot != "" {
		return nil, cannot
	}
	c = &Command{}
	if s.Keyspace != "" && s.Method() != "" && !strings.HasPrefix(s.Method(), "Keyspace") {
		c.add("--keyspace", s.Keyspace)
	}
	switch s.Op {
	case "get", "exists", "ttl":
		c.add(s.Op, word(s.Keys[0]))
		c.version(s)
	case "set", "delete", "append", "min", "max", "increment", "extend":
		c.write(s)
	case "mget", "mdelete":
		c.add(s.Op)
		for _, key := range s.Keys {
			c.add(word(key))
		}
		if s.AsOf != nil {
			c.add("--as-of", strconv.FormatInt(s.AsOf.At, 10))
		}
		c.flag("--require-all", s.All)
	case "mset":
		c.batch(s)
	case "execute":
		c.program(s)
	case "history":
		c.add("history", word(s.Keys[0]))
		c.limits(s)
	case "revert", "range", "count", "delete-range":
		c.many(s)
	default:
		c.keyspace(s)
	}
	c.flag("--ephemeral", s.Eph)
	if s.Message != "" {
		c.add("--message", s.Message)
	}
	return c, ""
}

// noCommand says why there is no command line for the step.
func (s *Step) noCommand() string {
	switch {
	case s.Tx != "":
		return "a command is a transaction of its own"
	case s.ID != "":
		return "commands draw their own request ids"
	case s.If.CommitTS != nil:
		return "no command has if_commit_ts"
	case s.Prev:
		return "no command asks for the replaced version"
	case s.Cursor != nil || s.Page != 0 || s.Op == "stream" || s.says("cur", "more", "end"):
		return "listings have no pages: they are read to the end"
	case s.Select != nil && (s.Select.By == "span" || s.Select.By == "bucket" && s.Op != "range"):
		return "commands select by prefix, glob and bucket"
	case s.Op == "delete-range" && s.Select == nil, s.Op == "execute" && s.Then == nil:
		return "a command has to say what it is about"
	case s.Value != nil && len(s.Value.Data) > 100_000:
		return "the value is too long for an argument"
	}
	if why := s.noWrite(); why != "" {
		return why
	}
	return s.noOperation()
}

// noWrite says why no command writes like this.
func (s *Step) noWrite() string {
	updates := s.Method() == "KVService/Update"
	switch {
	case updates && (!s.If.None() || s.KeepTTL || s.Op != "increment" && s.TTL != nil):
		return "commands that update have no conditions"
	case s.If.Absent && s.Op == "delete":
		return "a delete has no nx"
	case s.If.Value != nil && s.Value != nil && s.If.Value.Type != s.Value.Type:
		return "cmp compares with a value of the type that is written"
	case s.TTL != nil && *s.TTL <= 0 && s.Op != "extend":
		return "ex is positive"
	}
	for _, item := range s.Items {
		first := s.Items[0]
		if item.If != first.If || item.ttl() != first.ttl() || item.KeepTTL != first.KeepTTL {
			return "the options of mset are those of all keys"
		}
	}
	return ""
}

// noOperation says why the output does not tell the results of a transaction apart.
func (s *Step) noOperation() string {
	for _, step := range append(s.Then, s.Else...) {
		if step.Op == "range" || step.Op == "count" {
			return "the results of ranges are lines among others"
		}
	}
	return ""
}

func (s *Step) says(words ...string) bool {
	for _, c := range s.Want {
		for _, w := range words {
			if c.What == w {
				return true
			}
		}
	}
	return false
}

func (c *Command) add(words ...string) { c.Args = append(c.Args, words...) }

func (c *Command) flag(name string, yes bool) {
	if yes {
		c.add(name)
	}
}

// word is bytes as an argument: quoted where the shell or the program would not take them as they
// are.
func word(s string) string {
	plain := s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == '"' || r == '\\' || r > '~'
	})
	if plain && !strings.HasPrefix(s, "-") {
		return s
	}
	return strconv.Quote(s)
}

// argument is a value as an argument.
func argument(v *txn.Value) string {
	switch v.Type {
	case txn.Bytes, txn.String:
		return word(string(v.Data))
	case txn.JSON:
		return string(v.Data)
	}
	if text := ValueText(v); text != "-Infinity" {
		return text
	}
	return `"-Infinity"` // no flag
}

func (c *Command) version(s *Step) {
	if s.Revision != nil {
		c.add("at", strconv.FormatInt(*s.Revision, 10))
	}
	if s.AsOf != nil {
		c.add("as", "of", strconv.FormatInt(s.AsOf.At, 10))
	}
}

func (c *Command) limits(s *Step) {
	if s.Limit != 0 {
		c.add("--limit", strconv.FormatInt(s.Limit, 10))
	}
	c.flag("--reverse", s.Reverse)
	c.flag("--keys-only", s.KeysOnly)
}

func (c *Command) write(s *Step) {
	name := s.Op
	if name == "increment" {
		name = "incr"
	}
	c.add(name, word(s.Keys[0]))
	if s.Value != nil {
		c.add(argument(s.Value))
	}
	c.flag("nx", s.If.Absent)
	c.flag("xx", s.If.Present)
	if s.If.Value != nil {
		c.add("cmp", argument(s.If.Value))
	}
	if s.If.Revision != nil {
		c.add("cmprev", strconv.FormatInt(*s.If.Revision, 10))
	}
	if s.Lower != nil {
		c.add("min", ValueText(s.Lower))
	}
	if s.Upper != nil {
		c.add("max", ValueText(s.Upper))
	}
	switch {
	case s.Op == "extend":
		c.add(strconv.FormatInt(s.ttl(), 10))
	case s.TTL != nil:
		c.add("ex", strconv.FormatInt(*s.TTL, 10))
	}
	c.flag("keepttl", s.KeepTTL)
	c.flag("norev", s.NoRev && s.Op == "set")
	c.flag("--norev", s.NoRev && s.Op != "set")
	typed := s.Value
	if typed == nil {
		typed = s.If.Value
	}
	number := typed != nil && (typed.Type == txn.Int || typed.Type == txn.Float) && s.Op != "set"
	if typed != nil && typed.Type != txn.Bytes && !number {
		c.add("--type", typed.Type.String())
	}
}

// batch is an mset whose items are a list in JSON.
func (c *Command) batch(s *Step) {
	var items []string
	for _, item := range s.Items {
		o := &object{}
		o.key(item.Keys[0])
		o.value("value", item.Value)
		items = append(items, o.String())
	}
	c.add("mset", "--file", "-")
	c.Stdin = "[" + strings.Join(items, ",\n ") + "]"
	if len(s.Items) == 0 {
		return
	}
	first := s.Items[0]
	c.flag("--nx", first.If.Absent)
	c.flag("--xx", first.If.Present)
	if first.TTL != nil {
		c.add("--ex", strconv.FormatInt(*first.TTL, 10))
	}
	c.flag("--require-all", s.All)
}

// many is a command on all keys that something selects.
func (c *Command) many(s *Step) {
	switch {
	case s.Op == "range" && s.Select.By == "bucket":
		c.add("get", "by", "bucket", word(s.Select.Start))
	case s.Op == "range":
		c.add("scan", "by", "prefix", word(s.Select.Start))
	case s.Op == "delete-range":
		c.add("delete")
	default:
		c.add(s.Op)
	}
	if s.Op == "count" && s.Select.Glob != "" {
		c.add(word(s.Select.Glob))
	}
	if len(s.Keys) > 0 {
		c.add(word(s.Keys[0]))
	}
	c.version(s)
	if s.Select != nil && s.Op != "range" {
		c.add("--prefix", word(s.Select.Start))
	}
	if s.Select != nil && s.Op != "count" && s.Select.Glob != "" {
		c.add("--glob", word(s.Select.Glob))
	}
	c.limits(s)
	c.flag("--dry-run", s.DryRun)
}

// program is a transaction in the JSON of the HTTP endpoint.
func (c *Command) program(s *Step) {
	c.add("txn")
	c.Stdin = s.body().String()
}

func (c *Command) keyspace(s *Step) {
	verb := map[string]string{
		"make": "create", "change": "update", "drop": "delete", "keyspace": "status", "keyspaces": "list",
	}[s.Op]
	c.add("keyspace", verb)
	if s.Op != "keyspaces" {
		c.add(s.Keyspace)
	}
	for _, name := range optionNames {
		if n, ok := s.Options[name]; ok {
			c.add("--"+strings.ReplaceAll(name, "_", "-"), fmt.Sprint(n))
		}
	}
}

// String is the command line as it is typed into a shell.
func (c *Command) String() string {
	var b strings.Builder
	if c.Stdin != "" {
		b.WriteString("echo " + shell(c.Stdin) + " | ")
	}
	b.WriteString("cairn")
	for _, arg := range c.Args {
		b.WriteString(" " + shell(arg))
	}
	return b.String()
}

// shell quotes a word for a shell.
func shell(s string) string {
	safe := s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || strings.ContainsRune("\"'`$&|;<>()[]{}*?!#~\\^", r)
	})
	if safe {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
