// Package frame is protobuf's binary format of the stream's frames, by hand: a frame of many small
// calls is the hottest message there is. The bytes are those of package proto, which does what is
// rare, and all other messages.
package frame

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

// The numbers of fields; see stream.proto.
const (
	fieldCalls   = 1 // of a Frame
	fieldReplies = 2

	fieldID = 1 // of a Call and of a Reply

	fieldMethod   = 2 // of a Call
	fieldDeadline = 3
	fieldPayload  = 4

	fieldAnswer = 2 // of a Reply
	fieldError  = 3
)

// Codec is Connect's codec of protobuf messages.
type Codec struct{}

var errNoMessage = errors.New("not a protobuf message")

// Name implements connect.Codec.
func (Codec) Name() string { return "proto" }

// IsBinary tells Connect that the bytes are no text.
func (Codec) IsBinary() bool { return true }

// Marshal implements connect.Codec.
func (c Codec) Marshal(m any) ([]byte, error) { return c.MarshalAppend(nil, m) }

// MarshalAppend spares Connect an allocation for every message.
func (Codec) MarshalAppend(dst []byte, m any) ([]byte, error) {
	if f, ok := m.(*cairnv1.Frame); ok {
		return appendFrame(dst, f)
	}
	message, ok := m.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%w: %T", errNoMessage, m)
	}
	return proto.MarshalOptions{}.MarshalAppend(dst, message)
}

// Unmarshal implements connect.Codec. b belongs to Connect; the payloads of a frame share a copy.
func (Codec) Unmarshal(b []byte, m any) error {
	if f, ok := m.(*cairnv1.Frame); ok {
		return readFrame(bytes.Clone(b), f)
	}
	message, ok := m.(proto.Message)
	if !ok {
		return fmt.Errorf("%w: %T", errNoMessage, m)
	}
	return proto.Unmarshal(b, message)
}

// appendFrame leaves out what a frame has that this release does not know: nobody passes one on.
func appendFrame(dst []byte, f *cairnv1.Frame) ([]byte, error) {
	for _, c := range f.Calls {
		dst = protowire.AppendTag(dst, fieldCalls, protowire.BytesType)
		dst = protowire.AppendVarint(dst, uint64(sizeOfCall(c)))
		dst = appendVarint(dst, fieldID, c.Id)
		dst = appendVarint(dst, fieldMethod, uint64(c.Method))
		dst = appendVarint(dst, fieldDeadline, uint64(c.DeadlineMs))
		dst = appendBytes(dst, fieldPayload, c.Payload)
	}
	for _, r := range f.Replies {
		dst = protowire.AppendTag(dst, fieldReplies, protowire.BytesType)
		dst = protowire.AppendVarint(dst, uint64(SizeOfReply(r)))
		dst = appendVarint(dst, fieldID, r.Id)
		dst = appendBytes(dst, fieldAnswer, r.Payload)
		if r.Error != nil {
			dst = protowire.AppendTag(dst, fieldError, protowire.BytesType)
			dst = protowire.AppendVarint(dst, uint64(proto.Size(r.Error)))
			var err error
			if dst, err = (proto.MarshalOptions{}).MarshalAppend(dst, r.Error); err != nil {
				return nil, err
			}
		}
	}
	if len(f.Cancels) == 0 {
		return dst, nil
	}
	return proto.MarshalOptions{}.MarshalAppend(dst, &cairnv1.Frame{Cancels: f.Cancels})
}

func sizeOfCall(c *cairnv1.Call) int {
	return sizeOfVarint(c.Id) + sizeOfVarint(uint64(c.Method)) +
		sizeOfVarint(uint64(c.DeadlineMs)) + sizeOfBytes(len(c.Payload))
}

// SizeOfReply is how many bytes r takes in a frame, without its tag and its length.
func SizeOfReply(r *cairnv1.Reply) int {
	size := sizeOfVarint(r.GetId()) + sizeOfBytes(len(r.GetPayload()))
	if r.GetError() != nil {
		size += 1 + protowire.SizeBytes(proto.Size(r.GetError()))
	}
	return size
}

