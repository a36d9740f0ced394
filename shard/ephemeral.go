package shard

import (
	"container/heap"
	"slices"
	"sync"

	"github.com/cairnkv/cairn/txn"
)

// EphemeralBytesDefault is how much memory the ephemeral keys of a process have.
const EphemeralBytesDefault = 64 << 20

// ephemeralOverhead is what a key counts besides its name and value: what it was measured to take.
const ephemeralOverhead = 256

// Ephemeral is the memory for the ephemeral keys of a process, which its replicas share. Where it
// is full those go that have expired, then those that were not used for longest, whichever shard
// they are of. Nothing of it is on disk or in a log.
type Ephemeral struct {
	bytesMax int64

	mu struct {
		sync.Mutex
		EphemeralUse
		lives []*life
		uses  uint64 // so far
	}
}

// EphemeralUse is what there is, and what had to go for lack of room. Deleted keys that are
// remembered, and expired ones, count like others.
type EphemeralUse struct {
	Bytes, Keys, Evicted int64
}

// NewEphemeral makes room for so many bytes.
func NewEphemeral(bytesMax int64) *Ephemeral { return &Ephemeral{bytesMax: bytesMax} }

// Use is for operators.
func (m *Ephemeral) Use() EphemeralUse {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.EphemeralUse
}

// DropKeyspace removes every key of a keyspace.
func (m *Ephemeral) DropKeyspace(id txn.KeyspaceID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.mu.lives {
		for _, e := range l.keys { // order: all of them go
			if txn.Key(e.key).Keyspace() == id {
				m.remove(e)
			}
		}
	}
}

// life is the ephemeral keys of one leadership of a shard (R16, M13): they begin and end with it,
// so that no two leaderships ever have one in common. A deleted key stays as a tombstone, so that
// its revisions go on, until its memory is needed.
type life struct {
	in    *Ephemeral
	bytes int64
	keys  map[string]*entry
	// recent is a ring: after it comes what was not used for longest.
	recent   entry
	expiring expiries
}

// entry is a key with its newest version. What the version points to is never changed.
type entry struct {
	of         *life
	key        string
	version    txn.Version
	used       uint64 // the last use, by Ephemeral.mu.uses
	prev, next *entry // in of.recent
	place      int    // in of.expiring; -1: it is not there
}

func (e *entry) size() int64 {
	return ephemeralOverhead + int64(len(e.key)+len(e.version.Value.Data))
}

func (m *Ephemeral) begin() *life {
	l := &life{in: m, keys: make(map[string]*entry)}
	l.recent.prev, l.recent.next = &l.recent, &l.recent
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.lives = append(m.mu.lives, l)
	return l
}

// end forgets all keys of l, which is not used any more, at once however many they are.
func (l *life) end() {
	m := l.in
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.lives = slices.DeleteFunc(m.mu.lives, func(o *life) bool { return o == l })
	m.mu.Bytes -= l.bytes
	m.mu.Keys -= int64(len(l.keys))
}

// get is the newest version of k, tombstones and expired ones included. It is a use of k if k is
// live at time at.
func (l *life) get(k txn.Key, at txn.Timestamp) txn.Version {
	l.in.mu.Lock()
	defer l.in.mu.Unlock()
	e := l.keys[string(k)]
	if e == nil {
		return txn.Version{}
	}
	if e.version.Live(at) {
		e.unlink()
		l.in.use(e)
	}
	return e.version
}

// put makes v, which shares no memory that changes, the version of k at time at.
func (l *life) put(k txn.Key, v *txn.Version, at txn.Timestamp) error {
	m := l.in
	m.mu.Lock()
	defer m.mu.Unlock()
	e := &entry{of: l, key: string(k), version: *v, place: -1}
	size := e.size()
	if size > m.bytesMax {
		return tooLarge(k, size, m.bytesMax)
	}
	if old := l.keys[e.key]; old != nil {
		m.remove(old)
	}
	l.keys[e.key] = e
	m.use(e)
	m.mu.Keys++
	l.bytes += size
	if m.mu.Bytes += size; v.Expiry != 0 {
		heap.Push(&l.expiring, e)
	}
	for m.mu.Bytes > m.bytesMax { // e alone fits, was used last and has not expired
		m.remove(m.victim(at))
		m.mu.Evicted++
	}
	return nil
}

func tooLarge(k txn.Key, size, most int64) error {
	e := txn.Errorf(txn.Exhausted, "ephemeral_too_large",
		"the key and its value take %d bytes of memory, the limit of all ephemeral keys is %d",
		size, most)
	e.Key = k.Clone()
	e.Next = "nothing was written: make it smaller, or give members a larger --ephemeral-bytes"
	return e
}

// victim is what goes first: something that has expired, else what was not used for longest.
func (m *Ephemeral) victim(at txn.Timestamp) *entry {
	var oldest *entry
	for _, l := range m.mu.lives {
		if x := l.expiring; len(x) > 0 && !x[0].version.Live(at) {
			return x[0]
		}
		if e := l.recent.next; e != &l.recent && (oldest == nil || e.used < oldest.used) {
			oldest = e
		}
	}
	return oldest
}

func (m *Ephemeral) remove(e *entry) {
	l, size := e.of, e.size()
	delete(l.keys, e.key)
	e.unlink()
	m.mu.Keys--
	m.mu.Bytes -= size
	if l.bytes -= size; e.place >= 0 {
		heap.Remove(&l.expiring, e.place)
	}
}

// use makes e, which is not in the ring, the one that was used last.
func (m *Ephemeral) use(e *entry) {
	m.mu.uses++
	e.used = m.mu.uses
	last := &e.of.recent
	e.prev, e.next = last.prev, last
	e.prev.next, e.next.prev = e, e
}

func (e *entry) unlink() { e.prev.next, e.next.prev = e.next, e.prev }

// expiries has what will expire first at its place 0. It implements heap.Interface.
type expiries []*entry

func (x expiries) Len() int           { return len(x) }
func (x expiries) Less(i, j int) bool { return x[i].version.Expiry < x[j].version.Expiry }

func (x expiries) Swap(i, j int) {
	x[i], x[j] = x[j], x[i]
	x[i].place, x[j].place = i, j
}

func (x *expiries) Push(e any) {
	e.(*entry).place = len(*x)
	*x = append(*x, e.(*entry))
}

func (x *expiries) Pop() any {
	last := len(*x) - 1
	e := (*x)[last]
	(*x)[last] = nil
	*x, e.place = (*x)[:last], -1
	return e
}
