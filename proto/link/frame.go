package link

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"connectrpc.com/connect"
)

// A frame on the wire is the number of frames taken since the last one (varint), then messages:
//
//	kind (1 byte)
//	call:             id (varint)  method (1 byte)  microseconds left, 0 = no limit (varint)
//	                  length (varint)  payload
//	cancel:           id (varint)
//	answer, failure:  id (varint)  length (varint)  payload
//	post:             method (1 byte)  length (varint)  payload
type outFrame struct {
	hello    *greeting // the first frame of a stream is this alone
	taken    int
	messages []*message
}

func (f *outFrame) append(dst []byte, now time.Time) []byte {
	if f.hello != nil {
		return f.hello.append(dst)
	}
	dst = binary.AppendUvarint(dst, uint64(f.taken))
	for _, m := range f.messages {
		dst = m.append(dst, now)
	}
	return dst
}

func (m *message) append(dst []byte, now time.Time) []byte {
	dst = append(dst, byte(m.kind))
	if m.kind != kindPost {
		dst = binary.AppendUvarint(dst, m.id)
	}
	switch m.kind {
	case kindCancel:
		return dst
	case kindPost:
		dst = append(dst, m.method)
	case kindCall:
		left := uint64(0)
		if !m.deadline.IsZero() {
			left = uint64(max(1, m.deadline.Sub(now).Microseconds()))
		}
		dst = binary.AppendUvarint(append(dst, m.method), left)
	case kindAnswer, kindFailure:
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.payload)))
	return append(dst, m.payload...)
}

// inFrame is a frame as it came. What is cut from it shares its memory.
type inFrame struct {
	b []byte
}

// arrival is a message that came in.
type arrival struct {
	kind    kind
	method  uint8
	id      uint64
	left    time.Duration // until the deadline; 0: none
	payload []byte
}

func (f *inFrame) uvarint() (uint64, error) {
	v, n := binary.Uvarint(f.b)
	if n <= 0 {
		return 0, violation("a frame ends in the middle of a number")
	}
	f.b = f.b[n:]
	return v, nil
}

func (f *inFrame) byte() (byte, error) {
	if len(f.b) == 0 {
		return 0, violation("a frame ends in the middle of a message")
	}
	v := f.b[0]
	f.b = f.b[1:]
	return v, nil
}

// next cuts the next message off f.
func (f *inFrame) next() (a arrival, err error) {
	a.kind = kind(f.b[0])
	f.b = f.b[1:]
	if a.kind != kindPost {
		if a.id, err = f.uvarint(); err != nil {
			return a, err
		}
	}
	switch a.kind {
	case kindCancel:
		return a, nil
	case kindCall:
		if a.method, err = f.byte(); err != nil {
			return a, err
		}
		left, err := f.uvarint()
		if err != nil {
			return a, err
		}
		a.left = time.Duration(min(left, math.MaxInt64/1000)) * time.Microsecond
	case kindPost:
		if a.method, err = f.byte(); err != nil {
			return a, err
		}
	case kindAnswer, kindFailure:
	default:
		return a, violation("message kind %d is unknown to this release", a.kind)
	}
	n, err := f.uvarint()
	if err != nil {
		return a, err
	}
	if n > uint64(len(f.b)) {
		return a, violation("a payload of %d bytes in the last %d of a frame", n, len(f.b))
	}
	a.payload, f.b = f.b[:n:n], f.b[n:]
	return a, nil
}

// codec lets Connect carry frames as they are.
type codec struct{}

var (
	_ connect.Codec = codec{}

	errNoFrame = errors.New("a link carries frames alone")
)

// Name implements connect.Codec.
func (codec) Name() string { return "cairn-link" }

// Marshal implements connect.Codec.
func (c codec) Marshal(m any) ([]byte, error) { return c.MarshalAppend(nil, m) }

// MarshalAppend spares Connect an allocation for every frame.
func (codec) MarshalAppend(dst []byte, m any) ([]byte, error) {
	f, ok := m.(*outFrame)
	if !ok {
		return nil, fmt.Errorf("%w, not %T", errNoFrame, m)
	}
	return f.append(dst, time.Now()), nil
}

// Unmarshal implements connect.Codec. The memory that it is given belongs to Connect.
func (codec) Unmarshal(b []byte, m any) error {
	f, ok := m.(*inFrame)
	if !ok {
		return fmt.Errorf("%w, not %T", errNoFrame, m)
	}
	f.b = bytes.Clone(b)
	return nil
}

// stream is what both ends have of Connect's stream.
type stream interface {
	Send(f *outFrame) error
	Receive() (*inFrame, error)
}
