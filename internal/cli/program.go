package cli

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/cairnkv/cairn/client"
)

// operation is one of a transaction, as far as its answer needs to be told.
type operation struct {
	name, key string
	valueless bool // its answer has no value, though others of its kind have one
}

// programText is a transaction in the JSON that POST /v1/txn takes. Its conditions are about the
// keyspace of the command.
type programText struct {
	If        []testText `json:"if"`
	Then      []opText   `json:"then"`
	Else      []opText   `json:"else"`
	RequestID string     `json:"request_id"`
	Message   string     `json:"message"`
}

// parsed is a transaction that can be run, and what its branches are made of.
type parsed struct {
	client.Program
	then, otherwise []operation
}

// strictly refuses what POST /v1/txn refuses: what is not known or named twice, text that is not
// UTF-8, and what comes behind the end.
func strictly(text []byte, into any) error {
	if err := json.Unmarshal(text, into, json.RejectUnknownMembers(true)); err != nil {
		return usagef("that is no transaction in JSON: %w", err)
	}
	return nil
}

func parseProgram(text []byte) (p parsed, err error) {
	var in programText
	if err := strictly(text, &in); err != nil {
		return p, err
	}
	p.RequestID, p.Message = in.RequestID, in.Message
	tests := make([]client.Condition, len(in.If))
	for i := range in.If {
		if tests[i], err = in.If[i].condition(); err != nil {
			return p, usagef("if, test %d: %w", i+1, err)
		}
	}
	if len(tests) > 0 {
		p.If = client.AllOf(tests...)
	}
	if p.Then, p.then, err = branch("then", in.Then); err != nil {
		return p, err
	}
	p.Else, p.otherwise, err = branch("else", in.Else)
	return p, err
}

func branch(name string, in []opText) (ops []client.Op, told []operation, err error) {
	for i := range in {
		op, what, err := in[i].op()
		if err != nil {
			return nil, nil, usagef("%s, operation %d: %w", name, i+1, err)
		}
		ops, told = append(ops, op), append(told, what)
	}
	return ops, told, nil
}

// opText is an operation under its name, perhaps with a keyspace of its own.
type opText map[string]jsontext.Value

const keyspaceName = "keyspace"

// keyspace cuts the keyspace out, and reports whether there was one.
func (o opText) keyspace() (name string, given bool, err error) {
	text, given := o[keyspaceName]
	if delete(o, keyspaceName); given {
		err = strictly(text, &name)
	}
	return name, given, err
}

// op makes an operation of the fields that its kind has.
func (o opText) op() (op client.Op, what operation, err error) {
	keyspace, given, err := o.keyspace()
	if err != nil {
		return op, what, err
	}
	if op, what, err = o.named(); err == nil && given {
		op = op.In(keyspace)
	}
	return op, what, err
}

func (o opText) named() (op client.Op, what operation, err error) {
	if len(o) != 1 {
		return op, what, usagef("an operation has exactly one name, not %d", len(o))
	}
	var text jsontext.Value
	for what.name, text = range o {
	}
	switch what.name {
	case "get", "exists", "ttl":
		return readText(what, text)
	case "set", "delete", "extend":
		return writeText(what, text)
	case "increment", "append", "min", "max":
		return updateText(what, text)
	case "range", "delete_range", "revert":
		return rangeText(what, text)
	}
	return op, what, usagef("no operation %q: get, exists, ttl, set, delete, extend, increment, "+
		"append, min, max, range, delete_range, revert", what.name)
}

type keyText struct {
	Key         string `json:"key"`
	KeyEncoding string `json:"key_encoding"`
}

func (k *keyText) bytes() (string, error) {
	b, err := decoded(k.Key, k.KeyEncoding)
	return string(b), err
}