// What is zero is left out. All tags take one byte.

func appendVarint(dst []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, field, protowire.VarintType), v)
}

func appendBytes(dst []byte, field protowire.Number, b []byte) []byte {
	if len(b) == 0 {
		return dst
	}
	return protowire.AppendBytes(protowire.AppendTag(dst, field, protowire.BytesType), b)
}

func sizeOfVarint(v uint64) int {
	if v == 0 {
		return 0
	}
	return 1 + protowire.SizeVarint(v)
}

func sizeOfBytes(n int) int {
	if n == 0 {
		return 0
	}
	return 1 + protowire.SizeBytes(n)
}

// readFrame fills f, which keeps parts of b.
func readFrame(b []byte, f *cairnv1.Frame) error {
	calls, replies, plain := count(b)
	if !plain {
		return proto.Unmarshal(b, f)
	}
	f.Reset()
	f.Calls = pointers(make([]cairnv1.Call, calls))
	f.Replies = pointers(make([]cairnv1.Reply, replies))
	calls, replies = 0, 0
	for len(b) > 0 {
		field, _, n := protowire.ConsumeTag(b)
		record, m := protowire.ConsumeBytes(b[n:])
		b = b[n+m:]
		if field == fieldCalls {
			if err := readCall(record, f.Calls[calls]); err != nil {
				return err
			}
			calls++
		} else {
			if err := readReply(record, f.Replies[replies]); err != nil {
				return err
			}
			replies++
		}
	}
	return nil
}

// count says what is in a frame, and whether it is nothing else and in one piece.
func count(b []byte) (calls, replies int, plain bool) {
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 || kind != protowire.BytesType {
			return 0, 0, false
		}
		_, m := protowire.ConsumeBytes(b[n:])
		if m < 0 {
			return 0, 0, false
		}
		switch b = b[n+m:]; field {
		case fieldCalls:
			calls++
		case fieldReplies:
			replies++
		default:
			return 0, 0, false
		}
	}
	return calls, replies, true
}

// pointers are those to the elements of all: one allocation for many messages.
func pointers[T any](all []T) []*T {
	if len(all) == 0 {
		return nil
	}
	ps := make([]*T, len(all))
	for i := range all {
		ps[i] = &all[i]
	}
	return ps
}

func readCall(b []byte, c *cairnv1.Call) error {
	return readFields(b, c, func(field protowire.Number, kind protowire.Type, in []byte) (n int) {
		switch {
		case field == fieldPayload && kind == protowire.BytesType:
			c.Payload, n = protowire.ConsumeBytes(in)
		case field <= fieldDeadline && kind == protowire.VarintType:
			var v uint64
			v, n = protowire.ConsumeVarint(in)
			switch field {
			case fieldID:
				c.Id = v
			case fieldMethod:
				c.Method = cairnv1.Method(int32(v & math.MaxUint32))
			case fieldDeadline:
				c.DeadlineMs = int64(v)
			}
		}
		return n
	})
}

func readReply(b []byte, r *cairnv1.Reply) error {
	return readFields(b, r, func(field protowire.Number, kind protowire.Type, in []byte) (n int) {
		switch {
		case field == fieldID && kind == protowire.VarintType:
			r.Id, n = protowire.ConsumeVarint(in)
		case field == fieldAnswer && kind == protowire.BytesType:
			r.Payload, n = protowire.ConsumeBytes(in)
		}
		return n
	})
}

// readFields shows the fields of b to read, which returns what it took, or an error of protowire's;
// 0 for a field that it does not know: then package proto fills in m.
func readFields(
	b []byte, m proto.Message, read func(protowire.Number, protowire.Type, []byte) int,
) error {
	for in := b; len(in) > 0; {
		field, kind, n := protowire.ConsumeTag(in)
		if n < 0 {
			return protowire.ParseError(n)
		}
		took := read(field, kind, in[n:])
		switch {
		case took == 0:
			return proto.Unmarshal(b, m)
		case took < 0:
			return protowire.ParseError(took)
		}
		in = in[n+took:]
	}
	return nil
}
