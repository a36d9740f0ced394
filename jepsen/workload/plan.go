package workload

import (
	"slices"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/jepsen/history"
)

// plan is a transaction before it begins.
type plan struct {
	mode   mode
	layout layout
	steps  []step
	// permits says whether what is read before the first write lets the writes happen; without it
	// they always do. When is the same for a one-shot.
	permits func(a *answer) bool
	when    client.Condition
	guarded bool // there is a when
	// cas is the same for a plan of a get and a put of one key that one Set is to carry out.
	cas *client.Conditions
	// ended is told how it ended, if it is there.
	ended func(e *ending)
}

// ending is how a plan ended.
type ending struct {
	outcome history.Type
	answer  answer // of OK
	err     error
	db      *client.DB // that was asked
}

func (p *plan) writes() bool { return slices.ContainsFunc(p.steps, step.writes) }

// asked are the micro-operations of p with what is known before.
func (p *plan) asked() (mops []history.Mop) {
	for i := range p.steps {
		mops = append(mops, p.steps[i].asked()...)
	}
	return mops
}

// way is what a step does.
type way uint8

const (
	get     way = iota // [r key]
	scan               // [rp key], of a range
	put                // [w key n]
	create             // [insert key n], or nothing where it is there
	push               // [append key n] by the store's own append
	rewrite            // [append key n] by reading the list and writing all of it
	add                // [r key] [w key n], n being what it comes to
	remove             // [delete key]
	clean              // [delete …] for all of keys, which are those of a range
)

// step is a part of a plan. Its keys are those of the history.
type step struct {
	way   way
	key   string
	n     int64
	delta int64    // that add adds
	keys  []string // that clean removes
	list  []int64  // that rewrite finds, in a one-shot
	// floor is below what add must not go; nil: any value will do. Refused: it would.
	floor   *int64
	refused bool
}

func (s step) writes() bool { return s.way != get && s.way != scan && !s.refused }

func (s *step) asked() []history.Mop {
	switch s.way {
	case get:
		return []history.Mop{{Kind: history.Read, Key: s.key}}
	case scan:
		return []history.Mop{{Kind: history.Scan, Key: s.key}}
	case put:
		return []history.Mop{written(history.Write, s.key, s.n)}
	case create:
		return []history.Mop{written(history.Insert, s.key, s.n)}
	case push, rewrite:
		return []history.Mop{written(history.Append, s.key, s.n)}
	case add:
		mops := []history.Mop{{Kind: history.Read, Key: s.key}, written(history.Write, s.key, s.n)}
		if s.refused {
			return mops[:1]
		}
		return mops
	case remove:
		return []history.Mop{written(history.Delete, s.key, 0)}
	case clean:
		return s.removals()
	}
	return nil
}

// removals are what clean does.
func (s *step) removals() []history.Mop {
	mops := make([]history.Mop, len(s.keys))
	for i, key := range s.keys {
		mops[i] = written(history.Delete, key, 0)
	}
	return mops
}

func written(kind history.Kind, key string, n int64) history.Mop {
	return history.Mop{Kind: kind, Key: key, N: n, Known: true}
}
