package locks

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/cairnkv/cairn/txn"
)

// Limits of a Table.
const (
	// LocksMax bounds the keys and spans that are held or waited for, at about
	// 200 bytes each.
	LocksMax = 1 << 16
	// SpansMax bounds the spans among them: each is looked at by every request.
	SpansMax = 1 << 10
	// WaitersMax bounds the requests that wait.
	WaitersMax = 1 << 12
	// WoundedMax bounds how many wounded attempts are remembered; at least half
	// as many are.
	WoundedMax = 1 << 13
)

// Owner is a logical transaction, by its age, and the attempt that speaks for
// it. Locks belong to the age: those of one age never conflict, and a retry
// takes over what the attempt before it left.
type Owner struct {
	Age txn.Age
	Txn txn.ID
}

// Request names what somebody wants to lock. The caller fills the exported
// fields and gives it to Table.Lock; while it is queued neither they nor the
// bytes of the keys may change. Keys and Spans come in any order and may repeat;
// spans may overlap.
type Request struct {
	Owner  Owner
	Mode   txn.LockMode
	Keys   []txn.Key
	Spans  []txn.Span    // none empty
	Base   txn.Timestamp // that this request and all copies of it carry
	Since  txn.Timestamp // by the caller's clock, for Snapshot
	Caller any           // never looked at here

	keys   []txn.Key  // Keys in order: see sort
	spans  []txn.Span // Spans in order, merged
	by     *owner     // nil unless queued
	behind *owner     // one of those for whom it waits: see keep
	seq    uint64     // arrival
}

// Queued reports whether r waits.
func (r *Request) Queued() bool { return r.by != nil }

// Answer is what became of a Request.
type Answer uint8

const (
	// Granted: all of it is held.
	Granted Answer = iota
	// Queued: none of it is held; a later call names the request when it is.
	Queued
	// Wounded: an older transaction took what this attempt held (WoundedBy).
	Wounded
	// Over: the attempt has ended here, is committing, or a later one speaks.
	Over
	// Full: a limit of the table.
	Full
)

var answerNames = [...]string{"granted", "queued", "wounded", "over", "full"}

func (a Answer) String() string {
	if int(a) < len(answerNames) {
		return answerNames[a]
	}
	return fmt.Sprintf("answer(%d)", uint8(a))
}

// Woken is a request that waits no more: Granted, Wounded or Over.
type Woken struct {
	Request *Request
	Answer  Answer
}

// Table is the lock table of one shard in one leadership. Locks are advisory:
// they spare aborts and never make a commit correct. Single-owner.
//
// A request gets all that it names at once, or waits and holds none of it.
//
// Wound-wait: whom the requester is older than, it wounds. A wounded owner
// loses everything that it holds or waits for in the table, not only what is in
// the way: it will have to begin anew, and would only keep others waiting. Its
// attempt is remembered, so that its next request is answered Wounded; a later
// attempt begins with nothing. The requester waits for an older holder, and
// for one that is committing, which is never wounded (K5).
//
// A request also waits behind each older one that waits and that it conflicts
// with, so nobody is overtaken for ever: shared requests that keep coming are
// younger than the exclusive one that waits. Who is older goes first.
//
// Hence whoever waits does so for somebody older, or committing; and who is
// committing waits for nobody, since its requests are Over. No cycle can form.
//
// A key costs a look-up by hash, and its place in an ordered index when it is
// locked first. A request with a span walks the locked keys in it, each once,
// and passes by those that are locked in modes that leave room for its own.
// Spans that are held or waited for are lists, for there are few: a request
// looks at each of them once, whatever it names itself.
//
// Of those for whom a request waits one is noted, and the request is looked at
// again when that one has lost something: nothing else can set it free.
type Table struct {
	owners  map[txn.Age]*owner
	byTxn   map[txn.ID]*owner
	points  map[string]*point
	order   [txn.LockModes]*keyOrder // the points, by their strongest mode
	held    []*spanLock              // by compareSpans
	waiting []*Request               // by age, then arrival
	wanted  []*Request               // those of waiting that name a span
	seq     uint64
	names   int // keys and spans that are held or waited for
	spans   int // the spans among them
	wounded wounds
	past    pasts

	// What the call that is under way has changed: see settle.
	loose []*Request // each was behind somebody who has lost something
	woken []Woken
}

// owner is an Owner that holds something or waits.
type owner struct {
	Owner
	committing bool
	points     []*point
	spans      []*spanLock
	waiting    []*Request
	keeps      map[*Request]struct{} // those that are behind it
	victim     bool                  // wound is about to be called
}

