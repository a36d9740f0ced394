package raftwire

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"slices"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

var sent = []raftpb.MessageType{
	raftpb.MsgApp, raftpb.MsgAppResp, raftpb.MsgVote, raftpb.MsgVoteResp, raftpb.MsgSnap,
	raftpb.MsgHeartbeat, raftpb.MsgHeartbeatResp, raftpb.MsgTransferLeader, raftpb.MsgTimeoutNow,
	raftpb.MsgReadIndex, raftpb.MsgReadIndexResp, raftpb.MsgPreVote, raftpb.MsgPreVoteResp,
}

// seen is a message as raft reads it: what is absent is zero.
type seen struct {
	Type                                                     raftpb.MessageType
	To, From, Term, LogTerm, Index, Commit, Vote, RejectHint uint64
	Reject, Snapshot, AutoLeave                              bool
	Context                                                  string
	Entries                                                  []seenEntry
	SnapshotIndex, SnapshotTerm                              uint64
	Voters, Learners, VotersOutgoing, LearnersNext           []uint64
}

type seenEntry struct {
	Type        raftpb.EntryType
	Term, Index uint64
	Data        string
}

func see(m *raftpb.Message) seen {
	meta := m.GetSnapshot().GetMetadata()
	c := meta.GetConfState()
	none := []uint64{}
	s := seen{
		Type: m.GetType(), To: m.GetTo(), From: m.GetFrom(), Term: m.GetTerm(), LogTerm: m.GetLogTerm(),
		Index: m.GetIndex(), Commit: m.GetCommit(), Vote: m.GetVote(), RejectHint: m.GetRejectHint(),
		Reject: m.GetReject(), Snapshot: m.GetSnapshot() != nil, AutoLeave: c.GetAutoLeave(),
		Context: string(m.GetContext()), SnapshotIndex: meta.GetIndex(), SnapshotTerm: meta.GetTerm(),
		Voters: append(none, c.GetVoters()...), Learners: append(none, c.GetLearners()...),
		VotersOutgoing: append(none, c.GetVotersOutgoing()...),
		LearnersNext:   append(none, c.GetLearnersNext()...),
	}
	for _, e := range m.GetEntries() {
		s.Entries = append(s.Entries, seenEntry{e.GetType(), e.GetTerm(), e.GetIndex(), string(e.GetData())})
	}
	return s
}

// These are all the fields that raft has. When it gets another, it must cross, too.
func TestEveryFieldIsKnown(t *testing.T) {
	for _, c := range []struct {
		m      proto.Message
		fields int
	}{
		{&raftpb.Message{}, 14}, {&raftpb.Entry{}, 4}, {&raftpb.Snapshot{}, 2},
		{&raftpb.SnapshotMetadata{}, 3}, {&raftpb.ConfState{}, 5},
	} {
		if d := c.m.ProtoReflect().Descriptor(); d.Fields().Len() != c.fields {
			t.Errorf("%s has %d fields, this package knows %d", d.Name(), d.Fields().Len(), c.fields)
		}
	}
	if n := len(raftpb.MessageType_name); n != 24 {
		t.Errorf("there are %d types of messages, this package knows 24", n)
	}
}

// orNil is absent, zero, small or large.
func orNil(t *rapid.T, name string) *uint64 {
	return rapid.Ptr(rapid.OneOf(rapid.Uint64Max(200), rapid.Uint64()), true).Draw(t, name)
}

func drawMessage(t *rapid.T, kinds []raftpb.MessageType) *raftpb.Message {
	ids := rapid.SliceOfN(rapid.Uint64(), 0, 4)
	data := rapid.SliceOfN(rapid.Byte(), 0, 20)
	m := &raftpb.Message{
		Type: rapid.SampledFrom(kinds).Draw(t, "type").Enum(),
		To:   orNil(t, "to"), From: orNil(t, "from"), Term: orNil(t, "term"), Vote: orNil(t, "vote"),
		LogTerm: orNil(t, "log term"), Index: orNil(t, "index"), Commit: orNil(t, "commit"),
		RejectHint: orNil(t, "hint"), Reject: rapid.Ptr(rapid.Bool(), true).Draw(t, "reject"),
		Context: data.Draw(t, "context"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "entries") {
		m.Entries = append(m.Entries, &raftpb.Entry{
			Type: raftpb.EntryType(rapid.Int32Range(0, 2).Draw(t, "entry type")).Enum(),
			Term: orNil(t, "entry term"), Index: orNil(t, "entry index"), Data: data.Draw(t, "data"),
		})
	}
	if m.GetType() == raftpb.MsgSnap {
		m.Snapshot = &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
			Index: orNil(t, "snapshot index"), Term: orNil(t, "snapshot term"),
			ConfState: &raftpb.ConfState{
				Voters: ids.Draw(t, "voters"), Learners: ids.Draw(t, "learners"),
				VotersOutgoing: ids.Draw(t, "outgoing"), LearnersNext: ids.Draw(t, "next"),
				AutoLeave: rapid.Ptr(rapid.Bool(), true).Draw(t, "leave"),
			},
		}}
	}
	return m
}

func TestMessageRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t, sent)
		b := AppendMessage(nil, m)
		if most := (Envelope{Msg: m}).SizeMax(); len(b) > most {
			t.Errorf("%d bytes, at most %d were said", len(b), most)
		}
		got, err := DecodeMessage(b)
		if err != nil {
			t.Fatal(err)
		}
		if want := see(m); !reflect.DeepEqual(see(got), want) {
			t.Errorf("got  %+v\nwant %+v", see(got), want)
		}
		if got.Type == nil {
			t.Error("a message without a type")
		}
		refused(t, b, func(b []byte) error {
			_, err := DecodeMessage(b)
			return err
		})
	})
}

func TestBatchRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var batch []Envelope
		inBatch := slices.DeleteFunc(slices.Clone(sent), func(k raftpb.MessageType) bool {
			return k == raftpb.MsgSnap
		})
		size := 0
		for range rapid.IntRange(0, 4).Draw(t, "messages") {
			e := Envelope{shardrpc.ShardID(rapid.Uint64().Draw(t, "shard")), drawMessage(t, inBatch)}
			batch = append(batch, e)
			size += e.SizeMax()
		}
		b := Append([]byte("before"), batch)[len("before"):]
		if len(b) > 1+10+size {
			t.Errorf("%d bytes, at most %d were said", len(b), size)
		}
		given := bytes.Clone(b)
		got, err := Decode(given)
		if err != nil || len(got) != len(batch) {
			t.Fatalf("%d messages, %v", len(got), err)
		}
		clear(given) // what was decoded shares nothing with it
		for i, e := range got {
			if e.Shard != batch[i].Shard || !reflect.DeepEqual(see(e.Msg), see(batch[i].Msg)) {
				t.Errorf("message %d: got  %d %+v\nwant %d %+v", i, e.Shard, see(e.Msg), batch[i].Shard,
					see(batch[i].Msg))
			}
		}
		refused(t, b, func(b []byte) error {
			_, err := Decode(b)
			return err
		})
	})
}

// refused checks that every part of b, and more than b, is refused.
func refused(t *rapid.T, b []byte, decode func([]byte) error) {
	for n := range b {
		if err := decode(b[:n:n]); txn.KindOf(err) != txn.Invalid {
			t.Errorf("%d of %d bytes: %v", n, len(b), err)
		}
	}
	if err := decode(append(slices.Clip(b), 0)); txn.KindOf(err) != txn.Invalid {
		t.Errorf("a byte too many: %v", err)
	}
}

func heartbeat() *raftpb.Message {
	return &raftpb.Message{
		Type: raftpb.MsgHeartbeat.Enum(), To: new(uint64(2)), From: new(uint64(1)), Term: new(uint64(7)),
		Commit: new(uint64(300)), Index: new(uint64(0)), Reject: new(false), // zero is absent
	}
}

func appendOf(data []byte) *raftpb.Message {
	return &raftpb.Message{
		Type: raftpb.MsgApp.Enum(), To: new(uint64(2)), From: new(uint64(1)), Term: new(uint64(7)),
		Commit: new(uint64(300)), Index: new(uint64(300)), LogTerm: new(uint64(6)),
		Entries: []*raftpb.Entry{{Term: new(uint64(7)), Index: new(uint64(301)), Data: data}},
	}
}

func snapshot() *raftpb.Message {
	return &raftpb.Message{
		Type: raftpb.MsgSnap.Enum(), To: new(uint64(4)), From: new(uint64(1)), Term: new(uint64(7)),
		Snapshot: &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
			Index: new(uint64(300)), Term: new(uint64(6)),
			ConfState: &raftpb.ConfState{
				Voters: []uint64{1, 2, 3}, Learners: []uint64{4}, VotersOutgoing: []uint64{1, 2, 5},
				LearnersNext: []uint64{5}, AutoLeave: new(true),
			},
		}},
	}
}

