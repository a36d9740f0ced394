package workload

import (
	"context"

	"github.com/cairnkv/cairn/client"
)

// program is p as one call.
func (p *plan) program() client.Program {
	var program client.Program
	for i := range p.steps {
		ops := p.steps[i].ops(p.layout)
		program.Then = append(program.Then, ops...)
		if p.guarded && !p.steps[i].writes() {
			program.Else = append(program.Else, ops...)
		}
	}
	if p.guarded {
		program.If = p.when
	}
	return program
}

func (s *step) ops(l layout) []client.Op {
	key := l.store(s.key)
	switch s.way {
	case get:
		return []client.Op{client.GetOp(key)}
	case scan:
		var ops []client.Op
		for _, prefix := range l.prefixes(s.key) {
			ops = append(ops, client.RangeOp(client.Prefix(prefix)))
		}
		return ops
	case put:
		return []client.Op{client.SetOp(key, client.IntValue(s.n), client.SetOptions{})}
	case create:
		o := client.SetOptions{If: client.Conditions{Absent: true}, ReturnPrev: true}
		return []client.Op{client.SetOp(key, client.IntValue(s.n), o)}
	case push:
		return []client.Op{client.AppendOp(key, listValue(s.n), client.UpdateOptions{})}
	case rewrite:
		list := listValue(extended(s.list, s.n)...)
		return []client.Op{client.SetOp(key, list, client.SetOptions{})}
	case add:
		return []client.Op{client.IncrementOp(key, client.IntValue(s.delta), s.updateOptions())}
	case remove:
		return []client.Op{client.DeleteOp(key, client.DeleteOptions{})}
	case clean:
		return []client.Op{client.DeleteRangeOp(l.whole(s.key), client.DeleteRangeOptions{})}
	}
	return nil
}

// takes is how many results belong to s.
func (s *step) takes(l layout) int {
	if s.way == scan {
		return len(l.prefixes(s.key))
	}
	return 1
}

func (s *step) take(l layout, a *answer, results []client.Result) error {
	r := &results[0]
	switch s.way {
	case get:
		return a.got(s.key, r.Get)
	case scan:
		var entries []client.Entry
		for i := range results {
			entries = append(entries, results[i].Entries...)
		}
		return a.scanned(s.key, entries)
	case put, create, rewrite:
		return a.put(l, &s.asked()[0], &r.Set)
	case push:
		return a.appended(l, s, &r.Update)
	case add:
		return a.added(l, s, &r.Update)
	case remove:
		return a.removed(l, s, &r.Delete)
	case clean:
		return a.cleaned(l, s, &r.DeleteRange)
	}
	return nil
}

// oneShot carries out p in one call.
func oneShot(ctx context.Context, db *client.DB, p *plan) (answer, error) {
	a := newAnswer()
	out, err := db.Execute(ctx, p.program())
	if err != nil {
		return a, err
	}
	if !out.Succeeded && !p.guarded {
		return a, contradicts("a one-shot without a condition was refused")
	}
	rest, asked := out.Results, !p.guarded
	for i := range p.steps {
		s := &p.steps[i]
		if s.writes() && !out.Succeeded {
			continue
		}
		if s.writes() && !asked {
			a.conditional(p)
			asked = true
		}
		n := s.takes(p.layout)
		if len(rest) < n {
			return a, contradicts("a one-shot has %d results, too few", len(out.Results))
		}
		if err := s.take(p.layout, &a, rest[:n]); err != nil {
			return a, err
		}
		rest = rest[n:]
	}
	a.ts = out.CommitTS
	return a, nil
}
