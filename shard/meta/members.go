package meta

import (
	"slices"

	"github.com/hashicorp/go-msgpack/v2/codec"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// Member is a process that keeps a replica of every shard.
type Member struct {
	ID      uint64 `codec:"id"`
	Address string `codec:"address"`
	// Nonce is of its data directory: the same id on another disk is another
	// member, which has forgotten what the first one promised (R12).
	Nonce uint64 `codec:"nonce"`
}

// members is a cold record, as sessions is.
type members struct {
	Last uint64   `codec:"last"` // the largest id that was ever given out
	Now  []Member `codec:"now"`  // by id
}

// PutMembers puts the founders of a cluster into the first state of its meta group.
func PutMembers(b mvcc.Batch, founders []Member) error {
	m := members{Now: founders}
	for _, f := range founders {
		m.Last = max(m.Last, f.ID)
	}
	return m.put(b)
}

func (m *members) put(b mvcc.Batch) error {
	var enc []byte
	if err := codec.NewEncoderBytes(&enc, handle()).Encode(m); err != nil {
		return txn.Errorf(txn.Internal, "encode", "members: %w", err)
	}
	b.Set(mvcc.MetaKey(keyMembers, nil), enc)
	return nil
}

func (m *members) decode(b []byte) error {
	if err := codec.NewDecoderBytes(b, handle()).Decode(m); err != nil {
		return corrupt("the list of members")
	}
	return nil
}

// replacement is the body of cmdReplace.
type replacement struct {
	Old uint64 `codec:"old"`
	New Member `codec:"new"`
}

// ReplaceCommand puts a new member in the place of another.
func ReplaceCommand(old uint64, by Member) ([]byte, error) {
	b := []byte{byte(cmdReplace)}
	var enc []byte
	if err := codec.NewEncoderBytes(&enc, handle()).Encode(&replacement{old, by}); err != nil {
		return nil, txn.Errorf(txn.Internal, "encode", "a replacement: %w", err)
	}
	return append(b, enc...), nil
}

// replace has no effect if it is not possible any more.
func (m *members) replace(body []byte) error {
	var r replacement
	if err := codec.NewDecoderBytes(body, handle()).Decode(&r); err != nil {
		return corrupt("a command")
	}
	if m.objection(r.Old, &r.New) != nil {
		return nil
	}
	m.Last = r.New.ID
	m.Now = slices.DeleteFunc(slices.Clone(m.Now), func(o Member) bool { return o.ID == r.Old })
	m.Now = append(m.Now, r.New)
	return nil
}

// Changing is why the next change of members has to wait for a shard.
func Changing(shard shardrpc.ShardID) *txn.Error {
	e := txn.Errorf(txn.Unavailable, "members_changing",
		"the last change of members is not over in shard %d", shard)
	e.Next = "wait until the status shows the newest member's lag in every shard"
	return e
}

// objection is why by cannot take the place of old.
func (m *members) objection(old uint64, by *Member) *txn.Error {
	switch {
	case by.ID <= m.Last:
		e := txn.Errorf(txn.Invalid, "member_id_used", "member id %d was given out before", by.ID)
		e.Next = "start the new member with an --id above all that were ever used"
		return e
	case !slices.ContainsFunc(m.Now, func(o Member) bool { return o.ID == old }):
		return txn.Errorf(txn.Invalid, "member_unknown", "there is no member %d to replace", old)
	}
	return nil
}

// Objection is why by cannot take the place of member old; nil: it can, or has.
func (s *State) Objection(old uint64, by Member) *txn.Error {
	if s.Has(by.ID, by.Nonce) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.members.objection(old, &by)
}

// Has reports whether the member with that data directory belongs to the cluster.
func (s *State) Has(id, nonce uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.members.Now, func(o Member) bool {
		return o.ID == id && o.Nonce == nonce
	})
}

// Members are who belongs to the cluster now, by id.
func (s *State) Members() []shardrpc.Member {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]shardrpc.Member, len(s.members.Now))
	for i, m := range s.members.Now {
		out[i] = shardrpc.Member{ID: m.ID, Address: m.Address}
	}
	return out
}
