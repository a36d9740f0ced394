package shard

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cairnkv/cairn/txn"
)

// valued is a version of so many bytes that expires, or with 0 never.
func valued(size int, expiry txn.Timestamp) *txn.Version {
	return &txn.Version{TS: 1, Expiry: expiry, Value: txn.BytesValue(make([]byte, size))}
}

func mustPut(t *testing.T, l *life, k string, v *txn.Version, at txn.Timestamp) {
	t.Helper()
	if err := l.put(key(k), v, at); err != nil {
		t.Fatal(err)
	}
}

// there names those of the keys that are kept. Asking is a use.
func there(l *life, at txn.Timestamp, keys ...string) string {
	var found []string
	for _, k := range keys {
		if v := l.get(key(k), at); v.TS != 0 {
			found = append(found, k)
		}
	}
	return strings.Join(found, " ")
}

// check compares the books with what there is.
func (m *Ephemeral) check(t *testing.T) {
	t.Helper()
	var bytes, keys int64
	for _, l := range m.mu.lives {
		var own int64
		ring, expiring := 0, 0
		last := uint64(0)
		for e := l.recent.next; e != &l.recent; e = e.next {
			if l.keys[e.key] != e || e.used <= last {
				t.Fatalf("%q is out of order", e.key)
			}
			last = e.used
			ring++
			own += e.size()
			if e.version.Expiry != 0 {
				expiring++
			}
		}
		for i, e := range l.expiring {
			if e.place != i || l.keys[e.key] != e || i > 0 && l.expiring.Less(i, (i-1)/2) {
				t.Fatalf("the heap is broken at %d", i)
			}
		}
		if ring != len(l.keys) || expiring != len(l.expiring) || own != l.bytes {
			t.Fatalf("%d keys, %d in the ring; %d expire, %d in the heap; %d bytes, not %d",
				len(l.keys), ring, expiring, len(l.expiring), own, l.bytes)
		}
		bytes, keys = bytes+own, keys+int64(ring)
	}
	if u := m.Use(); u.Bytes != bytes || u.Keys != keys || u.Bytes > m.bytesMax || u.Bytes < 0 {
		t.Fatalf("%+v of %d, there are %d bytes and %d keys", u, m.bytesMax, bytes, keys)
	}
}

// Ten times as much as there is room for: the newest stay, and nothing else.
func TestEphemeralMemoryIsBounded(t *testing.T) {
	const size, fit = 1000, 50
	each := int64(ephemeralOverhead + len(key("k000")) + size)
	m := NewEphemeral(fit * each)
	lives := []*life{m.begin(), m.begin()}
	for i := range 10 * fit {
		mustPut(t, lives[i%2], fmt.Sprintf("k%03d", i), valued(size, 0), 1)
		m.check(t)
	}
	if u := m.Use(); u.Bytes != fit*each || u.Keys != fit || u.Evicted != 9*fit {
		t.Errorf("%+v", u)
	}
	for i := range 10 * fit {
		k := fmt.Sprintf("k%03d", i)
		if got, want := there(lives[i%2], 1, k) != "", i >= 9*fit; got != want {
			t.Errorf("%s is there: %v", k, got)
		}
	}
	lives[0].end()
	m.check(t)
	if u := m.Use(); u.Keys != fit/2 || u.Bytes != fit/2*each {
		t.Errorf("after the end of one of two leaderships: %+v", u)
	}
	mustPut(t, lives[1], "k", valued(int(fit/2*each)-ephemeralOverhead-len(key("k")), 0), 1)
	if u := m.Use(); u.Evicted != 9*fit {
		t.Errorf("there was room, and something went: %+v", u)
	}
}

func TestEphemeralEvictsByUse(t *testing.T) {
	each := int64(ephemeralOverhead + len(key("a")) + 10)
	m := NewEphemeral(4 * each)
	l, other := m.begin(), m.begin()
	for _, k := range []string{"a", "b", "c"} {
		mustPut(t, l, k, valued(10, 0), 1)
	}
	mustPut(t, other, "a", valued(10, 0), 1)
	there(l, 1, "a")                     // a use
	mustPut(t, l, "b", valued(10, 0), 1) // and another
	mustPut(t, l, "d", valued(10, 0), 1) // c goes
	mustPut(t, l, "e", valued(10, 0), 1) // a of the other
	if there(other, 1, "a") != "" || there(l, 1, "a", "b", "c", "d", "e") != "a b d e" {
		t.Errorf("left are %q and %q", there(l, 1, "a", "b", "c", "d", "e"), there(other, 1, "a"))
	}
	m.check(t)
	// A look at a tombstone is no use of it: it goes first.
	mustPut(t, l, "a", &txn.Version{TS: 2, Kind: txn.KindDelete, Value: txn.BytesValue(make([]byte, 10))}, 2)
	there(l, 2, "b", "d", "e", "a")
	mustPut(t, l, "f", valued(10, 0), 2)
	if got := there(l, 2, "a", "b", "d", "e", "f"); got != "b d e f" {
		t.Errorf("left are %q", got)
	}
}

