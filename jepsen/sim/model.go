package sim

import (
	"cmp"
	"slices"

	"github.com/cairnkv/cairn/txn"
)

// model is the plain truth: every version of every key. What operations mean
// is spelled out here a second time, so that the product is not measured by
// its own code.
type model struct {
	versions map[string][]txn.Version // ascending
	keys     []string                 // sorted
}

func newModel() *model { return &model{versions: map[string][]txn.Version{}} }

func (m *model) add(key txn.Key, v txn.Version) {
	k := string(key)
	if _, ok := m.versions[k]; !ok {
		at, _ := slices.BinarySearch(m.keys, k)
		m.keys = slices.Insert(m.keys, at, k)
	}
	m.versions[k] = append(m.versions[k], v)
}

// at is the newest version of key at or below ts; zero if there is none.
func (m *model) at(key txn.Key, ts txn.Timestamp) txn.Version {
	all := m.versions[string(key)]
	n, found := slices.BinarySearchFunc(all, ts, func(v txn.Version, ts txn.Timestamp) int {
		return cmp.Compare(v.TS, ts)
	})
	if found {
		return all[n]
	}
	if n == 0 {
		return txn.Version{}
	}
	return all[n-1]
}

// withRevision is the newest version that history shows at ts of a revision.
func (m *model) withRevision(key txn.Key, rev int64, ts txn.Timestamp) txn.Version {
	for _, v := range m.past(key, ts) {
		if v.Revision == rev {
			return v
		}
	}
	return txn.Version{}
}

// past is the history of key at ts, newest first: a set without history takes what
// it replaces out of it, with the extensions of that.
func (m *model) past(key txn.Key, ts txn.Timestamp) []txn.Version {
	var out []txn.Version
	for _, v := range m.versions[string(key)] {
		if v.TS > ts {
			break
		}
		if n := len(out); n > 0 && v.NoHistory && v.Kind == txn.KindSet && lives(&out[n-1], v.TS) {
			gone := out[n-1].Revision
			out = slices.DeleteFunc(out, func(v txn.Version) bool { return v.Revision == gone })
		}
		out = append(out, v)
	}
	slices.Reverse(out)
	return out
}

// lives: a version is there until its key is deleted, or until it expires,
// which is the first moment at which it is gone.
func lives(v *txn.Version, at txn.Timestamp) bool {
	return v.TS > 0 && v.Kind != txn.KindDelete && (v.Expiry == 0 || v.Expiry > at)
}

// equal is that of a condition: bytes and strings are one type.
func equal(a, b *txn.Value) bool {
	text := a.Type <= txn.String && b.Type <= txn.String
	return (text || a.Type == b.Type) && string(a.Data) == string(b.Data)
}

// overlay is the world of one transaction: the versions up to a moment, under its own writes.
type overlay struct {
	m    *model
	upTo txn.Timestamp // of versions that it sees
	now  txn.Timestamp // for what expires, and of its own versions
	own  map[string]pending
}

// pending is the one write that a transaction does to a key.
type pending struct {
	kind      txn.Kind
	value     txn.Value
	ttl       int64
	keep      bool // the expiry of what it replaces
	noHistory bool
}

func (m *model) overlay(upTo, now txn.Timestamp) *overlay {
	return &overlay{m: m, upTo: upTo, now: now, own: map[string]pending{}}
}

// on is the version that a write makes over base at now; made is false if
// there is nothing to delete or extend.
func (w *pending) on(base *txn.Version, now txn.Timestamp) (v txn.Version, made bool) {
	live := lives(base, now)
	v = txn.Version{TS: now, Kind: w.kind, NoHistory: w.noHistory, Value: w.value}
	if base.TS > 0 {
		v.Revision = base.Revision + 1
	}
	switch w.kind {
	case txn.KindDelete:
		if !live {
			return txn.Version{}, false
		}
		v.Value = txn.Value{}
	case txn.KindExtend:
		if !live {
			return txn.Version{}, false
		}
		v.Value, v.Revision = base.Value, base.Revision
	}
	if v.First, v.CreateTS = v.Revision, now; live {
		v.First, v.CreateTS = base.First, base.CreateTS
	}
	if w.kind == txn.KindDelete {
		return v, true
	}
	if w.ttl > 0 {
		v.Expiry = now + txn.Timestamp(w.ttl)*1000
	} else if w.keep && live {
		v.Expiry = base.Expiry
	}
	return v, true
}

