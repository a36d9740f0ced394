package raftwire

import (
	"bytes"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/cairnkv/cairn/proto/fields"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// What things take on the wire at least.
const (
	envelopeBytesMin = 1 + 1 + 1
	entryBytesMin    = 1 + 1 + 1 + 1
)

// Decode reads a batch. What it returns shares no memory with b: raft and the log's cache may keep
// an entry for long, and b is as large as all that came with it. So each entry's data is a copy of
// its own; the rest of a message is in one piece.
//
// It refuses what Append would panic at, and what is not exactly one batch of this version.
func Decode(b []byte) ([]Envelope, error) {
	r := fields.Reader{Rest: b}
	if v := r.U8(); v != version {
		return nil, malformed("version %d is unknown to this release", v)
	}
	batch := make([]Envelope, r.Count(envelopeBytesMin))
	for i := range batch {
		shard := shardrpc.ShardID(r.Uvarint())
		m, err := decodeMessage(&r)
		if err != nil {
			return nil, err
		}
		if m.GetType() == raftpb.MsgSnap {
			return nil, malformed("a snapshot in a batch")
		}
		batch[i] = Envelope{Shard: shard, Msg: m}
	}
	if err := end(&r); err != nil {
		return nil, err
	}
	return batch, nil
}

// DecodeMessage reads what AppendMessage wrote, as Decode does.
func DecodeMessage(b []byte) (*raftpb.Message, error) {
	r := fields.Reader{Rest: b}
	if v := r.U8(); v != version {
		return nil, malformed("version %d is unknown to this release", v)
	}
	m, err := decodeMessage(&r)
	if err == nil {
		err = end(&r)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// piece is a message with what it points to.
type piece struct {
	m       raftpb.Message
	kind    raftpb.MessageType
	reject  bool
	numbers [numberCount]uint64
}

func decodeMessage(r *fields.Reader) (*raftpb.Message, error) {
	p := &piece{kind: raftpb.MessageType(r.U8())}
	m, flags := &p.m, r.Uvarint()
	switch {
	case r.Bad:
		return nil, cutShort()
	case !crosses(p.kind):
		return nil, malformed("a message of type %v from another member", p.kind)
	case flags >= flagsEnd:
		return nil, malformed("flags %x are unknown to this release", flags)
	}
	m.Type = &p.kind
	for i, to := range [numberCount]**uint64{
		&m.To, &m.From, &m.Term, &m.Commit, &m.Index, &m.LogTerm, &m.RejectHint, &m.Vote,
	} {
		if flags&(1<<i) != 0 {
			p.numbers[i] = r.Uvarint()
			*to = &p.numbers[i]
		}
	}
	if flags&flagReject != 0 {
		p.reject = true
		m.Reject = &p.reject
	}
	if flags&flagEntries != 0 {
		m.Entries = decodeEntries(r)
	}
	if flags&flagContext != 0 {
		m.Context = bytes.Clone(r.Bytes())
	}
	if p.kind == raftpb.MsgSnap {
		m.Snapshot = decodeSnapshot(r)
	}
	if r.Bad {
		return nil, cutShort()
	}
	return m, nil
}

// entry is a raftpb.Entry with what it points to.
type entry struct {
	e           raftpb.Entry
	kind        raftpb.EntryType
	term, index uint64
}

func decodeEntries(r *fields.Reader) []*raftpb.Entry {
	pieces := make([]entry, r.Count(entryBytesMin))
	entries := make([]*raftpb.Entry, len(pieces))
	for i := range pieces {
		p := &pieces[i]
		p.kind, p.term, p.index = raftpb.EntryType(r.U8()), r.Uvarint(), r.Uvarint()
		if p.kind > raftpb.EntryConfChangeV2 {
			r.Bad = true
		}
		p.e.Type, p.e.Term, p.e.Index = &p.kind, &p.term, &p.index
		if data := r.Bytes(); len(data) > 0 {
			p.e.Data = bytes.Clone(data)
		}
		entries[i] = &p.e
	}
	return entries
}

func decodeSnapshot(r *fields.Reader) *raftpb.Snapshot {
	index, term, leave := r.Uvarint(), r.Uvarint(), r.Bool()
	c := &raftpb.ConfState{AutoLeave: &leave}
	for _, ids := range [...]*[]uint64{
		&c.Voters, &c.Learners, &c.VotersOutgoing, &c.LearnersNext,
	} {
		for range r.Count(1) {
			*ids = append(*ids, r.Uvarint())
		}
	}
	return &raftpb.Snapshot{
		Metadata: &raftpb.SnapshotMetadata{ConfState: c, Index: &index, Term: &term},
	}
}

// end refuses what is cut short, or goes on.
func end(r *fields.Reader) error {
	if r.Bad {
		return cutShort()
	}
	if len(r.Rest) > 0 {
		return malformed("%d bytes are left over", len(r.Rest))
	}
	return nil
}

func cutShort() error { return malformed("raft messages are cut short, or hold what they cannot") }

func malformed(format string, args ...any) error {
	return txn.Errorf(txn.Invalid, "raft_message_malformed", format, args...)
}
