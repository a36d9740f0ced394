package link

import (
	"encoding/binary"
	"math"
	"time"
)

// A frame is the number of frames taken since the last one (varint), then messages:
//
//	kind (1 byte)
//	call:             id (varint)  method (1 byte)  microseconds left, 0 = no limit (varint)
//	                  length (varint)  payload
//	cancel:           id (varint)
//	answer, failure:  id (varint)  length (varint)  payload
//	post:             method (1 byte)  length (varint)  payload
//
// The ids of calls begin with 1. A failure of call 0 is that of the stream: it ends because of it.
type outFrame struct {
	taken    int
	messages []*message
}

// size is how long the frame gets at most.
func (f *outFrame) size() int {
	n := binary.MaxVarintLen64
	for _, m := range f.messages {
		n += messageBytesMax + len(m.payload)
	}
	return n
}

func (f *outFrame) append(dst []byte, now time.Time) []byte {
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

// streamID is in the place of a call's id where a failure is that of the stream.
const streamID = 0

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
