package shardrpc

import (
	"encoding/binary"

	"github.com/cairnkv/cairn/txn"
)

func appendReadSet(dst []byte, r *txn.ReadSet) []byte {
	dst = appendList(appendTS(dst, r.MaxTS), r.Keys, appendSeen)
	return appendList(dst, r.Spans, appendSeenSpan)
}

func (d *decoder) readSet(r *txn.ReadSet) {
	r.MaxTS = d.ts()
	r.Keys = list(d, seenBytesMin, (*decoder).seen)
	r.Spans = list(d, seenSpanBytesMin, (*decoder).seenSpan)
}

const seenBytesMin = 9

func appendSeen(dst []byte, s *txn.Seen) []byte { return appendTS(appendBytes(dst, s.Key), s.TS) }

func (d *decoder) seen(s *txn.Seen) {
	d.key(&s.Key)
	s.TS = d.ts()
}

const seenSpanBytesMin = spanBytesMin + 8

func appendSeenSpan(dst []byte, s *txn.SeenSpan) []byte {
	return appendTS(appendSpan(dst, &s.Span), s.At)
}

func (d *decoder) seenSpan(s *txn.SeenSpan) {
	d.span(&s.Span)
	s.At = d.ts()
}

const (
	writeKeepTTL = 1 << iota
	writeNoHistory
	writeFlags = 1<<iota - 1
)

const writeBytesMin = 6

func appendWrite(dst []byte, w *txn.Write) []byte {
	dst = append(dst, flag(w.KeepTTL, writeKeepTTL)|flag(w.NoHistory, writeNoHistory), byte(w.Kind))
	dst = binary.AppendVarint(dst, w.TTL)
	return appendValue(appendBytes(dst, w.Key), &w.Value)
}

func (d *decoder) write(w *txn.Write) {
	f := d.flags(writeFlags)
	w.KeepTTL, w.NoHistory = f&writeKeepTTL != 0, f&writeNoHistory != 0
	w.Kind, w.TTL = enum(d, txn.KindExtend), d.varint()
	d.key(&w.Key)
	w.Value = d.value()
}

const writtenWrote = 1 << 0

const writtenBytesMin = 11 + versionBytesMin

func appendWritten(dst []byte, w *txn.Written) []byte {
	dst = appendBytes(append(dst, flag(w.Wrote, writtenWrote)), w.Key)
	dst = appendTS(binary.AppendVarint(dst, w.PrevRevision), w.PrevExpiry)
	return appendVersion(dst, &w.Version)
}

func (d *decoder) written(w *txn.Written) {
	w.Wrote = d.flags(writtenWrote) != 0
	d.key(&w.Key)
	w.PrevRevision, w.PrevExpiry = d.varint(), d.ts()
	d.version(&w.Version)
}
