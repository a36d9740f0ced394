package mvcc

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/cockroachkvs"

	"github.com/cairnkv/cairn/txn"
)

const testTS txn.Timestamp = 1_700_000_000_000_001

var goldenVersions = []struct {
	name string
	v    txn.Version
	want string
}{
	{"created key", txn.Version{
		TS: testTS, Txn: txn.NewID(3, 17), Revision: 0, First: 0, CreateTS: testTS,
		Value: txn.StringValue("hi"),
	}, "01000102 0000030000000011 00 6869"},
	{"second incarnation", txn.Version{
		TS: testTS, Txn: txn.NewID(3, 17), Revision: 300, First: 300, CreateTS: testTS,
		Value: txn.IntValue(-2),
	}, "01000202 0000030000000011 ac02 fffffffffffffffe"},
	{"overwrite with all there is", txn.Version{
		TS: testTS, Txn: txn.NewID(3, 17), Revision: 5, First: 2, CreateTS: 0x0102030405,
		Expiry: 0x060708090a, NoHistory: true, Principal: "ann", Message: "why",
		Value: txn.BoolValue(true),
	}, "0100041d 0000030000000011 05 0000000102030405 02 000000060708090a 03616e6e 03776879 01"},
	{"extend", txn.Version{
		TS: testTS, Kind: txn.KindExtend, Txn: txn.NewID(1, 1), Revision: 1, First: 0,
		CreateTS: 7, Expiry: 9, Value: txn.NullValue(),
	}, "01020605 0000010000000001 01 0000000000000007 00 0000000000000009"},
	{"carries out a request", txn.Version{
		TS: testTS, Txn: txn.NewID(3, 17), Revision: 300, First: 300, CreateTS: testTS, Principal: "ann",
		Request: &txn.Request{ID: txn.RequestID{0xaa, 15: 0xbb}, Fingerprint: 0xfeed}, Value: txn.IntValue(-2),
	}, "01000232 0000030000000011 aa0000000000000000000000000000bb 000000000000feed ac02 03616e6e 00 fffffffffffffffe"},
	{"delete", txn.Version{
		TS: testTS, Kind: txn.KindDelete, Txn: txn.NewID(1, 1), Revision: 1, CreateTS: 7,
	}, "01010004 0000010000000001 01 0000000000000007 00"},
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func checkGolden(t *testing.T, name string, got []byte, want string) {
	t.Helper()
	if !bytes.Equal(got, unhex(want)) {
		t.Errorf("%s: the format on disk has changed:\n got %x\nwant %s", name, got, want)
	}
}

func TestGoldenVersion(t *testing.T) {
	for _, c := range goldenVersions {
		b := AppendVersion(nil, &c.v)
		checkGolden(t, c.name, b, c.want)
		v, err := DecodeVersion(testTS, b)
		if err != nil || !reflect.DeepEqual(plain(v), plain(c.v)) {
			t.Errorf("%s: decoded to %+v, %v", c.name, v, err)
		}
	}
}

// What the request of a version is, is told without the rest of it.
func TestRequestOf(t *testing.T) {
	for _, c := range goldenVersions {
		b := unhex(c.want)
		var wantID txn.RequestID
		want := txn.RequestRow{Txn: c.v.Txn, CommitTS: testTS}
		if q := c.v.Request; q != nil {
			wantID, want.Status, want.Fingerprint = q.ID, txn.Committed, q.Fingerprint
		}
		id, row, err := requestOf(testTS, b)
		if err != nil || id != wantID || row != want {
			t.Errorf("%s: %x %+v, %v", c.name, id, row, err)
		}
		if v, err := decodeVersion(testTS, b, withAnnotation); err != nil || v.Request != nil {
			t.Errorf("%s: the request is told to who does not want it: %v", c.name, err)
		}
	}
	b := unhex("01000232 0000030000000011 aa0000000000000000000000000000bb 000000000000feed")
	for n := range b {
		if _, _, err := requestOf(testTS, b[:n]); err == nil {
			t.Errorf("%d bytes decode", n)
		}
	}
	if _, _, err := requestOf(testTS, append([]byte{2}, b[1:]...)); err == nil {
		t.Error("an unknown format decodes")
	}
}

// A version of a created key says "created here", so its bytes stay right
// when it moves to its commit timestamp.
func TestMovedVersion(t *testing.T) {
	v := goldenVersions[1].v
	moved, err := DecodeVersion(testTS+5, AppendVersion(nil, &v))
	if err != nil || moved.CreateTS != testTS+5 || moved.First != 300 || moved.TS != testTS+5 {
		t.Errorf("moved to %+v, %v", moved, err)
	}
	v = goldenVersions[2].v
	moved, err = DecodeVersion(testTS+5, AppendVersion(nil, &v))
	if err != nil || moved.CreateTS != v.CreateTS || moved.Expiry != v.Expiry {
		t.Errorf("moved to %+v, %v", moved, err)
	}
}

func testIntent() Intent {
	k := txn.NewKey(1, []byte("k"))
	return Intent{
		Key: k, Txn: txn.NewID(3, 17), BaseTS: 10, TS: 11, Hash: 0xfeed,
		Age: txn.Age{At: 9, ID: txn.NewID(3, 16)}, Primary: txn.NewKey(1, []byte("p")),
		Bound: 77, KeysDelta: -1, BytesDelta: -300,
	}
}

func TestGoldenIntent(t *testing.T) {
	const fixed = "0000030000000011 000000000000000a 000000000000000b 000000000000feed" +
		"0000000000000009 0000030000000010 01 d704"
	i := testIntent()
	checkGolden(t, "bound", AppendIntent(nil, &i), "0106"+fixed+"000000000000004d"+"0000000170")
	i.Bound = 0
	checkGolden(t, "secondary", AppendIntent(nil, &i), "0102"+fixed+"0000000170")
	i.IsPrimary, i.Primary = true, i.Key
	checkGolden(t, "primary", AppendIntent(nil, &i), "0103"+fixed)
	got, err := DecodeIntent(i.Key, AppendIntent(nil, &i))
	if err != nil || !reflect.DeepEqual(got, i) {
		t.Errorf("decoded to %+v, %v", got, err)
	}
}

func TestGoldenRequest(t *testing.T) {
	r := txn.RequestRow{Status: txn.Committed, Fingerprint: 0xfeed, Txn: txn.NewID(3, 17), BaseTS: 10, CommitTS: 11}
	const fixed = "000000000000feed 0000030000000011 000000000000000a"
	checkGolden(t, "committed", AppendRequest(nil, &r), "0103"+fixed+"000000000000000b")
	got, err := DecodeRequest(AppendRequest(nil, &r))
	if err != nil || got != r {
		t.Errorf("decoded to %+v, %v", got, err)
	}
	r.Status, r.CommitTS = txn.Pending, 0
	checkGolden(t, "open", AppendRequest(nil, &r), "0101"+fixed+"0000000000000000")
	inquiry := txn.RequestRow{Status: txn.Aborted, BaseTS: 10}
	checkGolden(t, "aborted", AppendRequest(nil, &inquiry),
		"0104 0000000000000000 0000000000000000 000000000000000a 0000000000000000")
	for _, bad := range []string{
		"", "0103" + fixed, "0203" + fixed + "000000000000000b", "0103" + fixed + "000000000000000b00",
		"0100" + fixed + "0000000000000000", "0102" + fixed + "0000000000000000",
		"0105" + fixed + "0000000000000000", "0103" + fixed + "0000000000000000",
		"0101" + fixed + "000000000000000b", "0103" + fixed + "800000000000000b",
	} {
		if _, err := DecodeRequest(unhex(bad)); txn.KindOf(err) != txn.Internal || err == nil {
			t.Errorf("%s decodes: %v", bad, err)
		}
	}
}

func TestGoldenRecord(t *testing.T) {
	r := txn.Record{
		Txn: txn.NewID(3, 17), Primary: txn.NewKey(1, []byte("ab")), Status: txn.Staging,
		BaseTS: 10, MaxTS: txn.Forever, Hash: 0xfeed,
		Keys: []txn.Key{txn.NewKey(1, []byte("ab")), txn.NewKey(1, []byte("acd")), txn.NewKey(2, nil)},
	}
	b := AppendRecord(nil, &r)
	checkGolden(t, "staging", b, "0102 000000000000000a 7fffffffffffffff 0000000000000000"+
		"000000000000feed 03 00 06 000000016162 05 02 6364 03 01 02")
	got, err := DecodeRecord(r.Primary, r.Txn, b)
	if err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("decoded to %+v, %v", got, err)
	}
}