func readText(what operation, text []byte) (op client.Op, _ operation, err error) {
	var in keyText
	if err = strictly(text, &in); err == nil {
		what.key, err = in.bytes()
	}
	switch what.name {
	case "get":
		op = client.GetOp(what.key)
	case "exists":
		op = client.ExistsOp(what.key)
	default:
		op = client.TTLOp(what.key)
	}
	return op, what, err
}

// valueIn is a value as it is printed; without a type it has the one that it looks like.
type valueIn struct {
	Value    jsontext.Value `json:"value"`
	Type     string         `json:"type"`
	Encoding string         `json:"encoding"`
}

func (v *valueIn) value() (client.Value, error) {
	e := printed{Type: v.Type, Encoding: v.Encoding, Value: v.Value}
	if e.Type == "" && e.Encoding != "" {
		e.Type = client.TypeBytes.String()
	}
	return e.value()
}

// whenText are the conditions of a write.
type whenText struct {
	IfAbsent   bool     `json:"if_absent"`
	IfPresent  bool     `json:"if_present"`
	IfValue    *valueIn `json:"if_value"`
	IfRevision *int64   `json:"if_revision"`
	IfCommitTS int64    `json:"if_commit_ts"`
}

func (w *whenText) conditions() (c client.Conditions, err error) {
	c.Absent, c.Present, c.Revision = w.IfAbsent, w.IfPresent, w.IfRevision
	c.CommitTS = client.Timestamp(w.IfCommitTS)
	if w.IfValue != nil {
		v, err := w.IfValue.value()
		if err != nil {
			return c, err
		}
		c.Value = &v
	}
	return c, nil
}