// spanLock is a span that is held.
type spanLock struct {
	by    *owner
	span  txn.Span
	mode  txn.LockMode
	since txn.Timestamp
}

// NewTable makes a table that is empty.
func NewTable() *Table {
	t := &Table{
		owners: make(map[txn.Age]*owner), byTxn: make(map[txn.ID]*owner),
		points: make(map[string]*point),
	}
	for mode := range t.order {
		t.order[mode] = newKeyOrder()
	}
	return t
}

// Empty reports whether nobody holds anything or waits.
func (t *Table) Empty() bool { return len(t.owners) == 0 }

// Has reports whether an owner of that age holds anything or waits.
func (t *Table) Has(age txn.Age) bool { return t.owners[age] != nil }

// Advance tells a newer timestamp of the oracle. Which attempts have ended is
// remembered for DeadFor after their base: a request of an older base must be
// refused by the caller, who reads both together.
func (t *Table) Advance(newest txn.Timestamp) { t.past.advance(newest) }

// Lock grants r, queues it, or turns it away.
func (t *Table) Lock(r *Request) (Answer, []Woken) {
	if r.by != nil {
		panic("locks: lock of a queued request")
	}
	if a := t.turnsAway(r); a != Granted {
		return a, nil
	}
	t.past.saw(r.Owner, r.Base)
	r.sort()
	o := t.adopt(r.Owner)
	left, met := t.woundYounger(r)
	if !met {
		t.grant(o, r)
		return Granted, t.settle()
	}
	t.enqueue(o, r)
	r.keep(left)
	return Queued, t.settle()
}

// turnsAway is Granted for a request that may be looked at.
func (t *Table) turnsAway(r *Request) Answer {
	if t.past.over(r.Owner) {
		return Over
	}
	if _, ok := t.wounded.get(r.Owner.Txn); ok {
		return Wounded
	}
	if o := t.owners[r.Owner.Age]; o != nil && o.Txn == r.Owner.Txn && o.committing {
		return Over
	}
	spans := t.spans+len(r.Spans) > SpansMax && len(r.Spans) > 0
	if t.names+len(r.Keys)+len(r.Spans) > LocksMax || spans || len(t.waiting) >= WaitersMax {
		return Full
	}
	return Granted
}

// ends reports whether the end of an attempt ends what another one speaks for.
// Counters order those of a session; between two sessions there is no telling,
// and who comes last speaks.
func ends(id, speaks txn.ID) bool {
	return id == speaks || id.Session() == speaks.Session() && id > speaks
}

// adopt is the owner of who's age, for whom who.Txn speaks from now on.
func (t *Table) adopt(who Owner) *owner {
	o := t.owners[who.Age]
	if o != nil && o.Txn != who.Txn {
		t.cancelAll(o, Over)
		t.reopen(o)
		o = t.owners[who.Age]
	}
	if o == nil {
		o = &owner{Owner: who}
		t.owners[who.Age] = o
	}
	t.rename(o, who.Txn)
	return o
}

func (t *Table) rename(o *owner, id txn.ID) {
	if t.byTxn[o.Txn] == o {
		delete(t.byTxn, o.Txn)
	}
	o.Txn = id
	t.byTxn[id] = o
}

// Cancel takes back a request that waits; its caller is not named. One that
// waits no more is left as it is.
func (t *Table) Cancel(r *Request) []Woken {
	if o := r.by; o != nil {
		t.dequeue(r)
		t.loosen(o)
		t.forget(o)
	}
	return t.settle()
}

// Release ends an attempt and those before it, whose requests carry at most
// base: all that its owner holds or waits for goes, unless a later attempt
// speaks for it. Of what comes late of them each is Over, unless base is 0.
func (t *Table) Release(who Owner, base txn.Timestamp) []Woken {
	t.wounded.forget(who.Txn)
	if base != 0 {
		t.past.end(who, base)
	}
	if o := t.owners[who.Age]; o != nil && ends(who.Txn, o.Txn) {
		t.drop(o, Over)
	}
	return t.settle()
}

// ReleaseTxn is Release for who does not know the age: nothing, if nobody has
// the id.
func (t *Table) ReleaseTxn(id txn.ID, base txn.Timestamp) []Woken {
	if o := t.byTxn[id]; o != nil {
		return t.Release(o.Owner, base)
	}
	return nil
}

// Committing says that an attempt, whose requests carry at most base, has begun
// to commit: from now on it is not wounded here (K5), and asks for no more
// locks. Neither do attempts before it.
func (t *Table) Committing(who Owner, base txn.Timestamp) []Woken {
	if t.past.knows(who) { // else it never asked
		t.past.end(who, base)
	}
	o := t.owners[who.Age]
	if o == nil || !ends(who.Txn, o.Txn) {
		return nil
	}
	t.rename(o, who.Txn)
	o.committing = true
	t.cancelAll(o, Over)
	t.forget(o)
	return t.settle()
}

