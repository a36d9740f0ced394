package locks

import "github.com/cairnkv/cairn/txn"

// DeadFor is the age limit of rule L3 in microseconds: a write request whose
// base_ts is further than this below the newest timestamp is refused.
const DeadFor txn.Timestamp = 5_000_000

// Dead is the set of transaction ids that must never write at this shard,
// because a request of theirs was refused (L5) or prevented (C1), for as long
// as rule L3's age limit does not refuse them anyway. Single-owner.
//
// An entry is there while newest - base <= DeadFor, newest being the highest
// value given to Advance. For the two rules to have no gap, the age check must
// use a newest that is at least that value: read both together, under the
// latch.
//
// Ids lie in two sets, parted by base_ts and not by arrival (A4): an id may be
// refused late in its life. Every id in old has base <= bound, and old is
// dropped as a whole once newest - bound > DeadFor; so each of them has passed
// the limit by then. The other set then takes its place, bound becoming the
// highest base in it.
//
// Memory: an entry is gone at the latest when newest - base > 2 x DeadFor,
// provided that base <= newest when it was added (every request first raises
// newest to its base_ts). That is the refusals of 10 s at 8 bytes each, about
// twice that with the free room of a hash table: 10,000 a second need 2 MB.
type Dead struct {
	newest   txn.Timestamp
	bound    txn.Timestamp // highest base that belongs into old
	youngMax txn.Timestamp // highest base in young
	old      map[txn.ID]struct{}
	young    map[txn.ID]struct{}
}

// NewDead makes an empty set.
func NewDead() *Dead {
	return &Dead{old: make(map[txn.ID]struct{}), young: make(map[txn.ID]struct{})}
}

// Add puts id, whose requests carry base, into the set, unless it is past the
// age limit already.
func (d *Dead) Add(id txn.ID, base txn.Timestamp) {
	switch {
	case d.newest-base > DeadFor:
	case base <= d.bound:
		d.old[id] = struct{}{}
	default:
		d.young[id] = struct{}{}
		d.youngMax = max(d.youngMax, base)
	}
}

// Has reports whether id is in the set. It may still say yes for ids that are
// past the age limit.
func (d *Dead) Has(id txn.ID) bool {
	if _, ok := d.young[id]; ok {
		return true
	}
	_, ok := d.old[id]
	return ok
}

// Advance tells a newer timestamp of the oracle; an older one changes nothing.
func (d *Dead) Advance(newest txn.Timestamp) {
	d.newest = max(d.newest, newest)
	if d.newest-d.bound <= DeadFor || len(d.old) == 0 && len(d.young) == 0 {
		return
	}
	// New maps, not cleared ones: a burst of refusals gives its memory back.
	d.old, d.bound = d.young, max(d.bound, d.youngMax)
	d.young = make(map[txn.ID]struct{})
	if d.newest-d.bound > DeadFor {
		d.old = make(map[txn.ID]struct{})
	}
}
