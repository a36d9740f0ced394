package shardrpc

import (
	"encoding/binary"

	"github.com/cairnkv/cairn/txn"
)

// Append implements Message.
func (m *LockRequest) Append(dst []byte) []byte {
	dst = appendAge(appendID(appendTarget(dst, m.Target), m.Txn), m.Age)
	dst = append(appendTS(dst, m.BaseTS), byte(m.Mode))
	dst = binary.AppendVarint(dst, m.Wait)
	return appendList(appendList(dst, m.Keys, appendKey), m.Spans, appendSpan)
}

func (m *LockRequest) decode(d *decoder) {
	d.target(&m.Target)
	m.Txn, m.Age, m.BaseTS = d.id(), d.age(), d.ts()
	m.Mode, m.Wait = enum(d, txn.LockExclusive), d.varint()
	m.Keys = list(d, 1, (*decoder).key)
	m.Spans = list(d, spanBytesMin, (*decoder).span)
}

// Append implements Message.
func (m *LockResponse) Append(dst []byte) []byte {
	return binary.AppendUvarint(m.Reply.Append(dst), m.Term)
}

func (m *LockResponse) decode(d *decoder) {
	m.Reply.decode(d)
	m.Term = d.uvarint()
}

// Append implements Message.
func (m *UnlockRequest) Append(dst []byte) []byte {
	return appendTS(appendAge(appendID(appendTarget(dst, m.Target), m.Txn), m.Age), m.BaseTS)
}

func (m *UnlockRequest) decode(d *decoder) {
	d.target(&m.Target)
	m.Txn, m.Age, m.BaseTS = d.id(), d.age(), d.ts()
}

// Append implements Message.
func (m *UnlockResponse) Append(dst []byte) []byte { return append(dst, byte(m.Answer)) }

func (m *UnlockResponse) decode(d *decoder) { m.Answer = enum(d, Gone) }

// Append implements Message.
func (m *LocksRequest) Append(dst []byte) []byte { return appendTarget(dst, m.Target) }

func (m *LocksRequest) decode(d *decoder) { d.target(&m.Target) }

const locksMore = 1 << 0

// Append implements Message.
func (m *LocksResponse) Append(dst []byte) []byte {
	dst = append(dst, byte(m.Answer), flag(m.More, locksMore))
	return appendList(dst, m.Locks, appendLockInfo)
}

func (m *LocksResponse) decode(d *decoder) {
	m.Answer = enum(d, Gone)
	m.More = d.flags(locksMore) != 0
	m.Locks = list(d, lockInfoBytesMin, (*decoder).lockInfo)
}

const (
	lockWaits = 1 << iota
	lockCommitting
	lockFlags = 1<<iota - 1
)

const lockInfoBytesMin = 14 + lockOwnerBytes

func appendLockInfo(dst []byte, l *LockInfo) []byte {
	dst = append(dst, flag(l.Waits, lockWaits)|flag(l.Committing, lockCommitting), byte(l.Mode))
	dst = appendLockOwner(appendSpan(appendKey(dst, &l.Key), &l.Span), &l.Owner)
	return appendList(appendTS(dst, l.Since), l.Behind, appendLockOwner)
}

func (d *decoder) lockInfo(l *LockInfo) {
	f := d.flags(lockFlags)
	l.Waits, l.Committing = f&lockWaits != 0, f&lockCommitting != 0
	l.Mode = enum(d, txn.LockExclusive)
	d.key(&l.Key)
	d.span(&l.Span)
	d.lockOwner(&l.Owner)
	l.Since = d.ts()
	l.Behind = list(d, lockOwnerBytes, (*decoder).lockOwner)
}

const lockOwnerBytes = 24

func appendLockOwner(dst []byte, o *LockOwner) []byte {
	return appendAge(appendID(dst, o.Txn), o.Age)
}

func (d *decoder) lockOwner(o *LockOwner) { o.Txn, o.Age = d.id(), d.age() }