// What has expired does not stay where something else would have to go.
func TestEphemeralEvictsExpiredFirst(t *testing.T) {
	each := int64(ephemeralOverhead + len(key("a")) + 10)
	m := NewEphemeral(3 * each)
	l, other := m.begin(), m.begin()
	mustPut(t, l, "a", valued(10, 0), 1)
	mustPut(t, l, "b", valued(10, 200), 1)
	mustPut(t, other, "c", valued(10, 100), 1)
	mustPut(t, l, "d", valued(10, 0), 150)
	if there(other, 150, "c") != "" || there(l, 150, "a", "b", "d") != "a b d" {
		t.Error("c had expired, and something else went")
	}
	mustPut(t, l, "b", valued(10, 0), 150) // it does not expire any more
	there(l, 300, "b", "d")
	mustPut(t, l, "e", valued(10, 0), 300)
	if got := there(l, 300, "a", "b", "d", "e"); got != "b d e" {
		t.Errorf("left are %q", got)
	}
	m.check(t)
}

func TestEphemeralTooLarge(t *testing.T) {
	m := NewEphemeral(1000)
	l := m.begin()
	mustPut(t, l, "a", valued(10, 0), 1)
	err := l.put(key("a"), valued(1000, 0), 1)
	if txn.KindOf(err) != txn.Exhausted || !strings.Contains(err.Error(), "1000") {
		t.Errorf("got %v", err)
	}
	if v := l.get(key("a"), 1); len(v.Value.Data) != 10 {
		t.Error("what was refused took away what was there")
	}
	m.check(t)
}

func TestEphemeralDropKeyspace(t *testing.T) {
	m := NewEphemeral(1 << 20)
	lives := []*life{m.begin(), m.begin()}
	for i := range 40 {
		k := txn.NewKey(txn.KeyspaceID(1+i%4), fmt.Append(nil, i))
		if err := lives[i/20].put(k, valued(i, txn.Timestamp(i)), 1); err != nil {
			t.Fatal(err)
		}
	}
	m.DropKeyspace(3)
	m.check(t)
	for i := range 40 {
		k := txn.NewKey(txn.KeyspaceID(1+i%4), fmt.Append(nil, i))
		if v := lives[i/20].get(k, 1); (v.TS != 0) != (i%4 != 2) {
			t.Errorf("%v is there: %v", k, v.TS != 0)
		}
	}
	if u := m.Use(); u.Keys != 30 || u.Evicted != 0 {
		t.Errorf("%+v", u)
	}
}

// The books agree with what there is, whatever is done.
func TestEphemeralBooks(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	m := NewEphemeral(20_000)
	var lives []*life
	for at := txn.Timestamp(1); at < 3000; at++ {
		for len(lives) < 3 {
			lives = append(lives, m.begin())
		}
		i := rnd.IntN(3)
		k := key(fmt.Sprint(rnd.IntN(40)))
		switch rnd.IntN(40) {
		case 0:
			lives[i].end()
			lives = append(lives[:i], lives[i+1:]...)
		case 1:
			m.DropKeyspace(txn.KeyspaceID(rnd.IntN(2)))
		default:
			if rnd.IntN(2) == 0 {
				lives[i].get(k, at)
				break
			}
			v := valued(rnd.IntN(1000), 0)
			if rnd.IntN(2) == 0 {
				v.Expiry = at + 1 + txn.Timestamp(rnd.IntN(300))
			}
			if err := lives[i].put(k, v, at); err != nil {
				t.Fatal(err)
			}
			if got := lives[i].get(k, at); got.Expiry != v.Expiry || len(got.Value.Data) != len(v.Value.Data) {
				t.Fatalf("%v is not what was put", k)
			}
		}
		m.check(t)
	}
	if m.Use().Evicted == 0 {
		t.Error("there was always room")
	}
}
