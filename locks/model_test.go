package locks

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/cairnkv/cairn/txn"
)

// latchModel is the definition of Latches: everybody in arrival order, and
// granted is who conflicts with nobody before him.
type latchModel struct{ live []*Latch }

func (m *latchModel) granted(l *Latch) bool {
	for _, e := range m.live {
		if e == l {
			return true
		}
		if byDefinition(e, l) {
			return false
		}
	}
	return true
}

func (m *latchModel) blocking(r txn.Timestamp, spans ...txn.Span) *Latch {
	reader := &Latch{ReadSpans: spans}
	for _, l := range m.live {
		if m.granted(l) && (l.ts == 0 || l.ts <= r) && byDefinition(l, reader) {
			return l
		}
	}
	return nil
}

func genKeys(t *rapid.T, most int, label string) []txn.Key {
	g := rapid.SampledFrom([]string{"a", "b", "bb", "c", "d", "e", "f"})
	return keysOf(rapid.SliceOfN(g, 0, most).Draw(t, label))
}

// genSpans yields empty, inverted and unbounded spans too.
func genSpans(t *rapid.T, most int, label string) []txn.Span {
	if rapid.IntRange(0, 3).Draw(t, label+"?") > 0 {
		return nil
	}
	g := rapid.SampledFrom([]string{"a-b", "a-d", "b-", "bb-c", "c-c", "d-b", "a-", "e-g", "-c", "c-f"})
	return spansOf(rapid.SliceOfN(g, 0, most).Draw(t, label))
}

func TestLatchesModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab, m, count := NewLatches(), &latchModel{}, 0
		pick := func(t *rapid.T) *Latch {
			if len(m.live) == 0 {
				t.Skip("nobody is live")
			}
			return rapid.SampledFrom(m.live).Draw(t, "latch")
		}
		var spare []*Latch // released ones are used again
		t.Repeat(map[string]func(*rapid.T){
			"acquire": func(t *rapid.T) {
				l := &Latch{}
				if len(spare) > 0 {
					l, spare = spare[0], spare[1:]
				}
				l.Writes, l.Reads = genKeys(t, 3, "writes"), genKeys(t, 3, "reads")
				l.WriteSpans, l.ReadSpans = genSpans(t, 2, "write spans"), genSpans(t, 2, "read spans")
				count++
				l.Owner = count
				m.live = append(m.live, l)
				if got, want := tab.Acquire(l), m.granted(l); got != want {
					t.Fatalf("%v granted: %v, want %v", l.Owner, got, want)
				}
			},
			"release": func(t *rapid.T) {
				l := pick(t)
				before := map[*Latch]bool{}
				for _, e := range m.live {
					before[e] = m.granted(e)
				}
				m.live = without(m.live, l)
				var want []*Latch
				for _, e := range m.live {
					if m.granted(e) && !before[e] {
						want = append(want, e)
					}
				}
				if got := tab.Release(l); !slices.Equal(got, want) {
					t.Fatalf("release of %v: %v, want %v", l.Owner, names(got), names(want))
				}
				spare = append(spare, l)
			},
			"ts": func(t *rapid.T) {
				if l, c := pick(t), rapid.Int64Range(0, 5).Draw(t, "c"); c == 0 {
					l.ClearTS()
				} else {
					l.SetTS(txn.Timestamp(c))
				}
			},
			"": func(t *rapid.T) {
				tab.checkInvariants(t)
				r := txn.Timestamp(rapid.Int64Range(1, 6).Draw(t, "r"))
				for _, k := range keysOf([]string{"a", "b", "ba", "c", "f"}) {
					if got, want := tab.BlockingKey(k, r), m.blocking(r, txn.KeySpan(k)); got != want {
						t.Fatalf("blocking %v at %d", k, r)
					}
				}
				for _, s := range spansOf([]string{"a-c", "b-bb", "c-", "d-c", "-"}) {
					if got, want := tab.BlockingSpan(s, r), m.blocking(r, s); got != want {
						t.Fatalf("blocking %v at %d", s, r)
					}
				}
			},
		})
		for len(m.live) > 0 { // nothing is left behind
			tab.Release(m.live[0])
			m.live = m.live[1:]
		}
		if len(tab.queues) != 0 || tab.held != 0 || len(tab.spanned) != 0 || tab.last != nil {
			t.Fatalf("left behind: %d queues, %d held", len(tab.queues), tab.held)
		}
	})
}