// Reopen says that an attempt's commit was refused. Its locks are there for
// the next attempt, and may be wounded again: by those who wait for them.
func (t *Table) Reopen(who Owner) []Woken {
	if o := t.owners[who.Age]; o != nil && o.Txn == who.Txn {
		t.reopen(o)
	}
	return t.settle()
}

func (t *Table) reopen(o *owner) {
	if !o.committing {
		t.forget(o)
		return
	}
	o.committing = false
	if by := t.oldestBehind(o); by != nil {
		t.wound(o, by.Owner)
		return
	}
	t.forget(o)
}

// oldestBehind is the oldest of those that are older than o and wait for what it
// holds: those whom it would wait for, if it asked for that now.
func (t *Table) oldestBehind(o *owner) (oldest *owner) {
	if len(t.waiting) == 0 {
		return nil
	}
	for _, r := range o.held() {
		for in := range t.inTheWay(&r) {
			if oldest == nil || in.by.Age.Older(oldest.Age) {
				oldest = in.by
			}
		}
	}
	return oldest
}

// held is what o holds as requests for it, one a mode.
func (o *owner) held() (all [txn.LockModes]Request) {
	for mode := range all {
		all[mode].Owner, all[mode].Mode = o.Owner, txn.LockMode(mode)
	}
	for _, p := range o.points {
		r := &all[p.holds[p.find(o)].mode]
		r.Keys = append(r.Keys, p.key)
	}
	for _, s := range o.spans {
		all[s.mode].Spans = append(all[s.mode].Spans, s.span)
	}
	for mode := range all {
		all[mode].sort()
	}
	return all
}

// ExpireSession releases everything of the transactions of a session that has
// ended.
func (t *Table) ExpireSession(session uint32) []Woken {
	for _, o := range t.inOrder() {
		if o.Txn.Session() == session {
			t.drop(o, Over)
		}
	}
	t.wounded.forgetSession(session)
	return t.settle()
}

// Sessions are those of all owners, in order.
func (t *Table) Sessions() []uint32 {
	var all []uint32
	for _, o := range t.inOrder() {
		all = append(all, o.Txn.Session())
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (t *Table) inOrder() []*owner {
	return slices.SortedFunc(maps.Values(t.owners), func(a, b *owner) int {
		return compareAges(a.Age, b.Age)
	})
}

func compareAges(a, b txn.Age) int {
	return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID))
}

// woundYounger wounds those that r conflicts with and need not wait for. Left is
// one of the others, if there is any.
func (t *Table) woundYounger(r *Request) (left obstacle, met bool) {
	var victims []*owner
	for in := range t.inTheWay(r) {
		switch {
		case in.by.victim:
		case r.Owner.Age.Older(in.by.Age) && !in.by.committing:
			in.by.victim = true
			victims = append(victims, in.by)
		case !met:
			left, met = in, true
		}
	}
	for _, o := range victims {
		t.wound(o, r.Owner)
	}
	return left, met
}

func (t *Table) wound(o *owner, by Owner) {
	t.wounded.put(o.Txn, by)
	t.drop(o, Wounded)
}

// WoundedBy is who wounded an attempt that was.
func (t *Table) WoundedBy(id txn.ID) (Owner, bool) { return t.wounded.get(id) }

// drop removes an owner with all that it has; its requests end with a.
func (t *Table) drop(o *owner, a Answer) {
	t.cancelAll(o, a)
	for _, p := range o.points {
		t.unhold(o, p)
	}
	for _, s := range o.spans {
		t.held = without(t.held, s)
	}
	t.names -= len(o.points) + len(o.spans)
	t.spans -= len(o.spans)
	o.points, o.spans = nil, nil
	t.loosen(o)
	t.forget(o)
}

// cancelAll ends all of an owner's waiting with a.
func (t *Table) cancelAll(o *owner, a Answer) {
	for len(o.waiting) > 0 {
		r := o.waiting[0]
		t.dequeue(r)
		t.woken = append(t.woken, Woken{r, a})
		t.loosen(o)
	}
}

// forget removes an owner that has nothing.
func (t *Table) forget(o *owner) {
	if len(o.points)+len(o.spans)+len(o.waiting) > 0 {
		return
	}
	delete(t.owners, o.Age)
	if t.byTxn[o.Txn] == o {
		delete(t.byTxn, o.Txn)
	}
}
