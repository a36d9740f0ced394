package shardrpc

import (
	"encoding/binary"

	"github.com/cairnkv/cairn/txn"
)

const (
	readRevision = 1 << iota
	readScan
	readHistory
	readFlags = 1<<iota - 1
)

// Append implements Message.
func (m *ReadRequest) Append(dst []byte) []byte {
	dst = appendTarget(dst, m.Target)
	dst = append(dst, flag(m.Revision != nil, readRevision)|flag(m.Scan != nil, readScan)|
		flag(m.History != nil, readHistory))
	dst = appendList(appendTS(dst, m.At), m.Keys, appendKey)
	if m.Revision != nil {
		dst = binary.AppendVarint(dst, *m.Revision)
	}
	if m.Scan != nil {
		dst = appendScan(dst, m.Scan)
	}
	if m.History != nil {
		dst = appendHistory(dst, m.History)
	}
	return dst
}

func (m *ReadRequest) decode(d *decoder) {
	d.target(&m.Target)
	f := d.flags(readFlags)
	m.At, m.Keys = d.ts(), list(d, 1, (*decoder).key)
	if f&readRevision != 0 {
		m.Revision = new(d.varint())
	}
	if f&readScan != 0 {
		m.Scan = new(Scan)
		d.scan(m.Scan)
	}
	if f&readHistory != 0 {
		m.History = new(History)
		d.history(m.History)
	}
}

const (
	scanReverse = 1 << iota
	scanKeysOnly
	scanSince
	scanFlags = 1<<iota - 1
)

func appendScan(dst []byte, s *Scan) []byte {
	dst = append(dst, flag(s.Reverse, scanReverse)|flag(s.KeysOnly, scanKeysOnly)|
		flag(s.Since != 0, scanSince))
	dst = binary.AppendVarint(appendSpan(dst, &s.Span), int64(s.Limit))
	dst = binary.AppendVarint(dst, int64(s.Bytes))
	if s.Since != 0 {
		dst = appendTS(dst, s.Since)
	}
	return dst
}

func (d *decoder) scan(s *Scan) {
	f := d.flags(scanFlags)
	s.Reverse, s.KeysOnly = f&scanReverse != 0, f&scanKeysOnly != 0
	d.span(&s.Span)
	s.Limit, s.Bytes = d.int(), d.int()
	if f&scanSince != 0 {
		s.Since = d.ts()
	}
}

const historyKeysOnly = 1 << 0

func appendHistory(dst []byte, h *History) []byte {
	dst = appendTS(append(dst, flag(h.KeysOnly, historyKeysOnly)), h.From)
	return binary.AppendVarint(binary.AppendVarint(dst, int64(h.Limit)), int64(h.Bytes))
}

func (d *decoder) history(h *History) {
	h.KeysOnly = d.flags(historyKeysOnly) != 0
	h.From, h.Limit, h.Bytes = d.ts(), d.int(), d.int()
}

const (
	readMoved = 1 << iota
	readRetry
	readMore
	readError
	readTooOld
	readChanged
	readExpiry
	readNext
	readAnswerFlags = 1<<iota - 1
)

// Append implements Message.
func (m *ReadResponse) Append(dst []byte) []byte {
	dst = append(dst, flag(m.Moved, readMoved)|flag(m.Retry, readRetry)|flag(m.More, readMore)|
		flag(m.Err != nil, readError)|flag(m.TooOld != 0, readTooOld)|
		flag(m.Changed, readChanged)|flag(m.Expiry != 0, readExpiry)|
		flag(m.Next != 0, readNext))
	dst = appendTS(dst, m.At)
	if m.Err != nil {
		dst = appendError(dst, m.Err)
	}
	if m.TooOld != 0 {
		dst = appendTS(dst, m.TooOld)
	}
	dst = appendList(dst, m.Blocked, appendBlocker)
	dst = appendList(dst, m.Versions, appendVersion)
	dst = appendList(dst, m.Entries, appendEntry)
	if m.Expiry != 0 {
		dst = appendTS(dst, m.Expiry)
	}
	if m.Next != 0 {
		dst = appendTS(dst, m.Next)
	}
	return dst
}

func (m *ReadResponse) decode(d *decoder) {
	f := d.flags(readAnswerFlags)
	m.Moved, m.Retry, m.More = f&readMoved != 0, f&readRetry != 0, f&readMore != 0
	m.Changed = f&readChanged != 0
	m.At = d.ts()
	if f&readError != 0 {
		m.Err = new(txn.Error)
		d.error(m.Err)
	}
	if f&readTooOld != 0 {
		m.TooOld = d.ts()
	}
	m.Blocked = list(d, blockerBytesMin, (*decoder).blocker)
	m.Versions = list(d, versionBytesMin, (*decoder).version)
	m.Entries = list(d, entryBytesMin, (*decoder).entry)
	if f&readExpiry != 0 {
		m.Expiry = d.ts()
	}
	if f&readNext != 0 {
		m.Next = d.ts()
	}
}
