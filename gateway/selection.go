package gateway

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// selection is which keys a range read sees: those of span, and if bucket is set only those that
// have no '/' behind it. A bucket ends in its '/', and span is then all that begins with it.
type selection struct {
	span   txn.Span
	bucket txn.Key
}

func selectionOf(keyspace string, in *cairnv1.Selection) (selection, error) {
	ks, err := keyspaceID(keyspace)
	if err != nil {
		return selection{}, err
	}
	switch by := in.GetBy().(type) {
	case *cairnv1.Selection_Prefix:
		return prefixSelection(ks, by.Prefix, "prefix")
	case *cairnv1.Selection_Bucket:
		s, err := prefixSelection(ks, append(bytes.Clone(by.Bucket), '/'), "bucket")
		s.bucket = s.span.Start
		return s, err
	default:
		span, err := spanIn(ks, in.GetSpan())
		return selection{span: span}, err
	}
}

func prefixSelection(ks txn.KeyspaceID, prefix []byte, what string) (selection, error) {
	if len(prefix) > txn.KeyBytesMax {
		return selection{}, invalid(what+"_too_long", "the %s has %d bytes, the limit is %d",
			what, len(prefix), txn.KeyBytesMax)
	}
	return selection{span: txn.PrefixSpan(txn.NewKey(ks, prefix))}, nil
}

// nested is the length of the bucket below that key lies in, its '/' included; 0 if key belongs
// to the selection.
func (s *selection) nested(key txn.Key) int {
	if s.bucket == nil {
		return 0
	}
	n := len(s.bucket)
	slash := bytes.IndexByte(key[n:], '/')
	if slash < 0 {
		return 0
	}
	return n + slash + 1
}

// checksum tells the range of one cursor from that of another.
func (s *selection) checksum(reverse bool) uint32 {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(s.span.Start)))
	b = append(b, s.span.Start...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(s.span.End)))
	b = append(b, s.span.End...)
	flags := byte(0)
	if reverse {
		flags |= 1
	}
	if s.bucket != nil {
		flags |= 2
	}
	return crc32.ChecksumIEEE(append(b, flags))
}