type writeIn struct {
	keyText
	valueIn
	whenText
	TTLMS     *int64 `json:"ttl_ms"`
	KeepTTL   bool   `json:"keep_ttl"`
	NoHistory bool   `json:"no_history"`
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func writeText(what operation, text []byte) (op client.Op, _ operation, err error) {
	var in writeIn
	if err := strictly(text, &in); err != nil {
		return op, what, err
	}
	if what.key, err = in.bytes(); err != nil {
		return op, what, err
	}
	if in.TTLMS == nil {
		if what.name == "extend" {
			return op, what, usagef("ttl_ms is missing; 0 lets the key live for ever")
		}
		in.TTLMS = new(int64)
	}
	cond, err := in.conditions()
	if err != nil {
		return op, what, err
	}
	switch what.name {
	case "delete":
		return client.DeleteOp(what.key, client.DeleteOptions{If: cond}), what, nil
	case "extend":
		return client.ExtendOp(what.key, milliseconds(*in.TTLMS)), what, nil
	}
	v, err := in.value()
	return client.SetOp(what.key, v, client.SetOptions{
		If: cond, TTL: milliseconds(*in.TTLMS), KeepTTL: in.KeepTTL, NoHistory: in.NoHistory,
	}), what, err
}

type updateIn struct {
	keyText
	valueIn
	whenText
	By         jsontext.Value `json:"by"`
	LowerBound jsontext.Value `json:"lower_bound"`
	UpperBound jsontext.Value `json:"upper_bound"`
	TTLIfNewMS int64          `json:"ttl_if_new_ms"`
	NoHistory  bool           `json:"no_history"`
}

func updateText(what operation, text []byte) (op client.Op, _ operation, err error) {
	var in updateIn
	if err := strictly(text, &in); err != nil {
		return op, what, err
	}
	if what.key, err = in.bytes(); err != nil {
		return op, what, err
	}
	if what.name == "increment" {
		in.Value = in.By
	}
	v, err := in.value()
	if err != nil {
		return op, what, err
	}
	o := client.UpdateOptions{TTLIfNew: milliseconds(in.TTLIfNewMS), NoHistory: in.NoHistory}
	if o.If, err = in.conditions(); err != nil {
		return op, what, err
	}
	for _, bound := range []struct {
		text jsontext.Value
		into **client.Value
	}{{in.LowerBound, &o.LowerBound}, {in.UpperBound, &o.UpperBound}} {
		if bound.text == nil {
			continue
		}
		b, err := (&valueIn{Value: bound.text, Type: v.Type.String()}).value()
		if err != nil {
			return op, what, err
		}
		*bound.into = &b
	}
	switch what.name {
	case "increment":
		return client.IncrementOp(what.key, v, o), what, nil
	case "append":
		what.valueless = true
		return client.AppendOp(what.key, v, o), what, nil
	case "min":
		return client.MinOp(what.key, v, o), what, nil
	}
	return client.MaxOp(what.key, v, o), what, nil
}

// selectText is what a range sees; nothing is everything.
type selectText struct {
	Prefix      *string `json:"prefix"`
	Start       *string `json:"start"`
	End         *string `json:"end"`
	Bucket      *string `json:"bucket"`
	Glob        *string `json:"glob"`
	KeyEncoding string  `json:"key_encoding"` // of all of them
}

// keys also says whether anything was said.
func (s *selectText) keys() (r client.Range, given bool, err error) {
	text := func(in *string) string {
		if in == nil || err != nil {
			return ""
		}
		given = true
		var b []byte
		b, err = decoded(*in, s.KeyEncoding)
		return string(b)
	}
	span := s.Start != nil || s.End != nil
	switch {
	case s.Prefix != nil && (span || s.Bucket != nil), s.Bucket != nil && span:
		return r, true, usagef("prefix, bucket, and start with end exclude each other")
	case s.Bucket != nil:
		r = client.Bucket(text(s.Bucket))
	case span:
		r = client.Span(text(s.Start), text(s.End))
	default:
		r = client.Prefix(text(s.Prefix))
	}
	r.Glob = text(s.Glob)
	return r, given, err
}

type rangeIn struct {
	selectText
	Key      *string        `json:"key"`
	Limit    int64          `json:"limit"`
	Reverse  bool           `json:"reverse"`
	KeysOnly bool           `json:"keys_only"`
	DryRun   bool           `json:"dry_run"`
	Revision *int64         `json:"revision"`
	AsOf     jsontext.Value `json:"as_of"`
}

func rangeText(what operation, text []byte) (op client.Op, _ operation, err error) {
	var in rangeIn
	if err := strictly(text, &in); err != nil {
		return op, what, err
	}
	r, given, err := in.keys()
	if err != nil {
		return op, what, err
	}
	switch what.name {
	case "range":
		what.valueless = in.KeysOnly
		r.Limit, r.Reverse, r.KeysOnly = in.Limit, in.Reverse, in.KeysOnly
		return client.RangeOp(r), what, nil
	case "delete_range":
		if !given {
			return op, what, usagef(`nothing says which keys are meant; "prefix": "" is all`)
		}
		return client.DeleteRangeOp(r, client.DeleteRangeOptions{DryRun: in.DryRun}), what, nil
	}
	return in.revert(what, r, given)
}

func (i *rangeIn) revert(
	what operation, r client.Range, given bool,
) (op client.Op, _ operation, err error) {
	var at client.Timestamp
	if i.AsOf != nil {
		if at, err = parseTime(strings.Trim(string(i.AsOf), `"`), time.Now()); err != nil {
			return op, what, err
		}
	}
	if (i.Key == nil) != given || (i.Revision == nil) == (at == 0) {
		return op, what, usagef("a revert has a key or a selection, and a revision or as_of")
	}
	o := client.RevertOptions{DryRun: i.DryRun}
	if i.Key == nil {
		if i.Revision != nil {
			return op, what, usagef("a revision is one key's; many go back to a time")
		}
		return client.RevertRangeOp(r, at, o), what, nil
	}
	key, err := decoded(*i.Key, i.KeyEncoding)
	what.key = string(key)
	to := client.AsOf(at)
	if i.Revision != nil {
		to = client.AtRevision(*i.Revision)
	}
	return client.RevertOp(what.key, to, o), what, err
}
