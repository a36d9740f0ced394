package workload

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/jepsen/history"
)

// answer is what one attempt at a plan was told so far.
type answer struct {
	mops []history.Mop
	ts   client.Timestamp // 0: nobody told
	// late finds ts out by some DBs where the end of the operation did not tell it; nil: it is
	// there. Those of the operation may have been hung up since.
	late func([]*client.DB) client.Timestamp
	seen map[string]sight // keys that were read
	rows map[string]map[string]int64
	// wrote is a key of the store that was written, empty if there is none.
	wrote string
	// odd is what cannot be of a transaction that commits. A pessimistic one that has lost its
	// locks may be told anything until then.
	odd error
}

// sight is a key as it was seen.
type sight struct {
	found    bool
	n        int64
	list     []int64
	revision int64
}

// contradiction is an answer that cannot be, whatever else happens.
type contradiction struct{ what string }

func (c *contradiction) Error() string { return c.what }

func contradicts(format string, args ...any) error {
	return &contradiction{fmt.Sprintf(format, args...)}
}

// suspect notes what cannot be if this commits.
func (a *answer) suspect(format string, args ...any) {
	if a.odd == nil {
		a.odd = contradicts(format, args...)
	}
}

// conditional is asked about a write that the store has carried out on a condition, once what
// was there before is known: it must be what the condition demands.
func (a *answer) conditional(p *plan) {
	if p.permits != nil && !p.permits(a) {
		a.suspect("a write was done although its condition did not hold: before it there was %v", a.mops)
	}
}

func newAnswer() answer {
	return answer{seen: map[string]sight{}, rows: map[string]map[string]int64{}}
}

// got takes the answer to a get.
func (a *answer) got(key string, e client.Entry) error {
	m := history.Mop{Kind: history.Read, Key: key, Known: true, Missing: !e.Found()}
	if e.Found() {
		switch e.Value.Type {
		case client.TypeInt:
			m.N = e.Value.Int()
		case client.TypeString:
			var err error
			if m.List, err = parseList(string(e.Value.Data)); err != nil {
				return contradicts("%s is no list: %v", key, err)
			}
			m.Listed = true
		default:
			return contradicts("%s is of type %v", key, e.Value.Type)
		}
	}
	a.mops = append(a.mops, m)
	a.seen[key] = sight{found: e.Found(), n: m.N, list: m.List, revision: e.Revision}
	return nil
}

// scanned takes the entries of a whole range.
func (a *answer) scanned(name string, entries []client.Entry) error {
	rows := make(map[string]int64, len(entries))
	for i := range entries {
		e := &entries[i]
		if len(e.Key) < 2 || !strings.HasPrefix(named(e.Key), name+"/") {
			return contradicts("a scan of %s has the key %q", name, e.Key)
		}
		if _, twice := rows[named(e.Key)]; twice {
			return contradicts("a scan of %s has the key %q twice", name, e.Key)
		}
		if !e.Found() || e.Value.Type != client.TypeInt {
			return contradicts("a scan of %s has %q at revision %d, of type %v", name, e.Key,
				e.Revision, e.Value.Type)
		}
		rows[named(e.Key)] = e.Value.Int()
	}
	a.mops = append(a.mops, history.Mop{Kind: history.Scan, Key: name, Known: true, Rows: rows})
	a.rows[name] = rows
	return nil
}

// put takes the answer to a set that was to do mop. One that was not done is a
// read of what was in the way.
func (a *answer) put(l layout, mop *history.Mop, r *client.SetResult) error {
	if r.Set {
		if mop.Kind == history.Insert && r.PrevRevision >= 0 {
			a.suspect("%s was inserted over revision %d", mop.Key, r.PrevRevision)
		}
		a.done(l, r.CommitTS, *mop)
		return nil
	}
	if r.Revision >= 0 && r.Prev == nil {
		return contradicts("a set of %s found revision %d, and does not show it", mop.Key, r.Revision)
	}
	if r.Prev == nil {
		return a.got(mop.Key, client.Entry{Revision: r.Revision})
	}
	return a.got(mop.Key, *r.Prev)
}

// added takes the answer to an increment.
func (a *answer) added(l layout, s *step, r *client.UpdateResult) error {
	n := int64(0)
	if r.Value.Type == client.TypeInt {
		n = r.Value.Int()
	} else if r.Updated || r.Revision >= 0 {
		return contradicts("%s was increased and is of type %v", s.key, r.Value.Type)
	}
	read := history.Mop{Kind: history.Read, Key: s.key, Known: true, N: n, Missing: r.Revision < 0}
	if !r.Updated {
		a.mops = append(a.mops, read)
		return nil
	}
	if s.floor != nil && n < *s.floor {
		a.suspect("%s came to %d, and %d is the least that was allowed", s.key, n, *s.floor)
	}
	read.N, read.Missing = n-s.delta, r.PrevRevision < 0
	a.mops = append(a.mops, read)
	a.done(l, r.CommitTS, written(history.Write, s.key, n))
	return nil
}

// appended takes the answer to an append.
func (a *answer) appended(l layout, s *step, r *client.UpdateResult) error {
	if !r.Updated {
		return contradicts("an append to %s without condition was not done", s.key)
	}
	a.done(l, r.CommitTS, written(history.Append, s.key, s.n))
	return nil
}

// removed takes the answer to a delete. One of a missing key is a read of it.
func (a *answer) removed(l layout, s *step, r *client.DeleteResult) error {
	switch {
	case r.Deleted:
		a.done(l, r.CommitTS, written(history.Delete, s.key, 0))
		return nil
	case r.Revision >= 0:
		return contradicts("a delete of %s without condition left revision %d", s.key, r.Revision)
	}
	return a.got(s.key, client.Entry{Revision: r.Revision})
}

// cleaned takes the answer to a DeleteRange.
func (a *answer) cleaned(l layout, s *step, r *client.DeleteRangeResult) error {
	if r.Count != int64(len(s.keys)) {
		a.suspect("DeleteRange of %s removed %d keys, not the %d that were there: %v",
			s.key, r.Count, len(s.keys), s.keys)
	}
	a.done(l, r.CommitTS, s.removals()...)
	if r.CommitTS != 0 {
		a.ts = r.CommitTS
	}
	return nil
}

// done notes what was written, and when if that is known already.
func (a *answer) done(l layout, at client.Timestamp, mops ...history.Mop) {
	a.mops = append(a.mops, mops...)
	if len(mops) > 0 && a.wrote == "" {
		a.wrote = l.store(mops[0].Key)
	}
	a.ts = max(a.ts, at)
}

// A list is stored as text, with a blank behind each element.

func listValue(list ...int64) client.Value {
	var b strings.Builder
	for _, n := range list {
		b.WriteString(strconv.FormatInt(n, 10))
		b.WriteByte(' ')
	}
	return client.StringValue(b.String())
}

func parseList(text string) ([]int64, error) {
	if text != "" && !strings.HasSuffix(text, " ") {
		return nil, fmt.Errorf("%q is cut", text)
	}
	list := []int64{}
	for part := range strings.FieldsSeq(text) {
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, nil
}

// extended is list and one more, of an array of its own.
func extended(list []int64, n int64) []int64 { return append(slices.Clone(list), n) }
