package shard

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/cairnkv/cairn/txn"
)

// samples is one command of each kind.
func samples() []*command {
	return []*command{
		{kind: cmdWrite, proposal: 1, term: 2, epoch: 3, txn: 4, ts: 5, ops: []op{
			{key: key("a"), value: []byte("v"), keys: 1, bytes: -300}}},
		{kind: cmdPrewrite, flags: flagRecord, proposal: 6, term: 2, epoch: 3, txn: 7, ts: 8, baseTS: 9,
			maxTS: txn.Forever, age: txn.Age{At: 10, ID: 11}, hash: 12, primary: key("p"),
			ops: []op{{key: key("b"), value: []byte{}}}},
		{kind: cmdPrewrite, flags: flagRecord | flagStaging, proposal: 6, term: 2, epoch: 3, txn: 7,
			ts: 8, baseTS: 9, maxTS: 10, age: txn.Age{At: 10, ID: 11}, hash: 12, primary: key("p"),
			ops:  []op{{key: key("b"), value: []byte("v"), bound: 99}},
			keys: []txn.Key{key("b"), key("c")}},
		{kind: cmdResolve, flags: flagCommit | flagDone, proposal: 6, term: 2, epoch: 3, txn: 7, ts: 14,
			keys: []txn.Key{key("b")}, primary: key("p")},
		{kind: cmdResolve, flags: flagCommit, proposal: 13, term: 2, epoch: 3, txn: 7, ts: 14,
			keys: []txn.Key{key("b"), key("c")}},
		{kind: cmdDecide, proposal: 15, term: 2, epoch: 3, txn: 7, ts: 14, baseTS: 9,
			from: txn.In(txn.Pending), to: txn.Committed, primary: key("p")},
		{kind: cmdCollect, proposal: 7, term: 2, epoch: 3, ts: 9, records: []recordName{{key("p"), 7}},
			rows: []rowName{{key("q"), txn.RequestID{1: 2}}}},
		{kind: cmdMeta, proposal: 16, term: 2, epoch: 1, body: []byte("meta")},
		{kind: cmdWrite, flags: flagRequest, proposal: 17, term: 2, epoch: 3, txn: 4, ts: 5, ops: []op{},
			baseTS: 9, primary: key("p"), request: sampleRequest()},
		{kind: cmdPrewrite, flags: flagRecord | flagRequest, proposal: 18, term: 2, epoch: 3, txn: 7, ts: 8,
			baseTS: 9, maxTS: 10, age: txn.Age{At: 10, ID: 11}, hash: 12, primary: key("p"), ops: []op{},
			request: sampleRequest()},
		{kind: cmdForgo, proposal: 19, term: 2, epoch: 3, ts: 9, primary: key("p"),
			request: txn.Request{ID: sampleRequest().ID}},
		{kind: cmdDrop, proposal: 20, term: 2, epoch: 3, ts: 9, keyspace: 300},
		{kind: cmdWrite, proposal: 21, term: 2, epoch: 3, txn: 4, ts: 5, ops: []op{
			{key: key("a"), value: []byte("v"), evicted: sampleEvicted()},
			{key: key("b"), value: []byte("v"), bound: 99, evicted: sampleEvicted()}}},
		{kind: cmdResolve, flags: flagCommit | flagDone | flagSettle, proposal: 22, term: 2, epoch: 3, txn: 7,
			ts: 14, keys: []txn.Key{key("b")}, primary: key("p")},
	}
}

func sampleRequest() txn.Request {
	return txn.Request{ID: txn.RequestID{0xaa, 15: 0xbb}, Fingerprint: 0xfeed}
}

func sampleEvicted() *evicted {
	return &evicted{sampleRequest().ID, txn.RequestRow{Status: txn.Committed, Fingerprint: 0xfeed, Txn: 7,
		CommitTS: 8}}
}

