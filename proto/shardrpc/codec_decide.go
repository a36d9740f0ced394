package shardrpc

import (
	"encoding/binary"

	"github.com/cairnkv/cairn/txn"
)

// Append implements Message.
func (m *PrewriteRequest) Append(dst []byte) []byte {
	dst = append(appendTarget(dst, m.Target), byte(m.Record))
	dst = appendAge(appendID(dst, m.Txn), m.Age)
	dst = appendBytes(appendTS(appendTS(dst, m.BaseTS), m.MaxTS), m.Primary)
	dst = binary.BigEndian.AppendUint64(dst, m.Hash)
	dst = appendList(dst, m.Keys, appendKey)
	dst = appendList(appendReadSet(dst, &m.Reads), m.Writes, appendWrite)
	return appendAnnotation(appendRequest(dst, m.Request), &m.Annotation)
}

func (m *PrewriteRequest) decode(d *decoder) {
	d.target(&m.Target)
	m.Record = enum(d, txn.Aborted)
	m.Txn, m.Age, m.BaseTS, m.MaxTS = d.id(), d.age(), d.ts(), d.ts()
	d.key(&m.Primary)
	m.Hash = d.u64()
	m.Keys = list(d, 1, (*decoder).key)
	d.readSet(&m.Reads)
	m.Writes = list(d, writeBytesMin, (*decoder).write)
	m.Request = d.request()
	d.annotation(&m.Annotation)
}

// Append implements Message.
func (m *PrewriteResponse) Append(dst []byte) []byte {
	return appendList(appendTS(m.Reply.Append(dst), m.TS), m.Written, appendWritten)
}

func (m *PrewriteResponse) decode(d *decoder) {
	m.Reply.decode(d)
	m.TS = d.ts()
	m.Written = list(d, writtenBytesMin, (*decoder).written)
}

// Append implements Message.
func (m *DecideRequest) Append(dst []byte) []byte {
	dst = appendID(appendTarget(dst, m.Target), m.Txn)
	dst = append(appendBytes(dst, m.Primary), byte(m.From), byte(m.To))
	return appendTS(appendTS(dst, m.BaseTS), m.CommitTS)
}

func (m *DecideRequest) decode(d *decoder) {
	d.target(&m.Target)
	m.Txn = d.id()
	d.key(&m.Primary)
	m.From, m.To = enum(d, masksAll), enum(d, txn.Aborted)
	m.BaseTS, m.CommitTS = d.ts(), d.ts()
}

// masksAll has every status in it.
const masksAll = txn.Mask(1<<(txn.Aborted+1) - 1)

// Append implements Message.
func (m *DecideResponse) Append(dst []byte) []byte {
	return appendTS(append(dst, byte(m.Answer), byte(m.Status)), m.CommitTS)
}

func (m *DecideResponse) decode(d *decoder) {
	m.Answer, m.Status, m.CommitTS = enum(d, Gone), enum(d, txn.Aborted), d.ts()
}

const resolveCommit = 1 << 0

// Append implements Message.
func (m *ResolveRequest) Append(dst []byte) []byte {
	dst = append(appendTarget(dst, m.Target), flag(m.Commit, resolveCommit))
	dst = appendTS(appendTS(appendID(dst, m.Txn), m.BaseTS), m.CommitTS)
	return appendBytes(appendList(dst, m.Keys, appendKey), m.Done)
}

func (m *ResolveRequest) decode(d *decoder) {
	d.target(&m.Target)
	m.Commit = d.flags(resolveCommit) != 0
	m.Txn, m.BaseTS, m.CommitTS = d.id(), d.ts(), d.ts()
	m.Keys = list(d, 1, (*decoder).key)
	d.key(&m.Done)
}

// Append implements Message.
func (m *ResolveResponse) Append(dst []byte) []byte { return append(dst, byte(m.Answer)) }

func (m *ResolveResponse) decode(d *decoder) { m.Answer = enum(d, Gone) }

// Append implements Message.
func (m *QueryRequest) Append(dst []byte) []byte {
	dst = appendID(appendTarget(dst, m.Target), m.Txn)
	return appendTS(appendBytes(dst, m.Primary), m.BaseTS)
}

