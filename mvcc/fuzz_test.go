package mvcc

import (
	"reflect"
	"testing"

	"github.com/cairnkv/cairn/txn"
)

// Each target decodes anything without a panic, and what decodes survives
// another round unchanged.

func FuzzVersion(f *testing.F) {
	for _, c := range goldenVersions {
		f.Add(int64(c.v.TS), unhex(c.want))
	}
	f.Fuzz(func(t *testing.T, ts int64, b []byte) {
		v, err := DecodeVersion(txn.Timestamp(ts), b)
		if err != nil {
			return
		}
		again, err := DecodeVersion(txn.Timestamp(ts), AppendVersion(nil, &v))
		if err != nil || !reflect.DeepEqual(plain(again), plain(v)) {
			t.Fatalf("%+v came back as %+v, %v", v, again, err)
		}
		id, row, err := requestOf(v.TS, b)
		if q := v.Request; err != nil || row.CommitTS != v.TS || row.Txn != v.Txn ||
			(q != nil) != (row.Status == txn.Committed) ||
			q != nil && *q != (txn.Request{ID: id, Fingerprint: row.Fingerprint}) {
			t.Fatalf("of %+v the request is %x %+v, %v", v, id, row, err)
		}
	})
}

func FuzzIntent(f *testing.F) {
	i := testIntent()
	f.Add([]byte(i.Key), AppendIntent(nil, &i))
	f.Fuzz(func(t *testing.T, k, b []byte) {
		i, err := DecodeIntent(k, b)
		if err != nil {
			return
		}
		again, err := DecodeIntent(k, AppendIntent(nil, i.Clone()))
		if err != nil || !reflect.DeepEqual(again.Clone(), i.Clone()) {
			t.Fatalf("%+v came back as %+v, %v", i, again, err)
		}
	})
}

func FuzzRecord(f *testing.F) {
	f.Add(unhex("0102 000000000000000a 7fffffffffffffff 0000000000000000" +
		"000000000000feed 03 00 06 000000016162 05 02 6364 03 01 02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRecord(nil, 1, b)
		if err != nil {
			return
		}
		again, err := DecodeRecord(nil, 1, AppendRecord(nil, &r))
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Fatalf("%+v came back as %+v, %v", r, again, err)
		}
	})
}

func FuzzRequest(f *testing.F) {
	f.Add(AppendRequest(nil, &txn.RequestRow{Status: txn.Committed, Fingerprint: 7, Txn: 1, BaseTS: 2, CommitTS: 3}))
	f.Add(AppendRequest(nil, &txn.RequestRow{Status: txn.Aborted, BaseTS: 2}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRequest(b)
		if err != nil {
			return
		}
		if again := AppendRequest(nil, &r); string(again) != string(b) {
			t.Fatalf("%x came back as %x", b, again)
		}
	})
}

func FuzzShardState(f *testing.F) {
	f.Add(AppendShardState(nil, &ShardState{AppliedIndex: 1, Bytes: -1, ConfState: []byte{1}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeShardState(b)
		if err != nil {
			return
		}
		again, err := DecodeShardState(AppendShardState(nil, &s))
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("%+v came back as %+v, %v", s, again, err)
		}
	})
}

func FuzzKeys(f *testing.F) {
	f.Add(DataKey(txn.NewKey(1, []byte("a")), 5))
	f.Add(IntentKey(txn.NewKey(1, []byte("a"))))
	f.Add(RecordKey(txn.NewKey(1, []byte("a")), 5))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, ts, err := DecodeDataKey(b); err == nil && ts > 0 &&
			string(DataKey(k, ts)) != string(b) {
			t.Fatalf("data key %x", b)
		}
		if k, err := DecodeIntentKey(b); err == nil && string(IntentKey(k)) != string(b) {
			t.Fatalf("intent key %x", b)
		}
		if k, id, err := DecodeRecordKey(b); err == nil &&
			string(RecordKey(k, id)) != string(b) {
			t.Fatalf("record key %x", b)
		}
		if k, id, err := DecodeRequestKey(b); err == nil &&
			string(RequestKey(k, id)) != string(b) {
			t.Fatalf("request key %x", b)
		}
		if kind, id, err := DecodeMetaKey(b); err == nil &&
			string(MetaKey(kind, id)) != string(b) {
			t.Fatalf("meta key %x", b)
		}
	})
}

func FuzzChunk(f *testing.F) {
	f.Add(pairs(string(DataKey(txn.NewKey(1, []byte("a")), 5)), "v", string(IntentKey(nil)), ""))
	f.Add([]byte{1, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		again := chunk{max: 2*len(b) + 100}
		if err := eachPair(b, func(key, value []byte) error {
			again.add(key, value)
			return nil
		}); err == nil && len(b) > 1 {
			twice := chunk{max: again.max}
			if err := eachPair(again.b, func(key, value []byte) error {
				twice.add(key, value)
				return nil
			}); err != nil || string(twice.b) != string(again.b) {
				t.Fatalf("%x came back as %x, %v", again.b, twice.b, err)
			}
		}
		m := OpenMem(Compare)
		s, err := m.Stage([]Bounds{everything()})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Add(b); (err == nil) != (s.Commit() == nil) {
			t.Fatalf("%x was taken in half: %v", b, err)
		}
	})
}