// The bytes are in logs: this test must not change.
func TestEntryGolden(t *testing.T) {
	const id = "aa0000000000000000000000000000bb"
	const want = "01000e" +
		"010000000000000000010203" + "000000000000000405" + "01050000000161" + "0102d7040176" +
		"020100000000000000060203" + "000000000000000708" + "09ffffffffffffffff7f" + "0a000000000000000b" +
		"000000000000000c" + "050000000170" + "01050000000162" + "01000000" +
		"02050000000000000006" + "0203" + "000000000000000708" + "090a0a000000000000000b" +
		"000000000000000c" + "050000000170" + "01050000000162" + "036300000176" +
		"02" + "050000000162" + "050000000163" +
		"030a0000000000000006" + "0203" + "00000000000000070e" + "01050000000162" + "050000000170" +
		"0302000000000000000d0203" + "00000000000000070e" + "02050000000162050000000163" +
		"0400000000000000000f0203" + "00000000000000070e" + "090203050000000170" +
		"05000000000000000007" + "0203" + "0000000000000000" + "09" + "01" + "050000000170" +
		"0000000000000007" + "01" + "050000000171" + "00020000000000000000000000000000" +
		"070000000000000000100201" + "046d657461" +
		"011000000000000000110203" + "000000000000000405" + "00" + id + "000000000000feed" + "09" + "050000000170" +
		"021100000000000000120203" + "000000000000000708" + "090a0a000000000000000b" +
		"000000000000000c" + "050000000170" + "00" + id + "000000000000feed" +
		"080000000000000000130203" + "000000000000000009" + id + "050000000170" +
		"090000000000000000140203" + "000000000000000009" + "ac02" +
		"010000000000000000150203" + "000000000000000405" + "02" +
		"050000000161" + "05" + id + "000000000000feed" + "000000000000000708" + "00000176" +
		"050000000162" + "0763" + id + "000000000000feed" + "000000000000000708" + "00000176" +
		"032a0000000000000016" + "0203" + "00000000000000070e" + "01050000000162" + "050000000170"
	if got := hex.EncodeToString(appendEntry(nil, samples())); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	got, err := decodeEntry(appendEntry(nil, samples()))
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range samples() {
		if !reflect.DeepEqual(got[i], *c) {
			t.Errorf("command %d: got %+v, want %+v", i, got[i], *c)
		}
	}
}

func TestEntryRefused(t *testing.T) {
	valid := appendEntry(nil, samples())
	for n := range valid {
		if _, err := decodeEntry(valid[:n]); err == nil {
			t.Errorf("the first %d of %d bytes decode", n, len(valid))
		}
	}
	for _, c := range []struct {
		name string
		at   int
		b    byte
	}{
		{"entry version", 0, 2}, {"kind", 3, 9}, {"flags", 4, 64}, {"wrote", 31, 2}, {"more commands", 2, 6},
	} {
		b := bytes.Clone(valid)
		b[c.at] = c.b
		if _, err := decodeEntry(b); err == nil {
			t.Errorf("%s %d decodes", c.name, c.b)
		}
	}
	if _, err := decodeEntry(append(valid, 0)); err == nil {
		t.Error("a byte too many decodes")
	}
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add(appendEntry(nil, samples()))
	for _, c := range samples() {
		f.Add(appendEntry(nil, []*command{c}))
	}
	f.Add([]byte{entryVersion, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		commands, err := decodeEntry(b)
		if err != nil {
			return
		}
		list := make([]*command, len(commands))
		for i := range commands {
			list[i] = &commands[i]
			if n := len(list[i].append(nil)); n < commandBytesMin {
				t.Fatalf("a command of %d bytes", n)
			}
		}
		again, err := decodeEntry(appendEntry(nil, list))
		if err != nil || !reflect.DeepEqual(again, commands) {
			t.Fatalf("%+v came back as %+v, %v", commands, again, err)
		}
	})
}

func FuzzDecodeLogEntry(f *testing.F) {
	term, kind := uint64(300), raftpb.EntryConfChange
	f.Add(uint64(1), appendLogEntry(nil, &raftpb.Entry{Term: &term, Type: &kind, Data: []byte("data")}))
	f.Add(uint64(2), []byte{0x80})
	f.Fuzz(func(t *testing.T, index uint64, b []byte) {
		e, err := decodeLogEntry(index, b)
		if err != nil {
			return
		}
		again, err := decodeLogEntry(index, appendLogEntry(nil, e))
		if err != nil || again.GetIndex() != index || again.GetTerm() != e.GetTerm() ||
			again.GetType() != e.GetType() || !bytes.Equal(again.Data, e.Data) {
			t.Fatalf("%v came back as %v, %v", e, again, err)
		}
	})
}

func TestLogEntryGolden(t *testing.T) {
	term, kind := uint64(300), raftpb.EntryNormal
	got := hex.EncodeToString(appendLogEntry(nil, &raftpb.Entry{Term: &term, Type: &kind, Data: []byte("data")}))
	if want := "ac02" + "00" + "64617461"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func BenchmarkEntryCodec(b *testing.B) {
	var batch []*command
	for range 64 {
		c := samples()[0]
		c.ops[0].value = make([]byte, 300)
		batch = append(batch, c)
	}
	enc := appendEntry(nil, batch)
	b.Run("append", func(b *testing.B) {
		b.SetBytes(int64(len(enc)))
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf = appendEntry(buf[:0], batch)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(enc)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := decodeEntry(enc); err != nil {
				b.Fatal(err)
			}
		}
	})
}
