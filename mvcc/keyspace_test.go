package mvcc

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cairnkv/cairn/txn"
)

func TestKeyspaceRows(t *testing.T) {
	eng := OpenMem(Compare)
	b := eng.NewBatch()
	defer b.Close()
	used := txn.Usage{Keys: -3, LiveBytes: 1 << 40, Versions: 7, Bytes: 1 << 62}
	PutDropped(b, 2, 7, 0)
	PutDropped(b, 2, 1<<32-1, 99)
	PutDropped(b, 3, 8, 5)
	PutUsage(b, 2, 1, used)
	PutUsage(b, 2, 9, txn.Usage{Keys: 1})
	PutUsage(b, 2, 9, txn.Usage{})
	PutShardState(b, 2, &ShardState{})
	if err := b.Commit(false); err != nil {
		t.Fatal(err)
	}
	gone, err := GetDropped(eng, 2)
	if err != nil || fmt.Sprint(gone) != "map[7:0 4294967295:99]" {
		t.Errorf("dropped: %v, %v", gone, err)
	}
	holds, err := GetUsage(eng, 2)
	if err != nil || len(holds) != 1 || holds[1] != used {
		t.Errorf("usage: %v, %v", holds, err)
	}
	for name, row := range map[string][]byte{"short": {1, 0}, "long": make([]byte, 10),
		"format": {2, 0, 0, 0, 0, 0, 0, 0, 0}} {
		b := eng.NewBatch()
		b.Set(DroppedKey(2, 7), row)
		if err := b.Commit(false); err != nil {
			t.Fatal(err)
		}
		if _, err := GetDropped(eng, 2); err == nil {
			t.Errorf("%s: it was read", name)
		}
	}
}

// TestEraseSpan: of all spaces all goes that belongs to a keyspace, and nothing of its neighbours.
func TestEraseSpan(t *testing.T) {
	p := openTest(t, PebbleOptions{})
	defer p.Close()
	for name, eng := range map[string]Engine{"pebble": p, "mem": OpenMem(Compare)} {
		t.Run(name, func(t *testing.T) { testEraseSpan(t, eng) })
	}
}

func testEraseSpan(t *testing.T, eng Engine) {
	b := eng.NewBatch()
	defer b.Close()
	last, first := strings.Repeat("\xff", txn.KeyBytesMax), "\x00"
	rows := map[txn.KeyspaceID][][]byte{}
	for _, ks := range []txn.KeyspaceID{1, 6, 7, 8, 1<<32 - 1} {
		for _, user := range []string{first, "k", last} {
			k := txn.NewKey(ks, []byte(user))
			for _, key := range [][]byte{DataKey(k, 1), DataKey(k, txn.Forever), IntentKey(k), RecordKey(k, 1<<64-1),
				RequestKey(k, txn.RequestID{255})} {
				b.Set(key, []byte("v"))
				rows[ks] = append(rows[ks], key)
			}
		}
	}
	EraseSpan(b, txn.KeyspaceSpan(7))
	EraseSpan(b, txn.KeyspaceSpan(1<<32-1)) // which has no end
	EraseSpan(b, txn.Span{Start: txn.Key("b"), End: txn.Key("a")})
	if err := b.Commit(false); err != nil {
		t.Fatal(err)
	}
	for ks, keys := range rows {
		for _, key := range keys {
			_, there, err := eng.Get(key)
			if want := ks != 7 && ks != 1<<32-1; err != nil || there != want {
				t.Errorf("%x of keyspace %d is there: %v, %v", key[:min(len(key), 16)], ks, there, err)
			}
		}
	}
}