func (m *QueryRequest) decode(d *decoder) {
	d.target(&m.Target)
	m.Txn = d.id()
	d.key(&m.Primary)
	m.BaseTS = d.ts()
}

// Append implements Message.
func (m *QueryResponse) Append(dst []byte) []byte {
	dst = appendTS(append(dst, byte(m.Answer), byte(m.Status)), m.CommitTS)
	return appendList(binary.BigEndian.AppendUint64(dst, m.Hash), m.Keys, appendKey)
}

func (m *QueryResponse) decode(d *decoder) {
	m.Answer, m.Status, m.CommitTS = enum(d, Gone), enum(d, txn.Aborted), d.ts()
	m.Hash = d.u64()
	m.Keys = list(d, 1, (*decoder).key)
}

// Append implements Message.
func (m *QueryIntentsRequest) Append(dst []byte) []byte {
	dst = appendTS(appendID(appendTarget(dst, m.Target), m.Txn), m.BaseTS)
	return appendList(binary.BigEndian.AppendUint64(dst, m.Hash), m.Keys, appendKey)
}

func (m *QueryIntentsRequest) decode(d *decoder) {
	d.target(&m.Target)
	m.Txn, m.BaseTS, m.Hash = d.id(), d.ts(), d.u64()
	m.Keys = list(d, 1, (*decoder).key)
}

const foundMissing = 1 << 0

// Append implements Message.
func (m *QueryIntentsResponse) Append(dst []byte) []byte {
	dst = append(dst, byte(m.Answer), flag(m.Missing, foundMissing))
	return appendTS(appendTS(appendTS(dst, m.CommitTS), m.MaxTS), m.Bound)
}

func (m *QueryIntentsResponse) decode(d *decoder) {
	m.Answer = enum(d, Gone)
	m.Missing = d.flags(foundMissing) != 0
	m.CommitTS, m.MaxTS, m.Bound = d.ts(), d.ts(), d.ts()
}

// Append implements Message.
func (m *StaleRequest) Append(dst []byte) []byte { return appendTarget(dst, m.Target) }

func (m *StaleRequest) decode(d *decoder) { d.target(&m.Target) }

// Append implements Message.
func (m *StaleResponse) Append(dst []byte) []byte {
	return appendList(append(dst, byte(m.Answer)), m.Stale, appendBlocker)
}

func (m *StaleResponse) decode(d *decoder) {
	m.Answer = enum(d, Gone)
	m.Stale = list(d, blockerBytesMin, (*decoder).blocker)
}

const inquirePrevent = 1 << 0

// Append implements Message.
func (m *InquireRequest) Append(dst []byte) []byte {
	dst = append(appendTarget(dst, m.Target), flag(m.Prevent, inquirePrevent))
	dst = append(appendBytes(dst, m.Anchor), m.ID[:]...)
	return binary.BigEndian.AppendUint64(appendTS(dst, m.BaseTS), m.Fingerprint)
}

func (m *InquireRequest) decode(d *decoder) {
	d.target(&m.Target)
	m.Prevent = d.flags(inquirePrevent) != 0
	d.key(&m.Anchor)
	d.requestID(&m.ID)
	m.BaseTS, m.Fingerprint = d.ts(), d.u64()
}

const inquireBlocker = 1 << 0

// Append implements Message.
func (m *InquireResponse) Append(dst []byte) []byte {
	dst = append(dst, byte(m.Answer), byte(m.Status), flag(m.Blocker != nil, inquireBlocker))
	dst = appendID(appendTS(dst, m.CommitTS), m.Txn)
	if m.Blocker != nil {
		dst = appendBlocker(dst, m.Blocker)
	}
	return dst
}

func (m *InquireResponse) decode(d *decoder) {
	m.Answer, m.Status = enum(d, Gone), enum(d, txn.Aborted)
	f := d.flags(inquireBlocker)
	m.CommitTS, m.Txn = d.ts(), d.id()
	if f != 0 {
		m.Blocker = new(Blocker)
		d.blocker(m.Blocker)
	}
}
