package mvcc

import (
	"github.com/tidwall/btree"

	"github.com/cairnkv/cairn/txn"
)

// Intents mirrors the intent space of one shard in memory. It holds no lock:
// the caller changes it where it commits the batch that changes the engine
// (rule M14), and readers must be kept out meanwhile. Calls that change
// nothing may run side by side.
type Intents struct {
	byKey  *btree.BTreeG[*Intent]
	byTxn  *btree.BTreeG[*Intent]
	byBase *btree.BTreeG[*Intent]
}

// NewIntents is an empty mirror.
func NewIntents() *Intents {
	less := func(f func(a, b *Intent) bool) *btree.BTreeG[*Intent] {
		return btree.NewBTreeGOptions(f, btree.Options{NoLocks: true})
	}
	return &Intents{
		byKey: less(func(a, b *Intent) bool { return a.Key.Compare(b.Key) < 0 }),
		byTxn: less(func(a, b *Intent) bool {
			if a.Txn != b.Txn {
				return a.Txn < b.Txn
			}
			return a.Key.Compare(b.Key) < 0
		}),
		byBase: less(func(a, b *Intent) bool {
			if a.BaseTS != b.BaseTS {
				return a.BaseTS < b.BaseTS
			}
			return a.Key.Compare(b.Key) < 0
		}),
	}
}

// Load replaces what is mirrored by the intents of span in eng.
func (x *Intents) Load(eng Engine, span txn.Span) (err error) {
	*x = *NewIntents()
	lower, upper := IntentBounds(span)
	it, err := eng.NewIter(IterOptions{Lower: lower, Upper: upper})
	if err != nil {
		return err
	}
	defer closeInto(it, &err)
	for ok := it.First(); ok; ok = it.Next() {
		k, err := DecodeIntentKey(it.Key())
		if err != nil {
			return err
		}
		b, err := it.Value()
		if err != nil {
			return err
		}
		i, err := DecodeIntent(k, b)
		if err != nil {
			return err
		}
		x.Put(i.Clone())
	}
	return it.Error()
}

// closeInto closes it and keeps its error where there is none yet.
func closeInto(it Iterator, err *error) {
	if e := it.Close(); *err == nil {
		*err = e
	}
}

// Put adds i, in place of an intent on the same key. It keeps i, which must
// not change afterwards.
func (x *Intents) Put(i *Intent) {
	if old, ok := x.byKey.Set(i); ok {
		x.byTxn.Delete(old)
		x.byBase.Delete(old)
	}
	x.byTxn.Set(i)
	x.byBase.Set(i)
}

// Delete forgets the intent on k and returns it; nil if there is none.
func (x *Intents) Delete(k txn.Key) *Intent {
	i, ok := x.byKey.Delete(&Intent{Key: k})
	if !ok {
		return nil
	}
	x.byTxn.Delete(i)
	x.byBase.Delete(i)
	return i
}

// Get is the intent on k; nil if there is none.
func (x *Intents) Get(k txn.Key) *Intent {
	i, _ := x.byKey.Get(&Intent{Key: k})
	return i
}

// Overlapping are the intents in span with TS <= upTo, in key order.
func (x *Intents) Overlapping(span txn.Span, upTo txn.Timestamp) []*Intent {
	var out []*Intent
	x.byKey.Ascend(&Intent{Key: span.Start}, func(i *Intent) bool {
		if !span.Contains(i.Key) {
			return false
		}
		if i.TS <= upTo {
			out = append(out, i)
		}
		return true
	})
	return out
}

// OfTxn are the keys of the intents of id, in order.
func (x *Intents) OfTxn(id txn.ID) []txn.Key {
	var out []txn.Key
	x.byTxn.Ascend(&Intent{Txn: id}, func(i *Intent) bool {
		if i.Txn != id {
			return false
		}
		out = append(out, i.Key)
		return true
	})
	return out
}

// Len is the number of intents.
func (x *Intents) Len() int { return x.byKey.Len() }

// Min is the smallest BaseTS of all intents, and so at or below every TS;
// false if there are none.
func (x *Intents) Min() (txn.Timestamp, bool) {
	i, ok := x.byBase.Min()
	if !ok {
		return 0, false
	}
	return i.BaseTS, true
}
