package sim

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cairnkv/cairn/txn"
)

// The direct checks look at what the classic workloads promise: in what
// clients were shown, and in the versions that are left. They know of neither
// the model nor the order in which it is replayed, so that a hole there does
// not hide a bug; and what they say is easier to understand.

// checkDirectly is all of them.
func checkDirectly(h *History) error {
	if h.classics == nil {
		return nil
	}
	for _, check := range []func(*History) error{
		checkLists, checkBank, checkPairs, checkRooms, checkMarks,
	} {
		if err := check(h); err != nil {
			return err
		}
	}
	return nil
}

// shown is one value that a client was shown.
type shown struct {
	key txn.Key
	v   txn.Version // zero: it is missing
}

// reads are all single values that op was shown, in order, but those that it
// had written itself before.
func (o *Op) reads() []shown {
	var all []shown
	if g := o.Get; g != nil && g.Read.Revision == nil {
		for i := range g.Versions {
			all = append(all, shown{g.Read.Keys[i], g.Versions[i]})
		}
	}
	for _, s := range o.Scans {
		if s.Page != nil && !s.Scan.KeysOnly {
			all = appendEntries(all, s.Page.Entries)
		}
	}
	wrote := map[string]bool{}
	o.eachStep(func(op *txn.Op, res *txn.Result) {
		switch {
		case op.Kind == txn.OpGet && !op.KeysOnly && !wrote[string(op.Key)]:
			all = append(all, shown{op.Key, res.Entry.Version})
		case op.Kind == txn.OpRange && !op.KeysOnly && len(wrote) == 0:
			all = appendEntries(all, res.Entries)
		case op.Writes():
			wrote[string(op.Key)] = true
		}
	})
	return all
}

func appendEntries(all []shown, entries []txn.Entry) []shown {
	for i := range entries {
		all = append(all, shown{entries[i].Key, entries[i].Version})
	}
	return all
}

// eachStep calls f with each operation of a transaction that was answered.
func (o *Op) eachStep(f func(op *txn.Op, res *txn.Result)) {
	if o.Txn != nil {
		for i := range o.Txn.Steps {
			f(&o.Txn.Steps[i].Op, &o.Txn.Steps[i].Result)
		}
	}
	if e := o.Program; e != nil && e.Result != nil {
		ops := e.Program.Else
		if e.Result.Succeeded {
			ops = e.Program.Then
		}
		for i := range ops {
			f(&ops[i], &e.Result.Results[i])
		}
	}
}

// together is what op was shown of keys, if of all of them and if it
// committed: that was so at one moment.
func (o *Op) together(keys []txn.Key) ([]txn.Version, bool) {
	state, all := o.readAll(keys)
	return state, all && o.Outcome == Committed
}

// readAll is what op was shown of keys, if of all of them: by gets, or by all
// of a range that they are in.
func (o *Op) readAll(keys []txn.Key) ([]txn.Version, bool) {
	found := map[string]txn.Version{}
	for _, s := range o.reads() {
		found[string(s.key)] = s.v
	}
	all := make([]txn.Version, len(keys))
	for i, key := range keys {
		v, ok := found[string(key)]
		if !ok && !o.covers(key) {
			return nil, false
		}
		all[i] = v
	}
	return all, true
}

// covers reports whether op read all of a range with key in it.
func (o *Op) covers(key txn.Key) bool {
	if n := len(o.Scans); n > 0 {
		last := o.Scans[n-1].Page
		return last != nil && !last.More && o.Scans[0].Scan.Span.Contains(key) &&
			!o.Scans[0].Scan.KeysOnly
	}
	covers := false
	o.eachStep(func(op *txn.Op, _ *txn.Result) {
		covers = covers || op.Kind == txn.OpRange && op.Limit == 0 && !op.KeysOnly &&
			!op.CountOnly && op.Span.Contains(key)
	})
	return covers
}

// eachState calls f with what there was of keys after each commit that wrote
// one of them; zero for what was missing.
func (h *History) eachState(
	keys []txn.Key, f func(at txn.Timestamp, state []txn.Version) error,
) error {
	var times []txn.Timestamp
	for _, key := range keys {
		for _, v := range h.Final[string(key)] {
			times = append(times, v.TS)
		}
	}
	slices.Sort(times)
	state := make([]txn.Version, len(keys))
	for _, at := range slices.Compact(times) {
		for i, key := range keys {
			state[i] = txn.Version{}
			all := h.Final[string(key)]
			n, exact := slices.BinarySearchFunc(all, at, func(v txn.Version, at txn.Timestamp) int {
				return cmp.Compare(v.TS, at)
			})
			if exact {
				n++
			}
			if n > 0 && lives(&all[n-1], at) {
				state[i] = all[n-1]
			}
		}
		if err := f(at, state); err != nil {
			return err
		}
	}
	return nil
}

func tellState(keys []txn.Key, state []txn.Version) string {
	var s string
	for i := range keys {
		s += fmt.Sprintf(" %v %s", keys[i], tellVersion(&state[i]))
	}
	return s
}
