package mvcc

import (
	"bytes"
	"errors"
	"sync"

	"github.com/tidwall/btree"

	"github.com/cairnkv/cairn/txn"
)

// Mem is an Engine in memory that behaves at a crash as a disk does: what is
// not synced may be lost, from the end, by whole commits. It is deterministic
// and has no goroutine.
type Mem struct {
	keyOrder

	mu     sync.Mutex
	closed bool
	tree   *memTree
	view   *memTree  // a copy of tree that nobody changes; nil after a change
	synced *memTree  // what is durable
	tail   [][]memOp // the commits after synced, in order
}

type memTree = btree.BTreeG[memItem]

type memItem struct{ key, value []byte }

type memOpKind uint8

const (
	memSet memOpKind = iota
	memDelete
	memDeleteRange // from key to value
)

type memOp struct {
	kind       memOpKind
	key, value []byte
}

var errMemClosed = errors.New("the engine is closed or has crashed")

// OpenMem is an empty engine ordered by compare, which is Compare or LogCompare.
func OpenMem(compare func(a, b []byte) int) *Mem {
	tree := btree.NewBTreeGOptions(func(a, b memItem) bool {
		return compare(a.key, b.key) < 0
	}, btree.Options{NoLocks: true})
	m := &Mem{keyOrder: logOrder(), tree: tree, synced: tree.IsoCopy()}
	// An order with the newest version first is the one in which keys have suffixes.
	if compare(DataKey(nil, 2), DataKey(nil, 1)) < 0 {
		m.keyOrder = stateOrder()
	}
	return m
}

// Crash ends m and returns what a restart finds: all that was synced, and of
// the n commits after that the first keep(n). A torn commit counts as lost.
func (m *Mem) Crash(keep func(n int) int) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.tail)
	kept := min(max(keep(n), 0), n)
	tree := m.synced.IsoCopy()
	for _, ops := range m.tail[:kept] {
		m.apply(tree, ops)
	}
	m.closed = true
	return &Mem{keyOrder: m.keyOrder, tree: tree, synced: tree.IsoCopy()}
}

// Unsynced is the number of commits that a crash now could lose.
func (m *Mem) Unsynced() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.tail)
}

// Flush makes everything committed durable.
func (m *Mem) Flush() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return memClosed()
	}
	m.sync()
	return nil
}

// Close ends the engine. What was not synced is as good as lost.
func (m *Mem) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

func memClosed() error {
	return &txn.Error{Kind: txn.Internal, Op: "mvcc", Reason: ReasonStorage, Err: errMemClosed}
}

// Get copies the value of exactly key.
func (m *Mem) Get(key []byte) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, false, memClosed()
	}
	item, ok := m.tree.Get(memItem{key: key})
	return bytes.Clone(item.value), ok, nil
}

// NewIter opens a snapshot.
func (m *Mem) NewIter(o IterOptions) (Iterator, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, memClosed()
	}
	tree := m.synced
	if !o.Durable {
		if m.view == nil {
			m.view = m.tree.IsoCopy()
		}
		tree = m.view
	}
	return &memIter{
		m: m, it: tree.Iter(), lower: bytes.Clone(o.Lower), upper: bytes.Clone(o.Upper),
	}, nil
}

// NewBatch begins a batch.
func (m *Mem) NewBatch() Batch { return &memBatch{m: m} }

// sync makes the tree durable. m.mu is held.
func (m *Mem) sync() {
	if len(m.tail) > 0 {
		m.synced, m.tail = m.tree.IsoCopy(), nil
	}
}

// apply does ops to tree in order.
func (m *Mem) apply(tree *memTree, ops []memOp) {
	for _, op := range ops {
		switch op.kind {
		case memSet:
			tree.Set(memItem{op.key, op.value})
		case memDelete:
			tree.Delete(memItem{key: op.key})
		case memDeleteRange:
			var doomed []memItem
			tree.Ascend(memItem{key: op.key}, func(i memItem) bool {
				if m.compare(i.key, op.value) >= 0 {
					return false
				}
				doomed = append(doomed, i)
				return true
			})
			for _, i := range doomed {
				tree.Delete(i)
			}
		}
	}
}