// current is the newest version of key as the transaction sees it.
func (o *overlay) current(key txn.Key) txn.Version {
	v := o.m.at(key, o.upTo)
	if w, ok := o.own[string(key)]; ok {
		v, _ = w.on(&v, o.now)
	}
	return v
}

func (o *overlay) holds(t *txn.Test) bool {
	switch t.Kind {
	case txn.TestAll:
		return !slices.ContainsFunc(t.Of, func(u txn.Test) bool { return !o.holds(&u) })
	case txn.TestAny:
		return slices.ContainsFunc(t.Of, func(u txn.Test) bool { return o.holds(&u) })
	case txn.TestNot:
		return !o.holds(&t.Of[0])
	case txn.TestCount:
		return accepts(t.Is, relate(int64(len(o.live(t.Span, false))), t.N))
	case txn.TestUnchanged:
		return o.unchanged(t.Span, t.Since)
	}
	v := o.current(t.Key)
	if t.Kind == txn.TestCompare {
		return accepts(t.Is, o.side(t, &v))
	}
	return o.meets(&t.Cond, &v)
}

// side is how the key's side of a comparison relates to the other.
func (o *overlay) side(t *txn.Test, v *txn.Version) string {
	there := lives(v, o.now)
	switch t.Attribute {
	case txn.AttributeValue:
		if !there {
			return noOrder
		}
		return relateValues(&v.Value, &t.Value)
	case txn.AttributeRevision:
		if !there {
			return relate(-1, t.N)
		}
		return relate(v.Revision, t.N)
	}
	ts := v.TS
	if t.Attribute == txn.AttributeCreateTS {
		ts = v.CreateTS
	}
	if !there {
		ts = 0
	}
	return relate(int64(ts), t.N)
}

// unchanged: every key has the version that it had then, and what was there then is there.
func (o *overlay) unchanged(span txn.Span, since txn.Timestamp) bool {
	for _, k := range o.m.keys {
		key := txn.Key(k)
		then, now := o.m.at(key, since), o.m.at(key, o.upTo)
		if span.Contains(key) &&
			(then.TS != now.TS || lives(&then, since) && !lives(&now, o.now)) {
			return false
		}
	}
	return true
}

func (o *overlay) meets(c *txn.Cond, v *txn.Version) bool {
	live := lives(v, o.now)
	rev := v.Revision
	if !live {
		rev = txn.NoRevision
	}
	return !(c.Absent && live) && !(c.Present && !live) &&
		(c.Value == nil || live && equal(c.Value, &v.Value)) &&
		(c.Revision == nil || *c.Revision == rev) &&
		(c.CommitTS == nil || live && *c.CommitTS == v.TS)
}

// do is one operation; a write stays pending in o.
func (o *overlay) do(op *txn.Op) txn.Result {
	switch op.Kind {
	case txn.OpGet:
		return o.get(op)
	case txn.OpRange:
		return o.scan(op)
	case txn.OpUpdate:
		r, _ := o.update(op) // what fails has no answer to compare with
		return r
	case txn.OpDeleteRange:
		return o.deleteRange(op)
	case txn.OpRevert:
		return o.revert(op)
	default:
		return o.write(op)
	}
}

func (o *overlay) get(op *txn.Op) txn.Result {
	v := o.current(op.Key)
	if !lives(&v, o.now) {
		return txn.Result{Entry: txn.Entry{Key: op.Key, Version: txn.Version{Revision: -1}}}
	}
	if op.KeysOnly {
		v.Value.Data = nil
	}
	return txn.Result{OK: true, Entry: txn.Entry{Key: op.Key, Version: v}}
}

