package conformance

import "strings"

// post is an operation with a body of its own.
func (s *Step) post() *HTTPRequest {
	o := s.body()
	path := "/" + s.Op
	switch s.Op {
	case "mget":
		path = "/batch/get"
	case "mset":
		path = "/batch/set"
	case "mdelete":
		path = "/batch/delete"
	case "execute":
		path = "/txn"
	}
	o.notes(s)
	return s.posted(path, o)
}

// body is the step as fields of the HTTP endpoint's JSON.
func (s *Step) body() *object {
	o := &object{}
	switch s.Op {
	case "mget", "mdelete":
		o.keys(s.Keys)
		o.flag("require_all", s.All)
	case "mset":
		var items []string
		for _, item := range s.Items {
			items = append(items, item.body().String())
		}
		o.raw("items", "["+strings.Join(items, ",")+"]")
		o.flag("require_all", s.All)
	case "execute":
		s.programBody(o)
	case "range", "count", "delete-range":
		o.selection(s.Select)
	case "revert":
		o.selection(s.Select)
	}
	if len(s.Keys) > 0 && s.Op != "mget" && s.Op != "mdelete" {
		o.key(s.Keys[0])
	}
	s.changes(o)
	if s.Limit != 0 {
		o.int("limit", s.Limit)
	}
	o.flag("reverse", s.Reverse)
	o.flag("keys_only", s.KeysOnly)
	o.flag("count_only", s.Op == "count")
	o.flag("dry_run", s.DryRun)
	if s.Revision != nil {
		o.int("revision", *s.Revision)
	}
	if s.AsOf != nil {
		o.int("as_of", s.AsOf.At)
	}
	return o
}

// changes are the fields of writes.
func (s *Step) changes(o *object) {
	switch {
	case s.Op == "increment":
		o.value("by", s.Value)
	case s.Value != nil:
		o.value("value", s.Value)
	}
	if s.Lower != nil {
		o.raw("lower_bound", ValueText(s.Lower))
	}
	if s.Upper != nil {
		o.raw("upper_bound", ValueText(s.Upper))
	}
	o.conditions(&s.If)
	if s.TTL != nil {
		name := "ttl_ms"
		if s.Op != "set" && s.Op != "extend" {
			name = "ttl_if_new_ms"
		}
		o.int(name, *s.TTL)
	}
	o.flag("keep_ttl", s.KeepTTL)
	o.flag("no_history", s.NoRev)
	o.flag("return_prev", s.Prev)
}

// op is the step as an operation of a transaction.
func (s *Step) op() string {
	o := &object{}
	if s.Keyspace != "" {
		o.string("keyspace", s.Keyspace)
	}
	name := strings.ReplaceAll(s.Op, "-", "_")
	if s.Op == "count" {
		name = "range"
	}
	body := s.body()
	if s.Eph {
		body.string("durability", "ephemeral")
	}
	o.raw(name, body.String())
	return o.String()
}

func (s *Step) programBody(o *object) {
	if s.Test != nil {
		o.raw("if", "["+s.Test.body()+"]")
	}
	branch := func(name string, steps []*Step) {
		var ops []string
		for _, step := range steps {
			ops = append(ops, step.op())
		}
		if len(ops) > 0 {
			o.raw(name, "["+strings.Join(ops, ",")+"]")
		}
	}
	branch("then", s.Then)
	branch("else", s.Else)
}

var relationNames = map[string]string{
	"=": "equal", "!=": "not_equal", "<": "less", "<=": "less_or_equal", ">": "greater",
	">=": "greater_or_equal",
}

// body is the test as JSON of the HTTP endpoint.
func (t *Test) body() string {
	var of []string
	for _, below := range t.Of {
		of = append(of, below.body())
	}
	o, test := &object{}, &object{}
	list := "[" + strings.Join(of, ",") + "]"
	switch t.Op {
	case "and":
		o.raw("all", list)
		return o.String()
	case "or":
		o.raw("any", list)
		return o.String()
	case "not":
		o.raw("not", of[0])
		return o.String()
	case "count":
		test.selection(t.Select)
		test.string("op", relationNames[t.Relation])
		test.int("n", t.Number)
		o.raw("count", test.String())
		return o.String()
	case "unchanged":
		test.selection(t.Select)
		test.int("since", t.Moment.At)
		o.raw("unchanged", test.String())
		return o.String()
	}
	test.key(t.Key)
	if t.Relation != "" {
		test.string("op", relationNames[t.Relation])
	}
	switch t.Op {
	case "value":
		test.value("value", t.Value)
	case "revision":
		test.int("revision", t.Number)
	case "commit_ts", "create_ts":
		test.int(t.Op, t.Moment.At)
	default:
		test.raw("exists", map[bool]string{true: "true", false: "false"}[t.Op == "exists"])
	}
	o.raw("compare", test.String())
	return o.String()
}