func TestGolden(t *testing.T) {
	for _, c := range []struct {
		name, want string
		got        []byte
	}{
		// version, how many; shard, type, flags, to, from, term, commit
		{"heartbeat", "01" + "01" + "05" + "08" + "0f" + "02" + "01" + "07" + "ac02",
			Append(nil, []Envelope{{5, heartbeat()}})},
		// and index, log term; entries: how many, type, term, index, data
		{"append", "0101" + "05" + "03" + "bf02" + "02" + "01" + "07" + "ac02" + "ac02" + "06" +
			"01" + "00" + "07" + "ad02" + "04" + "64617461",
			Append(nil, []Envelope{{5, appendOf([]byte("data"))}})},
		{"snapshot", "01" + "07" + "07" + "04" + "01" + "07" + "ac02" + "06" + "01" + "03010203" + "0104" +
			"03010205" + "0105", AppendMessage(nil, snapshot())},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// What no member may send is refused from others, and a bug of ours.
func TestUnsendable(t *testing.T) {
	for kind := raftpb.MessageType(0); kind < 30; kind++ {
		allowed := slices.Contains(sent, kind) && kind != raftpb.MsgSnap
		_, err := Decode([]byte{version, 1, 5, byte(kind), 0})
		if (err == nil) != allowed {
			t.Errorf("type %v: %v", kind, err)
		}
		if panics(func() { Append(nil, []Envelope{{5, &raftpb.Message{Type: kind.Enum()}}}) }) == allowed {
			t.Errorf("type %v: it is for us to send: %v", kind, allowed)
		}
	}
	b := Append(nil, []Envelope{{5, snapshotless(raftpb.MsgApp)}})
	if b[0]++; kindOf(Decode(b)) != txn.Invalid {
		t.Error("another version")
	}
	snap := append([]byte{version, 1, 5}, AppendMessage(nil, snapshot())[1:]...)
	if kindOf(Decode(snap)) != txn.Invalid {
		t.Error("a snapshot in a batch")
	}
	for name, b := range map[string][]byte{
		"an unknown flag":               {version, byte(raftpb.MsgApp), 0x80, 0x10},
		"an unknown entry":              {version, byte(raftpb.MsgApp), 0x80, 0x02, 1, 3, 0, 0, 0},
		"more entries than bytes":       {version, byte(raftpb.MsgApp), 0x80, 0x02, 200, 1, 0, 0, 0, 0},
		"a long context":                {version, byte(raftpb.MsgApp), 0x80, 0x08, 9, 0},
		"neither to leave nor to stay":  {version, byte(raftpb.MsgSnap), 0, 0, 0, 2, 0, 0, 0, 0},
		"more voters than there can be": {version, byte(raftpb.MsgSnap), 0, 0, 0, 0, 9, 0, 0, 0},
	} {
		if kindOf(DecodeMessage(b)) != txn.Invalid {
			t.Error(name)
		}
	}
	full := snapshot()
	full.Snapshot.Data = []byte("x")
	misplaced := snapshot()
	misplaced.Type = raftpb.MsgApp.Enum()
	for name, m := range map[string]*raftpb.Message{
		"data in a snapshot": full, "a snapshot in a MsgApp": misplaced,
		"a MsgSnap without a snapshot": snapshotless(raftpb.MsgSnap), "nil": nil,
	} {
		if !panics(func() { AppendMessage(nil, m) }) {
			t.Error(name)
		}
	}
}

func snapshotless(kind raftpb.MessageType) *raftpb.Message {
	return &raftpb.Message{Type: kind.Enum()}
}

func kindOf[T any](_ T, err error) txn.ErrorKind { return txn.KindOf(err) }

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

func FuzzDecode(f *testing.F) {
	f.Add(Append(nil, []Envelope{{5, heartbeat()}, {1 << 40, appendOf([]byte("data"))}}))
	f.Add(AppendMessage(nil, snapshot()))
	f.Add(AppendMessage(nil, &raftpb.Message{
		Type: raftpb.MsgAppResp.Enum(), Reject: new(true), RejectHint: new(uint64(1)), Context: []byte("c"),
	}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if batch, err := Decode(b); err == nil {
			again, err := Decode(Append(nil, batch))
			if err != nil || len(again) != len(batch) {
				t.Fatalf("%d messages, then %d: %v", len(batch), len(again), err)
			}
			for i, e := range again {
				if e.Shard != batch[i].Shard || !reflect.DeepEqual(see(e.Msg), see(batch[i].Msg)) {
					t.Errorf("message %d was %v, is %v", i, batch[i].Msg, e.Msg)
				}
			}
		}
		if m, err := DecodeMessage(b); err == nil {
			again, err := DecodeMessage(AppendMessage(nil, m))
			if err != nil || !reflect.DeepEqual(see(again), see(m)) {
				t.Errorf("the message was %v, is %v: %v", m, again, err)
			}
		}
	})
}
