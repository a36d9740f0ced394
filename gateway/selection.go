package gateway

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// selection is which keys a range read sees: those of span that filter takes. Where that has a
// bucket, span is within what begins with it.
type selection struct {
	span   txn.Span
	filter txn.Filter
}

func (g *Gateway) selectionOf(
	ctx context.Context, keyspace string, in *cairnv1.Selection,
) (selection, error) {
	ks, err := g.keyspaceID(ctx, keyspace)
	if err != nil {
		return selection{}, err
	}
	var s selection
	switch by := in.GetBy().(type) {
	case *cairnv1.Selection_Prefix:
		s, err = prefixSelection(ks, by.Prefix, "prefix")
	case *cairnv1.Selection_Bucket:
		s, err = prefixSelection(ks, append(bytes.Clone(by.Bucket), '/'), "bucket")
		s.filter.Bucket = len(s.span.Start)
	default:
		s.span, err = spanIn(ks, in.GetSpan())
	}
	if err != nil {
		return s, err
	}
	return s.matching(ks, in.GetGlob())
}

// matching is s with a pattern, and with no more of the span than can match it.
func (s selection) matching(ks txn.KeyspaceID, pattern []byte) (selection, error) {
	if len(pattern) == 0 {
		return s, nil
	}
	if len(pattern) > txn.KeyBytesMax {
		return s, invalid("glob_too_long", "the pattern has %d bytes, the limit is %d",
			len(pattern), txn.KeyBytesMax)
	}
	glob := txn.Glob(pattern)
	if err := glob.Check(); err != nil {
		return s, err
	}
	prefix, whole := glob.Prefix()
	can := txn.PrefixSpan(txn.NewKey(ks, prefix))
	if whole {
		can = txn.KeySpan(can.Start)
	}
	if s.span = s.span.Intersect(can); s.span.Empty() { // a span of no key, in order
		s.span.End = s.span.Start
	}
	s.filter.Glob = glob
	return s, nil
}

// required is selectionOf for what must not happen to a whole keyspace because a field was
// forgotten.
func (g *Gateway) required(
	ctx context.Context, keyspace string, in *cairnv1.Selection,
) (selection, error) {
	if in.GetBy() == nil && len(in.GetGlob()) == 0 {
		e := txn.Errorf(txn.Invalid, "selection_missing", "nothing says which keys are meant")
		e.Next = "name a prefix, a span, a bucket or a glob; the empty prefix is all keys"
		return selection{}, e
	}
	return g.selectionOf(ctx, keyspace, in)
}

func prefixSelection(ks txn.KeyspaceID, prefix []byte, what string) (selection, error) {
	if len(prefix) > txn.KeyBytesMax {
		return selection{}, invalid(what+"_too_long", "the %s has %d bytes, the limit is %d",
			what, len(prefix), txn.KeyBytesMax)
	}
	return selection{span: txn.PrefixSpan(txn.NewKey(ks, prefix))}, nil
}

// nested is the length of the bucket below that key lies in, its '/' included; 0 if it is in none.
func (s *selection) nested(key txn.Key) int {
	n := s.filter.Bucket
	if n == 0 {
		return 0
	}
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
	if s.filter.Bucket != 0 {
		flags |= 2
	}
	return crc32.ChecksumIEEE(append(append(b, flags), s.filter.Glob...))
}
