package meta

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"

	"github.com/cairnkv/cairn/txn"
)

// A leased session ends when it has not been renewed for SessionTTL. Gateways
// renew theirs every RenewEvery.
const (
	SessionTTL = 2 * time.Second
	RenewEvery = 500 * time.Millisecond
)

// Session is a gateway's: its transactions are its own while it is open. One
// that is not leased belongs to a gateway inside the member's process.
type Session struct {
	ID      uint32 `codec:"id"`
	Address string `codec:"address"`
	Leased  bool   `codec:"leased,omitempty"`
}

// sessions is a cold record: msgpack with field names, so that it can grow.
type sessions struct {
	Last uint32    `codec:"last"`
	Open []Session `codec:"open"`
}

func handle() *codec.MsgpackHandle {
	h := &codec.MsgpackHandle{WriteExt: true}
	h.Canonical = true
	h.MaxInitLen = 1 << 16
	return h
}

// open opens the next session. A sole one ends all others, a leased one those
// that are not leased.
func (s *sessions) open(address string, sole, leased bool) {
	if s.Last == SessionMax {
		return // 16 million starts; openSession refuses before this
	}
	s.Last++
	s.Open = slices.DeleteFunc(s.Open, func(o Session) bool {
		return sole || leased && !o.Leased
	})
	s.Open = append(s.Open, Session{ID: s.Last, Address: address, Leased: leased})
}

// end ends the sessions of an EndCommand's body, as far as they are open.
func (s *sessions) end(ids []byte) error {
	for len(ids) > 0 {
		id, n := binary.Uvarint(ids)
		if n <= 0 {
			return corrupt("a command")
		}
		ids = ids[n:]
		s.Open = slices.DeleteFunc(s.Open, func(o Session) bool { return uint64(o.ID) == id })
	}
	return nil
}

func (s *sessions) encode() ([]byte, error) {
	var b []byte
	if err := codec.NewEncoderBytes(&b, handle()).Encode(s); err != nil {
		return nil, txn.Errorf(txn.Internal, "encode", "sessions: %w", err)
	}
	return b, nil
}

func (s *sessions) decode(b []byte) error {
	if err := codec.NewDecoderBytes(b, handle()).Decode(s); err != nil {
		return corrupt("the list of sessions")
	}
	return nil
}
