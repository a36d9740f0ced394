package conformance

import (
	"fmt"
	"strconv"
	"strings"
)

// goProgram is a one-shot transaction for the Go SDK.
func (s *Step) goProgram() string {
	var f goFields
	if s.Test != nil {
		f.add("\n\tIf", s.Test.goText())
	}
	branch := func(name string, steps []*Step) {
		var ops []string
		for _, step := range steps {
			ops = append(ops, step.goOp())
		}
		if len(ops) > 0 {
			f.add("\n\t"+name, "[]client.Op{"+strings.Join(ops, ", ")+"}")
		}
	}
	branch("Then", s.Then)
	branch("Else", s.Else)
	f.text("\n\tRequestID", s.ID)
	f.text("\n\tMessage", s.Message)
	if len(f) == 0 {
		return "client.Program{}"
	}
	return "client.Program{" + strings.Join(f, ",") + ",\n}"
}

// goOp is the step as an operation of a program: its verb and arguments, but for the context.
func (s *Step) goOp() string {
	name := goVerbs[s.Op] + "Op"
	if s.Op == "range" {
		name = "RangeOp"
	}
	args := strings.TrimPrefix(strings.TrimPrefix(s.goArguments(), "ctx"), ", ")
	op := "client." + name + "(" + args + ")"
	if s.Keyspace != "" {
		op += ".In(" + strconv.Quote(s.Keyspace) + ")"
	}
	return op
}

var goRelations = map[string]string{
	"=": "client.Equal", "!=": "client.NotEqual", "<": "client.Less", "<=": "client.LessOrEqual",
	">": "client.Greater", ">=": "client.GreaterOrEqual",
}

// goText is the test as a condition of the Go SDK.
func (t *Test) goText() string {
	var of []string
	for _, below := range t.Of {
		of = append(of, below.goText())
	}
	list, key, is := strings.Join(of, ", "), strconv.Quote(t.Key), goRelations[t.Relation]
	selected, _ := (&Step{Select: t.Select}).goRange()
	switch t.Op {
	case "and":
		return "client.AllOf(" + list + ")"
	case "or":
		return "client.AnyOf(" + list + ")"
	case "not":
		return "client.Not(" + list + ")"
	case "exists":
		return "client.KeyExists(" + key + ")"
	case "missing":
		return "client.KeyMissing(" + key + ")"
	case "value":
		return fmt.Sprintf("client.ValueIs(%s, %s, %s)", key, is, goValue(t.Value))
	case "revision":
		return fmt.Sprintf("client.RevisionIs(%s, %s, %d)", key, is, t.Number)
	case "commit_ts":
		return fmt.Sprintf("client.CommitTSIs(%s, %s, %d)", key, is, t.Moment.At)
	case "create_ts":
		return fmt.Sprintf("client.CreateTSIs(%s, %s, %d)", key, is, t.Moment.At)
	case "count":
		return fmt.Sprintf("client.CountIs(%s, %s, %d)", selected, is, t.Number)
	}
	return fmt.Sprintf("client.UnchangedSince(%s, %d)", selected, t.Moment.At)
}
