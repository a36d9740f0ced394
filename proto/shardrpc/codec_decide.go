package shardrpc

import (
	"encoding/binary"

	"github.com/cairnkv/cairn/txn"
)

const prewriteRecord = 1 << 0

// Append implements Message.
func (m *PrewriteRequest) Append(dst []byte) []byte {
	dst = append(appendTarget(dst, m.Target), flag(m.Record, prewriteRecord))
	dst = appendAge(appendID(dst, m.Txn), m.Age)
	dst = appendBytes(appendTS(appendTS(dst, m.BaseTS), m.MaxTS), m.Primary)
	dst = binary.BigEndian.AppendUint64(dst, m.Hash)
	return appendList(appendReadSet(dst, &m.Reads), m.Writes, appendWrite)
}

func (m *PrewriteRequest) decode(d *decoder) {
	d.target(&m.Target)
	m.Record = d.flags(prewriteRecord) != 0
	m.Txn, m.Age, m.BaseTS, m.MaxTS = d.id(), d.age(), d.ts(), d.ts()
	d.key(&m.Primary)
	m.Hash = d.u64()
	d.readSet(&m.Reads)
	m.Writes = list(d, writeBytesMin, (*decoder).write)
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
	return appendList(dst, m.Keys, appendKey)
}

func (m *ResolveRequest) decode(d *decoder) {
	d.target(&m.Target)
	m.Commit = d.flags(resolveCommit) != 0
	m.Txn, m.BaseTS, m.CommitTS = d.id(), d.ts(), d.ts()
	m.Keys = list(d, 1, (*decoder).key)
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
	return appendTS(append(dst, byte(m.Answer), byte(m.Status)), m.CommitTS)
}

func (m *QueryResponse) decode(d *decoder) {
	m.Answer, m.Status, m.CommitTS = enum(d, Gone), enum(d, txn.Aborted), d.ts()
}