type memBatch struct {
	m    *Mem
	ops  []memOp
	size int
}

func (b *memBatch) add(kind memOpKind, key, value []byte) {
	buf := make([]byte, len(key)+len(value))
	n := copy(buf, key)
	copy(buf[n:], value)
	b.ops = append(b.ops, memOp{kind, buf[:n:n], buf[n:]})
	b.size += len(buf)
}

func (b *memBatch) Set(key, value []byte)         { b.add(memSet, key, value) }
func (b *memBatch) Delete(key []byte)             { b.add(memDelete, key, nil) }
func (b *memBatch) DeleteRange(start, end []byte) { b.add(memDeleteRange, start, end) }
func (b *memBatch) Empty() bool                   { return len(b.ops) == 0 }
func (b *memBatch) Size() int                     { return b.size }
func (b *memBatch) Close()                        {}

func (b *memBatch) Commit(sync bool) error {
	m := b.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return memClosed()
	}
	if len(b.ops) > 0 {
		m.apply(m.tree, b.ops)
		m.view = nil
		m.tail = append(m.tail, b.ops)
	}
	if sync {
		m.sync()
	}
	return nil
}

type memIter struct {
	m            *Mem
	it           btree.IterG[memItem]
	lower, upper []byte
	prefix       []byte // not nil: the position must have this prefix
	valid        bool
}

// settle takes the position that the tree's iterator reached, if it did, and
// checks it against bounds and prefix.
func (i *memIter) settle(ok bool) bool {
	i.valid = false
	if ok {
		k := i.it.Item().key
		i.valid = (len(i.lower) == 0 || i.m.compare(k, i.lower) >= 0) &&
			(len(i.upper) == 0 || i.m.compare(k, i.upper) < 0) &&
			(i.prefix == nil || bytes.Equal(k[:i.m.split(k)], i.prefix))
	}
	return i.valid
}

func (i *memIter) First() bool {
	i.prefix = nil
	if len(i.lower) == 0 {
		return i.settle(i.it.First())
	}
	return i.settle(i.it.Seek(memItem{key: i.lower}))
}

func (i *memIter) Last() bool {
	i.prefix = nil
	if len(i.upper) == 0 {
		return i.settle(i.it.Last())
	}
	return i.SeekLT(i.upper)
}

func (i *memIter) SeekGE(key []byte) bool {
	i.prefix = nil
	if len(i.lower) > 0 && i.m.compare(key, i.lower) < 0 {
		key = i.lower
	}
	return i.settle(i.it.Seek(memItem{key: key}))
}

func (i *memIter) SeekPrefixGE(key []byte) bool {
	i.prefix = bytes.Clone(key[:i.m.split(key)])
	return i.settle(i.it.Seek(memItem{key: key}))
}

func (i *memIter) SeekLT(key []byte) bool {
	i.prefix = nil
	if len(i.upper) > 0 && i.m.compare(key, i.upper) > 0 {
		key = i.upper
	}
	if i.it.Seek(memItem{key: key}) {
		return i.settle(i.it.Prev())
	}
	return i.settle(i.it.Last())
}

func (i *memIter) Next() bool { return i.settle(i.it.Next()) }
func (i *memIter) Prev() bool { return i.settle(i.it.Prev()) }

func (i *memIter) NextPrefix() bool {
	k := i.it.Item().key
	prefix := k[:i.m.split(k)]
	for i.Next() {
		if k := i.Key(); !bytes.Equal(k[:i.m.split(k)], prefix) {
			return true
		}
	}
	return false
}

func (i *memIter) Valid() bool            { return i.valid }
func (i *memIter) Key() []byte            { return i.it.Item().key }
func (i *memIter) Value() ([]byte, error) { return i.it.Item().value, nil }
func (i *memIter) Error() error           { return nil }

func (i *memIter) Close() error {
	i.valid = false
	i.it.Release()
	return nil
}
