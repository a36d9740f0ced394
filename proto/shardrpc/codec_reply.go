package shardrpc

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cairnkv/cairn/txn"
)

// Failure is what crosses instead of an answer when a call has none.
type Failure struct {
	Err txn.Error
	// NotLeader says that nothing was done: another member leads the shard that was meant.
	NotLeader bool
	Shard     ShardID
	Leader    uint64 // that member; 0: not known
}

// NotLeader is the error of a call that must go to another member. Nothing was done.
type NotLeader struct {
	Shard  ShardID
	Leader uint64 // member; 0: not known
}

func (e *NotLeader) Error() string {
	if e.Leader == 0 {
		return fmt.Sprintf("this member does not lead shard %d, nor knows who does", e.Shard)
	}
	return fmt.Sprintf("member %d leads shard %d", e.Leader, e.Shard)
}

const failureNotLeader = 1 << 0

// Append implements Message.
func (m *Failure) Append(dst []byte) []byte {
	dst = append(dst, flag(m.NotLeader, failureNotLeader))
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(m.Shard)), m.Leader)
	return appendError(dst, &m.Err)
}

func (m *Failure) decode(d *decoder) {
	m.NotLeader = d.flags(failureNotLeader)&failureNotLeader != 0
	m.Shard, m.Leader = ShardID(d.uvarint()), d.uvarint()
	d.error(&m.Err)
}

const errorCause = 1 << 0

// appendError appends e. Of its cause only the text crosses.
func appendError(dst []byte, e *txn.Error) []byte {
	dst = append(dst, byte(e.Kind), flag(e.Err != nil, errorCause))
	dst = appendBytes(appendBytes(dst, e.Op), e.Reason)
	dst = appendBytes(appendID(dst, e.Txn), e.Key)
	dst = appendTS(appendBytes(dst, e.Next), e.Oldest)
	dst = appendBytes(appendTS(appendID(dst, e.Other), e.OtherAge), e.Token)
	if e.Err != nil {
		dst = appendBytes(dst, e.Err.Error())
	}
	return dst
}

func (d *decoder) error(e *txn.Error) {
	e.Kind = enum(d, txn.Unknown)
	f := d.flags(errorCause)
	e.Op, e.Reason = d.string(), d.string()
	e.Txn = d.id()
	d.key(&e.Key)
	e.Next, e.Oldest = d.string(), d.ts()
	e.Other, e.OtherAge, e.Token = d.id(), d.ts(), d.string()
	if f&errorCause != 0 {
		e.Err = errors.New(d.string())
	}
}

const blockerBytesMin = 34

func appendBlocker(dst []byte, b *Blocker) []byte {
	dst = appendID(appendBytes(dst, b.Key), b.Txn)
	return appendAge(appendTS(appendBytes(dst, b.Primary), b.BaseTS), b.Age)
}

func (d *decoder) blocker(b *Blocker) {
	d.key(&b.Key)
	b.Txn = d.id()
	d.key(&b.Primary)
	b.BaseTS, b.Age = d.ts(), d.age()
}

// Flags of a Reply. An OK has none.
const (
	replyRefusal = 1 << iota // Reason, Key
	replyBlocker
	replyError
	replyHolder
	replyWriter
	replyRepeat
	replyFlags = 1<<iota - 1
)

// Append implements Message.
func (m *Reply) Append(dst []byte) []byte {
	refusal := m.Reason != "" || len(m.Key) > 0
	dst = append(dst, byte(m.Answer), flag(refusal, replyRefusal)|
		flag(m.Blocker != nil, replyBlocker)|flag(m.Err != nil, replyError)|
		flag(m.Holder != nil, replyHolder)|
		flag(m.Writer != 0, replyWriter)|flag(m.RepeatAt != 0, replyRepeat))
	if refusal {
		dst = appendBytes(appendBytes(dst, m.Reason), m.Key)
	}
	if m.Blocker != nil {
		dst = appendBlocker(dst, m.Blocker)
	}
	if m.Err != nil {
		dst = appendError(dst, m.Err)
	}
	if m.Holder != nil {
		dst = appendLockOwner(dst, m.Holder)
	}
	if m.Writer != 0 {
		dst = appendID(dst, m.Writer)
	}
	if m.RepeatAt != 0 {
		dst = appendTS(dst, m.RepeatAt)
	}
	return dst
}

func (m *Reply) decode(d *decoder) {
	m.Answer = enum(d, Gone)
	f := d.flags(replyFlags)
	if f&replyRefusal != 0 {
		m.Reason = d.string()
		d.key(&m.Key)
	}
	if f&replyBlocker != 0 {
		m.Blocker = new(Blocker)
		d.blocker(m.Blocker)
	}
	if f&replyError != 0 {
		m.Err = new(txn.Error)
		d.error(m.Err)
	}
	if f&replyHolder != 0 {
		m.Holder = new(LockOwner)
		d.lockOwner(m.Holder)
	}
	if f&replyWriter != 0 {
		m.Writer = d.id()
	}
	if f&replyRepeat != 0 {
		m.RepeatAt = d.ts()
	}
}
