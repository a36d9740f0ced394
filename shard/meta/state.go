package meta

import (
	"encoding/binary"
	"slices"
	"sync"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/txn"
)

// SessionMax is the largest session; ids of transactions have 24 bits for it.
const SessionMax = 1<<txn.SessionBits - 1

// Kinds of meta keys (docs/formats.md).
const (
	keyKeyspaces = 'k'
	keyMembers   = 'm'
	keyOracle    = 'o'
	keySessions  = 's'
)

type commandKind uint8

const (
	cmdExtend   commandKind = 1
	cmdSession  commandKind = 2
	cmdEnd      commandKind = 3
	cmdReplace  commandKind = 4
	cmdKeyspace commandKind = 5
)

// Flags of cmdSession.
const (
	flagSole = 1 << iota
	flagLeased
	flagsKnown = 1<<iota - 1
)

// State is the applied state of the meta group. Apply belongs to the replica;
// the rest may be called from any goroutine.
type State struct {
	Oracle Oracle

	mu        sync.Mutex
	limit     txn.Timestamp // of the oracle
	sessions  sessions
	members   members
	keyspaces keyspaces
}

// Load reads the state that the engine holds.
func Load(eng mvcc.Engine) (*State, error) {
	s := &State{}
	return s, s.Reload(eng)
}

// Reload reads the state that the engine holds now: a snapshot has replaced it.
func (s *State) Reload(eng mvcc.Engine) error {
	var limit uint64
	var now sessions
	var who members
	for _, row := range []struct {
		key    byte
		decode func([]byte) error
	}{
		{keyOracle, func(b []byte) (err error) {
			n := 0
			if limit, n = binary.Uvarint(b); n <= 0 {
				err = corrupt("the oracle's limit")
			}
			return err
		}},
		{keySessions, now.decode},
		{keyMembers, who.decode},
	} {
		b, ok, err := eng.Get(mvcc.MetaKey(row.key, nil))
		if err == nil && ok {
			err = row.decode(b)
		}
		if err != nil {
			return err
		}
	}
	var spaces keyspaces
	if err := spaces.load(eng); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit, s.sessions, s.members = txn.Timestamp(limit), now, who
	s.keyspaces = spaces
	return nil
}

func corrupt(what string) error {
	return txn.Errorf(txn.Internal, mvcc.ReasonCorruption,
		"%s in the meta group does not decode", what)
}

// Limit is the newest timestamp that any leader may have issued.
func (s *State) Limit() txn.Timestamp {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limit
}

// LastSession is the session that was opened last; 0 if there was none.
func (s *State) LastSession() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions.Last
}

// Ended reports whether a session is known to have ended. One that this member
// has not heard of yet has not.
func (s *State) Ended(session uint32) bool {
	return session <= s.LastSession() && !s.Alive(session)
}

// Alive reports whether a session is open.
func (s *State) Alive(session uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.sessions.Open, func(o Session) bool { return o.ID == session })
}

// Address is where the gateway of an open session said that it is.
func (s *State) Address(session uint32) (address string, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.sessions.Open {
		if o.ID == session {
			return o.Address, true
		}
	}
	return "", false
}

// Leased are the leased sessions that are open, in the order of their ids.
func (s *State) Leased() []uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []uint32
	for _, o := range s.sessions.Open {
		if o.Leased {
			ids = append(ids, o.ID)
		}
	}
	return ids
}

// ExtendCommand grants the oracle timestamps up to limit.
func ExtendCommand(limit txn.Timestamp) []byte {
	return binary.AppendUvarint([]byte{byte(cmdExtend)}, uint64(limit))
}

// SessionCommand opens the next session; sole ends all others, leased those
// that are not leased.
func SessionCommand(address string, sole, leased bool) []byte {
	b := []byte{byte(cmdSession), 0}
	if sole {
		b[1] |= flagSole
	}
	if leased {
		b[1] |= flagLeased
	}
	return append(b, address...)
}

// EndCommand ends sessions; those that are not open are passed over.
func EndCommand(ids []uint32) []byte {
	b := []byte{byte(cmdEnd)}
	for _, id := range ids {
		b = binary.AppendUvarint(b, uint64(id))
	}
	return b
}

// Apply carries out a command of the meta group.
func (s *State) Apply(b mvcc.Batch, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(body) > 1 && commandKind(body[0]) == cmdExtend:
		limit, n := binary.Uvarint(body[1:])
		if n <= 0 {
			return corrupt("a command")
		}
		first := s.limit == 0
		s.limit = max(s.limit, txn.Timestamp(limit))
		b.Set(mvcc.MetaKey(keyOracle, nil), binary.AppendUvarint(nil, uint64(s.limit)))
		if first {
			return s.keyspaces.founded(b, max(s.limit-Window, 1))
		}
		return nil
	case len(body) > 1 && commandKind(body[0]) == cmdSession && body[1]&^flagsKnown == 0:
		s.sessions.open(string(body[2:]), body[1]&flagSole != 0, body[1]&flagLeased != 0)
		return s.putSessions(b)
	case len(body) > 1 && commandKind(body[0]) == cmdEnd:
		if err := s.sessions.end(body[1:]); err != nil {
			return err
		}
		return s.putSessions(b)
	case len(body) > 1 && commandKind(body[0]) == cmdReplace:
		if err := s.members.replace(body[1:]); err != nil {
			return err
		}
		return s.members.put(b)
	case len(body) > 1 && commandKind(body[0]) == cmdKeyspace:
		return s.keyspaces.change(b, body[1:])
	}
	return corrupt("a command")
}

func (s *State) putSessions(b mvcc.Batch) error {
	enc, err := s.sessions.encode()
	b.Set(mvcc.MetaKey(keySessions, nil), enc)
	return err
}