// live are the entries of a span in order.
func (o *overlay) live(span txn.Span, reverse bool) []txn.Entry {
	keys := slices.Clone(o.m.keys)
	for k := range o.own { // order: sorted below
		keys = append(keys, k)
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	if reverse {
		slices.Reverse(keys)
	}
	var out []txn.Entry
	for _, k := range keys {
		key := txn.Key(k)
		if v := o.current(key); span.Contains(key) && lives(&v, o.now) {
			out = append(out, txn.Entry{Key: key, Version: v})
		}
	}
	return out
}

func (o *overlay) scan(op *txn.Op) txn.Result {
	entries := o.live(op.Span, op.Reverse)
	r := txn.Result{OK: true}
	if op.Limit > 0 && len(entries) > op.Limit {
		entries, r.More = entries[:op.Limit], true
	}
	r.Count = int64(len(entries))
	if op.CountOnly {
		return r
	}
	for i := range entries {
		if op.KeysOnly {
			entries[i].Value.Data = nil
		}
	}
	r.Entries = entries
	return r
}

func (o *overlay) write(op *txn.Op) txn.Result {
	v := o.current(op.Key)
	live := lives(&v, o.now)
	r := txn.Result{OK: true, PrevRevision: txn.NoRevision, Entry: txn.Entry{Key: op.Key}}
	if live {
		r.PrevRevision = v.Revision
		if op.ReturnPrev {
			r.Prev = &txn.Entry{Key: op.Key, Version: v}
		}
	}
	if !o.meets(&op.Cond, &v) || op.Kind != txn.OpSet && !live {
		r.OK = false
		r.Entry.Version = txn.Version{Revision: txn.NoRevision}
		if live {
			r.Entry.Version = v
			r.Entry.Value.Data = nil
		}
		return r
	}
	o.pend(op)
	return r
}

// pend folds a write into the one that its key already has.
func (o *overlay) pend(op *txn.Op) {
	k := string(op.Key)
	old, had := o.own[k]
	w := pending{kind: txn.KindSet, value: op.Value, ttl: op.TTL, keep: op.KeepTTL,
		noHistory: op.NoHistory || old.noHistory}
	switch {
	case op.Kind == txn.OpDelete:
		w = pending{kind: txn.KindDelete}
	case op.Kind == txn.OpExtend && had && old.kind == txn.KindSet:
		w = old
		w.ttl, w.keep = op.TTL, false
	case op.Kind == txn.OpExtend:
		w = pending{kind: txn.KindExtend, ttl: op.TTL}
	case had && op.KeepTTL:
		w.ttl, w.keep = old.ttl, old.kind == txn.KindSet && old.keep
	}
	o.own[k] = w
}

// made is what all pending writes come to, by key. A delete of what the
// transaction made itself comes to nothing.
func (o *overlay) made() []txn.Written {
	var out []txn.Written
	for _, k := range sortedKeys(o.own) {
		if w := o.writtenAt(txn.Key(k), o.now); w.Wrote {
			out = append(out, w)
		}
	}
	return out
}

// writtenAt is what the pending write of key comes to if the version under it
// is judged, live or expired, as of then.
func (o *overlay) writtenAt(key txn.Key, then txn.Timestamp) txn.Written {
	base := o.m.at(key, o.upTo)
	w := o.own[string(key)]
	v, wrote := w.on(&base, then)
	before := txn.NoRevision
	if lives(&base, then) {
		before = base.Revision
	}
	if !wrote {
		v.Revision = txn.NoRevision
		return txn.Written{Key: key, Version: v, PrevRevision: before}
	}
	if v.CreateTS == then {
		v.CreateTS = o.now
	}
	v.TS = o.now
	return txn.Written{Key: key, Wrote: true, Version: v, PrevRevision: before}
}