// TestDeadModel is rule A4: an id is refused for as long as rule L3's age
// limit would let it pass, and its memory is given back after twice that.
func TestDeadModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, newest, bases := NewDead(), txn.Timestamp(1_000_000), []txn.Timestamp{}
		d.Advance(newest)
		id := func(i int) txn.ID { return txn.NewID(1, uint64(i)) }
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				age := rapid.Int64Range(0, 7_000_000).Draw(t, "age")
				base := max(1, newest-txn.Timestamp(age))
				d.Add(id(len(bases)), base)
				bases = append(bases, base)
			},
			"add at the limit": func(t *rapid.T) {
				base := max(1, newest-DeadFor+txn.Timestamp(rapid.Int64Range(-1, 1).Draw(t, "past")))
				d.Add(id(len(bases)), base)
				bases = append(bases, base)
			},
			"advance": func(t *rapid.T) {
				step := rapid.SampledFrom([]int64{-1_000_000, 1, 100_000, 2_499_999, 5_000_000, 5_000_001, 2e7})
				to := newest + txn.Timestamp(step.Draw(t, "step"))
				newest = max(newest, to)
				d.Advance(to)
			},
			"": func(t *rapid.T) {
				for i, base := range bases {
					age, has := newest-base, d.Has(id(i))
					if age <= DeadFor && !has {
						t.Fatalf("%v of base %d is forgotten at %d", id(i), base, newest)
					}
					if age > 2*DeadFor && has {
						t.Fatalf("%v of base %d is kept at %d", id(i), base, newest)
					}
				}
			},
		})
	})
}

// TestShardCacheModel compares floors with those of a list that forgets
// nothing: never lower, and equal as long as nothing was forgotten.
func TestShardCacheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := NewShardCache(NewTSCache(1 << 12))
		var reads []rangeRead
		low := txn.Timestamp(0)
		t.Repeat(map[string]func(*rapid.T){
			"bump": func(t *rapid.T) {
				k := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "key")
				v := txn.Timestamp(rapid.Int64Range(1, 100).Draw(t, "v"))
				reads = append(reads, rangeRead{txn.KeySpan(txn.Key(k)), v})
				c.Bump(txn.Key(k), v)
			},
			"span": func(t *rapid.T) {
				s := spanOf(rapid.SampledFrom([]string{"a-b", "a-d", "b-", "-c", "-", "c-b", "b-c"}).Draw(t, "span"))
				v := txn.Timestamp(rapid.Int64Range(1, 100).Draw(t, "v"))
				own := txn.Span{Start: s.Start.Clone(), End: s.End.Clone()}
				reads = append(reads, rangeRead{own, v})
				c.BumpSpan(s, v)
				clear(s.Start) // the caller may use his bytes again
				clear(s.End)
			},
			"flood": func(t *rapid.T) {
				v := txn.Timestamp(rapid.Int64Range(1, 100).Draw(t, "v"))
				for i := range rapid.IntRange(1, 2*RangeReadsMax).Draw(t, "n") {
					c.BumpSpan(txn.PrefixSpan(txn.Key(fmt.Sprintf("zz%04d", i))), v)
				}
			},
			"raise": func(t *rapid.T) {
				v := txn.Timestamp(rapid.Int64Range(1, 60).Draw(t, "v"))
				low = max(low, v)
				c.RaiseLow(v)
			},
			"": func(t *rapid.T) {
				for _, k := range keysOf([]string{"a", "aa", "b", "c", "d", "e"}) {
					want := low
					for _, e := range reads {
						if e.span.Contains(k) {
							want = max(want, e.value)
						}
					}
					got := c.Floor(k)
					if got < want || got > max(want, c.Low()) {
						t.Fatalf("floor of %v: %d, want %d, low %d", k, got, want, c.Low())
					}
				}
			},
		})
	})
}

// TestShardCacheConcurrent: a reader's bump holds from its return on, whatever
// others make the cache forget.
func TestShardCacheConcurrent(t *testing.T) {
	c := NewShardCache(NewTSCache(1 << 8))
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 2_000 {
				v := txn.Timestamp(i*4 + g)
				k := txn.Key(fmt.Sprintf("%d/%04d", g, i))
				if i%2 == 0 {
					c.Bump(k, v)
				} else {
					c.BumpSpan(txn.KeySpan(k), v)
				}
				if i%500 == 0 {
					c.RaiseLow(v / 2)
				}
				if floor := c.Floor(k); floor < v {
					t.Errorf("floor of %v: %d < %d", k, floor, v)
				}
			}
		})
	}
	wg.Wait()
	c.checkInvariants(t)
}

func TestTSCacheSharedSlot(t *testing.T) {
	c := NewTSCache(1)
	c.Bump(txn.Key("a"), 5)
	c.Bump(txn.Key("b"), 3)
	if got := c.Get(txn.Key("c")); got != 5 {
		t.Fatalf("value of a shared slot: %d, want 5", got)
	}
}

// TestHashKey pins the hash, which simulations rely on, and looks at how well
// it spreads keys that differ little.
func TestHashKey(t *testing.T) {
	if got := hashKey(txn.Key("cairn/0001")); got != 0x6aae5695a6db7232 {
		t.Fatalf("hash %#x", got)
	}
	used := map[uint64]bool{}
	for i := range 1 << 16 {
		used[hashKey(txn.NewKey(1, fmt.Appendf(nil, "user/%08d", i)))&(TSCacheSlots-1)] = true
	}
	// 2^16 keys thrown at random into 2^18 slots meet 57,986 of them.
	if len(used) < 57_000 {
		t.Fatalf("65536 keys share %d slots", len(used))
	}
}
