package raftwire

import (
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/cairnkv/cairn/proto/fields"
	"github.com/cairnkv/cairn/proto/shardrpc"
)

// version is the first byte of all that this package writes.
const version = 1

// Flags of a message. The bits below flagEntries are for its numbers.
const (
	flagEntries = 1 << (numberCount + iota)
	flagReject
	flagContext
	flagsEnd
)

// numberCount is how many numbers a message may have.
const numberCount = 8

// What things take on the wire at most, besides the bytes that they carry.
const (
	messageBytesMax  = 10 + 1 + 2 + numberCount*10 + 10 + 10 // with the shard
	entryBytesMax    = 1 + 3*10
	snapshotBytesMax = 2*10 + 1 + 4*10
)

// Envelope is a message and the shard that it is for.
type Envelope struct {
	Shard shardrpc.ShardID
	Msg   *raftpb.Message
}

// SizeMax bounds what e adds to a batch, for those who cut batches.
func (e Envelope) SizeMax() int {
	n := messageBytesMax + len(e.Msg.GetContext())
	for _, entry := range e.Msg.GetEntries() {
		n += entryBytesMax + len(entry.GetData())
	}
	if s := e.Msg.GetSnapshot(); s != nil {
		c := s.GetMetadata().GetConfState()
		n += snapshotBytesMax + 10*(len(c.GetVoters())+len(c.GetLearners())+
			len(c.GetVotersOutgoing())+len(c.GetLearnersNext()))
	}
	return n
}

// Append appends a batch to dst. It panics at what no member may send to another: raft's messages
// to itself, proposals, which are never forwarded, and a MsgSnap, which must not come without its
// data and so travels at the head of a stream of its own.
func Append(dst []byte, batch []Envelope) []byte {
	size := 1 + 10
	for _, e := range batch {
		size += e.SizeMax()
	}
	dst = append(slices.Grow(dst, size), version)
	dst = binary.AppendUvarint(dst, uint64(len(batch)))
	for _, e := range batch {
		if e.Msg.GetType() == raftpb.MsgSnap {
			panic("raftwire: a snapshot in a batch")
		}
		dst = appendMessage(binary.AppendUvarint(dst, uint64(e.Shard)), e.Msg)
	}
	return dst
}

// AppendMessage appends m alone to dst. It panics like Append, but takes a MsgSnap, whose Data must
// be empty.
func AppendMessage(dst []byte, m *raftpb.Message) []byte {
	return appendMessage(append(dst, version), m)
}

func appendMessage(dst []byte, m *raftpb.Message) []byte {
	if why := unsendable(m); why != "" {
		panic(fmt.Sprintf("raftwire: a %v %s", m.GetType(), why))
	}
	numbers := [numberCount]uint64{
		m.GetTo(), m.GetFrom(), m.GetTerm(), m.GetCommit(), m.GetIndex(), m.GetLogTerm(),
		m.GetRejectHint(), m.GetVote(),
	}
	dst = append(dst, byte(m.GetType()))
	dst = binary.AppendUvarint(dst, flagsOf(m, &numbers))
	for _, v := range numbers {
		if v != 0 {
			dst = binary.AppendUvarint(dst, v)
		}
	}
	if len(m.GetEntries()) > 0 {
		dst = appendEntries(dst, m.GetEntries())
	}
	if len(m.GetContext()) > 0 {
		dst = fields.AppendBytes(dst, m.GetContext())
	}
	if m.GetType() == raftpb.MsgSnap {
		dst = appendSnapshot(dst, m.GetSnapshot().GetMetadata())
	}
	return dst
}

// unsendable says why m must not be sent; empty if it may.
func unsendable(m *raftpb.Message) string {
	switch {
	case !crosses(m.GetType()):
		return "is for no other member"
	case (m.GetSnapshot() != nil) != (m.GetType() == raftpb.MsgSnap):
		return "with a snapshot, or a MsgSnap without one"
	case len(m.GetSnapshot().GetData()) > 0:
		return "with data in it"
	case len(m.GetResponses()) > 0:
		return "with responses in it"
	}
	return ""
}

// crosses reports whether raft sends messages of this type from one replica to another.
func crosses(t raftpb.MessageType) bool {
	switch t {
	case raftpb.MsgApp, raftpb.MsgAppResp, raftpb.MsgSnap,
		raftpb.MsgVote, raftpb.MsgVoteResp, raftpb.MsgPreVote, raftpb.MsgPreVoteResp,
		raftpb.MsgHeartbeat, raftpb.MsgHeartbeatResp, raftpb.MsgReadIndex, raftpb.MsgReadIndexResp,
		raftpb.MsgTransferLeader, raftpb.MsgTimeoutNow:
		return true
	default:
		return false
	}
}

func flagsOf(m *raftpb.Message, numbers *[numberCount]uint64) uint64 {
	flags := uint64(0)
	for i, v := range numbers {
		if v != 0 {
			flags |= 1 << i
		}
	}
	if len(m.GetEntries()) > 0 {
		flags |= flagEntries
	}
	if m.GetReject() {
		flags |= flagReject
	}
	if len(m.GetContext()) > 0 {
		flags |= flagContext
	}
	return flags
}

func appendEntries(dst []byte, entries []*raftpb.Entry) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(entries)))
	for _, e := range entries {
		dst = binary.AppendUvarint(append(dst, byte(e.GetType())), e.GetTerm())
		dst = binary.AppendUvarint(dst, e.GetIndex())
		dst = fields.AppendBytes(dst, e.GetData())
	}
	return dst
}

func appendSnapshot(dst []byte, s *raftpb.SnapshotMetadata) []byte {
	dst = binary.AppendUvarint(dst, s.GetIndex())
	dst = binary.AppendUvarint(dst, s.GetTerm())
	c, leave := s.GetConfState(), byte(0)
	if c.GetAutoLeave() {
		leave = 1
	}
	dst = append(dst, leave)
	for _, ids := range [...][]uint64{
		c.GetVoters(), c.GetLearners(), c.GetVotersOutgoing(), c.GetLearnersNext(),
	} {
		dst = binary.AppendUvarint(dst, uint64(len(ids)))
		for _, id := range ids {
			dst = binary.AppendUvarint(dst, id)
		}
	}
	return dst
}
