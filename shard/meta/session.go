package meta

import (
	"github.com/hashicorp/go-msgpack/v2/codec"

	"github.com/cairnkv/cairn/txn"
)

// Session is a gateway's lease: its transactions are its own while it is open.
type Session struct {
	ID      uint32 `codec:"id"`
	Address string `codec:"address"`
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

func (s *sessions) open(address string, sole bool) {
	if s.Last == SessionMax {
		return // 16 million starts; openSession refuses before this
	}
	if s.Last++; sole {
		s.Open = nil
	}
	s.Open = append(s.Open, Session{ID: s.Last, Address: address})
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