func TestGoldenShardState(t *testing.T) {
	s := ShardState{
		AppliedIndex: 1, AppliedTerm: 2, Epoch: 3, ClosedTS: 4, RecordFloor: 5,
		Keys: 6, Bytes: -7, ConfState: []byte{8, 1},
	}
	b := AppendShardState(nil, &s)
	checkGolden(t, "state", b, "01 0000000000000001 0000000000000002 0000000000000003"+
		"0000000000000004 0000000000000005 0000000000000006 fffffffffffffff9 0801")
	got, err := DecodeShardState(b)
	if err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("decoded to %+v, %v", got, err)
	}
}

func TestGoldenChunk(t *testing.T) {
	long := strings.Repeat("a", 128)
	checkGolden(t, "chunk", pairs("\x01k\x00", "v", "\x01l\x00", "", "\x01m\x00", long),
		"01 03 016b00 01 76 03 016c00 00 03 016d00 8001"+strings.Repeat("61", 128))
}

// What no release wrote is refused, never guessed.
func TestHostileBytes(t *testing.T) {
	version := func(s string) error {
		_, err := DecodeVersion(testTS, unhex(s))
		return err
	}
	record := func(s string) error {
		_, err := DecodeRecord(nil, 1, unhex(s))
		return err
	}
	bomb := "0102" + strings.Repeat("00", 32) + "904e" + "00 8020" + strings.Repeat("61", 4096) +
		strings.Repeat("8020 00", 9999)
	for name, err := range map[string]error{
		"empty":             version(""),
		"unknown format":    version("02000002 0000030000000011 00"),
		"unknown flag":      version("01000040 0000030000000011 00"),
		"request cut":       version("01000022 0000030000000011 aa0000000000000000000000000000bb 000000000000fe"),
		"unknown kind":      version("01030000 0000030000000011 00"),
		"unknown type":      version("01000702 0000030000000011 00"),
		"created twice":     version("01000006 0000030000000011 00 0000000000000007 00"),
		"delete with value": version("01010000 0000030000000011 00 61"),
		"short int":         version("01000202 0000030000000011 00 6162"),
		"bool of two":       version("01000402 0000030000000011 00 02"),
		"long principal":    version("01000012 0000030000000011 00 ffffffff0f 61"),
		"negative expiry":   version("01000003 0000030000000011 00 ffffffffffffffff"),
		"record bomb":       record(bomb),
		"record absent":     record("0100" + strings.Repeat("00", 33)),
		"record tail":       record("0103" + strings.Repeat("00", 34)),
		"record of 2^63":    record("0102" + strings.Repeat("00", 32) + "ffffffffffffffffff01"),
	} {
		e, ok := errors.AsType[*txn.Error](err)
		if !ok || e.Reason != ReasonCorruption || e.Kind != txn.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLiveDelta(t *testing.T) {
	none := &txn.Version{}
	three := &txn.Version{TS: 1, Value: txn.StringValue("abc")}
	one := &txn.Version{TS: 2, Value: txn.StringValue("a"), Expiry: 3}
	gone := &txn.Version{TS: 3, Kind: txn.KindDelete}
	for _, c := range []struct {
		name        string
		prev, next  *txn.Version
		keys, bytes int64
	}{
		{"create", none, three, 1, 3},
		{"overwrite", three, one, 0, -2},
		{"delete", three, gone, -1, -3},
		{"sweep of an expired key", one, gone, -1, -1},
		{"recreate", gone, one, 1, 1},
		{"abort", three, nil, -1, -3},
		{"delete of nothing", none, none, 0, 0},
	} {
		if keys, bytes := LiveDelta(c.prev, c.next); keys != c.keys || bytes != c.bytes {
			t.Errorf("%s: %d keys, %d bytes", c.name, keys, bytes)
		}
	}
}

// Every key and bound is valid for the comparer, and every constructor's keys
// lie within the bounds of their space and of no other.
func TestEngineKeys(t *testing.T) {
	span := func(f func(txn.Span) ([]byte, []byte), s txn.Span) [2][]byte {
		lower, upper := f(s)
		return [2][]byte{lower, upper}
	}
	pair := func(lower, upper []byte) [2][]byte { return [2][]byte{lower, upper} }
	for _, user := range []string{"", "a", "a\x00", "\x00", "\x09", "\xff\xff", strings.Repeat("\x12", 4096)} {
		k := txn.NewKey(1, []byte(user))
		one, from, all := txn.KeySpan(k), txn.Span{Start: k}, txn.Span{}
		bounds := [][2][]byte{}
		for _, f := range []func(txn.Span) ([]byte, []byte){
			RecordBounds, IntentBounds, DataBounds, RequestBounds,
		} {
			bounds = append(bounds, span(f, one), span(f, from), span(f, all))
		}
		bounds = append(bounds, pair(ShardBounds(7)), pair(ShardBounds(1<<64-1)),
			pair(ShardSpaceBounds()), pair(MetaBounds('d')), pair(LocalBounds()))
		for _, b := range slices.Concat(ReplicaBounds(7, one, false), ReplicaBounds(1<<64-1, all, false),
			ReplicaBounds(7, all, true)) {
			bounds = append(bounds, pair(b.Lower, b.Upper))
		}
		keys := map[string][]int{ // key to the bounds it lies in
			string(RecordKey(k, txn.NewID(1, 2))):         {0, 1, 2, 18, 23},
			string(IntentKey(k)):                          {3, 4, 5, 19, 24},
			string(DataKey(k, 1)):                         {6, 7, 8, 20, 25},
			string(DataKey(k, txn.Forever)):               {6, 7, 8, 20, 25},
			string(RequestKey(k, txn.RequestID{1, 2, 3})): {9, 10, 11, 21, 26},
			string(ShardStateKey(7)):                      {12, 14, 17, 27},
			string(ShardDescriptorKey(7)):                 {12, 14, 17, 27},
			string(GCThresholdKey(7, 5)):                  {12, 14, 17, 27},
			string(DroppedKey(1<<64-1, 1<<32-1)):          {13, 14, 22},
			string(UsageKey(7, 1<<32-1)):                  {12, 14, 17, 27},
			string(MetaKey('d', []byte(user))):            {15, 28},
			string(LocalKey("ident" + user)):              {16},
		}
		check := func(b []byte) {
			if err := cockroachkvs.Comparer.ValidateKey.Validate(b); err != nil {
				t.Errorf("%x: %v", b, err)
			}
			if _, _, ok := cockroachkvs.DecodeEngineKey(b); !ok {
				t.Errorf("%x is no engine key", b)
			}
		}
		for i, b := range bounds {
			check(b[0])
			check(b[1])
			for key, want := range keys {
				in := Compare([]byte(key), b[0]) >= 0 && Compare([]byte(key), b[1]) < 0
				expected := false
				for _, w := range want {
					expected = expected || w == i
				}
				if in != expected {
					t.Errorf("%x in bounds %d %x: %v", key, i, b, in)
				}
			}
		}
		for key := range keys {
			check([]byte(key))
		}
	}
}

// A replica's bounds are such that an engine takes them, and leave out a span
// without keys.
func TestReplicaBounds(t *testing.T) {
	k := txn.NewKey(1, []byte("k"))
	empty := txn.Span{Start: txn.Key{0}, End: txn.Key{0}}
	order := stateOrder()
	for n, within := range map[int][]Bounds{
		5: ReplicaBounds(7, txn.KeySpan(k), false), 2: ReplicaBounds(0, empty, true),
		1: ReplicaBounds(1<<64-1, empty, false),
	} {
		if _, err := order.copyBounds(within); err != nil || len(within) != n {
			t.Errorf("%d bounds, want %d, %v", len(within), n, err)
		}
	}
	if _, err := order.copyBounds(ReplicaBounds(7, txn.Span{}, false)); err != nil {
		t.Error(err) // these touch each other
	}
}

func TestDecodeKeys(t *testing.T) {
	k := txn.NewKey(1, []byte("a\x00\x09"))
	if got, ts, err := DecodeDataKey(DataKey(k, testTS)); err != nil || ts != testTS ||
		got.Compare(k) != 0 {
		t.Error(got, ts, err)
	}
	if got, err := DecodeIntentKey(IntentKey(k)); err != nil || got.Compare(k) != 0 {
		t.Error(got, err)
	}
	id := txn.NewID(9, 10)
	if got, gotID, err := DecodeRecordKey(RecordKey(k, id)); err != nil || gotID != id ||
		got.Compare(k) != 0 {
		t.Error(got, gotID, err)
	}
	name := txn.RequestID{15: 1}
	if got, gotName, err := DecodeRequestKey(RequestKey(k, name)); err != nil ||
		gotName != name || got.Compare(k) != 0 {
		t.Error(got, gotName, err)
	}
	kind, row, err := DecodeMetaKey(MetaKey('m', []byte("x\x00")))
	if err != nil || kind != 'm' || string(row) != "x\x00" {
		t.Error(kind, row, err)
	}
}
