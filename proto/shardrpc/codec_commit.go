package shardrpc

import (
	"encoding/binary"

	"github.com/cairnkv/cairn/txn"
)

func appendAge(dst []byte, a txn.Age) []byte { return appendID(appendTS(dst, a.At), a.ID) }

func (d *decoder) age() txn.Age { return txn.Age{At: d.ts(), ID: d.id()} }

// Append implements Message.
func (m *CommitRequest) Append(dst []byte) []byte {
	dst = appendID(appendTarget(dst, m.Target), m.Txn)
	dst = appendTS(appendTS(appendAge(dst, m.Age), m.BaseTS), m.MaxTS)
	dst = appendProgram(appendReadSet(dst, &m.Reads), &m.Program)
	dst = appendBytes(appendRequest(dst, m.Request), m.Anchor)
	return appendAnnotation(dst, &m.Program.Annotation)
}

func (m *CommitRequest) decode(d *decoder) {
	d.target(&m.Target)
	m.Txn, m.Age, m.BaseTS, m.MaxTS = d.id(), d.age(), d.ts(), d.ts()
	d.readSet(&m.Reads)
	d.program(&m.Program)
	m.Request = d.request()
	d.key(&m.Anchor)
	d.annotation(&m.Program.Annotation)
}

func appendAnnotation(dst []byte, a *txn.Annotation) []byte {
	return appendBytes(appendBytes(dst, a.Principal), a.Message)
}

func (d *decoder) annotation(a *txn.Annotation) { a.Principal, a.Message = d.string(), d.string() }

const requestThere = 1 << 0

func appendRequest(dst []byte, r *txn.Request) []byte {
	dst = append(dst, flag(r != nil, requestThere))
	if r == nil {
		return dst
	}
	dst = binary.BigEndian.AppendUint64(append(dst, r.ID[:]...), r.Fingerprint)
	return appendTS(dst, r.Since)
}

func (d *decoder) request() *txn.Request {
	if d.flags(requestThere) == 0 {
		return nil
	}
	r := new(txn.Request)
	d.requestID(&r.ID)
	r.Fingerprint, r.Since = d.u64(), d.ts()
	return r
}

func (d *decoder) requestID(id *txn.RequestID) {
	if d.left() < len(id) {
		d.fail(whyShort)
		return
	}
	d.next += copy(id[:], d.b[d.next:])
}

const commitSucceeded = 1 << 0

// Append implements Message.
func (m *CommitResponse) Append(dst []byte) []byte {
	dst = append(m.Reply.Append(dst), flag(m.Succeeded, commitSucceeded))
	dst = appendList(appendTS(dst, m.CommitTS), m.Results, appendResult)
	return appendList(dst, m.Written, appendWritten)
}

func (m *CommitResponse) decode(d *decoder) {
	m.Reply.decode(d)
	m.Succeeded = d.flags(commitSucceeded) != 0
	m.CommitTS = d.ts()
	m.Results = list(d, resultBytesMin, (*decoder).result)
	m.Written = list(d, writtenBytesMin, (*decoder).written)
}

// Append implements Message.
func (m *ValidateRequest) Append(dst []byte) []byte {
	dst = appendTS(appendID(appendTarget(dst, m.Target), m.Txn), m.At)
	return appendReadSet(dst, &m.Reads)
}

func (m *ValidateRequest) decode(d *decoder) {
	d.target(&m.Target)
	m.Txn, m.At = d.id(), d.ts()
	d.readSet(&m.Reads)
}
