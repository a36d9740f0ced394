package meta

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/go-msgpack/v2/codec"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/txn"
)

// keyspaces is the table of all keyspaces. Entries are replaced, never changed.
// Each has a row of its own under keyKeyspaces, and the head one beside them.
type keyspaces struct {
	head keyspacesHead
	all  map[txn.KeyspaceID]*txn.Keyspace
	// last is what the newest change came to.
	last KeyspaceOutcome
}

// keyspacesHead is a cold record, as sessions is.
type keyspacesHead struct {
	Last    txn.KeyspaceID `codec:"last"`    // the largest id that was ever given out
	Changes uint64         `codec:"changes"` // of the table
}

// KeyspaceOutcome is what a change came to.
type KeyspaceOutcome struct {
	Keyspace *txn.Keyspace // as it is now; nil: there is none, or none any more
	Changed  bool
	Err      *txn.Error // why it was not done
}

// newKeyspaces has what is always there.
func newKeyspaces() keyspaces {
	k := keyspaces{head: keyspacesHead{Last: txn.DefaultKeyspace},
		all: make(map[txn.KeyspaceID]*txn.Keyspace)}
	k.all[txn.DefaultKeyspace] = &txn.Keyspace{ID: txn.DefaultKeyspace,
		Name: txn.DefaultKeyspaceName, Version: 1,
		KeyspaceOptions: txn.KeyspaceOptions{}.WithDefaults()}
	return k
}

// load reads the rows that there are.
func (k *keyspaces) load(eng mvcc.Engine) (err error) {
	*k = newKeyspaces()
	lower, upper := mvcc.MetaBounds(keyKeyspaces)
	it, err := eng.NewIter(mvcc.IterOptions{Lower: lower, Upper: upper})
	if err != nil {
		return err
	}
	defer func() {
		if e := it.Close(); err == nil {
			err = e
		}
	}()
	for ok := it.First(); ok; ok = it.Next() {
		_, id, err := mvcc.DecodeMetaKey(it.Key())
		if err != nil {
			return err
		}
		b, err := it.Value()
		if err != nil {
			return err
		}
		if err := k.loadRow(id, b); err != nil {
			return err
		}
	}
	return it.Error()
}

func (k *keyspaces) loadRow(id, b []byte) error {
	dec := codec.NewDecoderBytes(b, handle())
	if len(id) == 0 {
		if dec.Decode(&k.head) != nil {
			return corrupt("the head of the keyspaces")
		}
		return nil
	}
	ks := new(txn.Keyspace)
	if dec.Decode(ks) != nil || len(id) != 4 || binary.BigEndian.Uint32(id) != uint32(ks.ID) {
		return corrupt("a keyspace")
	}
	k.all[ks.ID] = ks
	return nil
}

func keyspaceKey(id txn.KeyspaceID) []byte {
	return mvcc.MetaKey(keyKeyspaces, binary.BigEndian.AppendUint32(nil, uint32(id)))
}

// KeyspaceCommand changes the table of keyspaces.
func KeyspaceCommand(c *txn.KeyspaceChange) ([]byte, error) {
	var enc []byte
	if err := codec.NewEncoderBytes(&enc, handle()).Encode(c); err != nil {
		return nil, txn.Errorf(txn.Internal, "encode", "a keyspace: %w", err)
	}
	return append([]byte{byte(cmdKeyspace)}, enc...), nil
}

// change carries out a KeyspaceCommand's body.
func (k *keyspaces) change(b mvcc.Batch, body []byte) error {
	var c txn.KeyspaceChange
	if err := codec.NewDecoderBytes(body, handle()).Decode(&c); err != nil || !c.Verb.Valid() {
		return corrupt("a command")
	}
	k.last = k.outcome(&c)
	if !k.last.Changed {
		return nil
	}
	if now := k.last.Keyspace; now != nil {
		k.head.Last = max(k.head.Last, now.ID)
		return k.put(b, now)
	}
	k.head.Changes++
	delete(k.all, c.ID)
	b.Delete(keyspaceKey(c.ID))
	return k.putHead(b)
}

// put makes ks the newest word on its id.
func (k *keyspaces) put(b mvcc.Batch, ks *txn.Keyspace) error {
	k.all[ks.ID] = ks
	k.head.Changes++
	var enc []byte
	if err := codec.NewEncoderBytes(&enc, handle()).Encode(ks); err != nil {
		return txn.Errorf(txn.Internal, "encode", "a keyspace: %w", err)
	}
	b.Set(keyspaceKey(ks.ID), enc)
	return k.putHead(b)
}

func (k *keyspaces) putHead(b mvcc.Batch) error {
	var enc []byte
	if err := codec.NewEncoderBytes(&enc, handle()).Encode(&k.head); err != nil {
		return txn.Errorf(txn.Internal, "encode", "keyspaces: %w", err)
	}
	b.Set(mvcc.MetaKey(keyKeyspaces, nil), enc)
	return nil
}

// founded notes when the cluster began, which is when the default keyspace did.
func (k *keyspaces) founded(b mvcc.Batch, at txn.Timestamp) error {
	first := *k.all[txn.DefaultKeyspace]
	first.CreatedAt = at
	return k.put(b, &first)
}

func (k *keyspaces) named(name string) *txn.Keyspace {
	for _, ks := range k.all { // order: names are unique
		if ks.Name == name {
			return ks
		}
	}
	return nil
}

// outcome is what c comes to on the table as it is.
func (k *keyspaces) outcome(c *txn.KeyspaceChange) KeyspaceOutcome {
	switch c.Verb {
	case txn.CreateKeyspace:
		return k.create(c)
	case txn.UpdateKeyspace:
		ks := k.named(c.Name)
		if ks == nil || ks.Deleting {
			return KeyspaceOutcome{Err: txn.NoKeyspace("there is no such keyspace")}
		}
		next := *ks
		next.KeyspaceOptions = c.Update(ks.KeyspaceOptions)
		if next.BytesMax == 0 || next.BytesMax > next.FullBytes {
			next.FullBytes = 0
		}
		return replaced(ks, &next)
	case txn.DeleteKeyspace:
		ks := k.named(c.Name)
		if ks == nil || c.ID != 0 && c.ID != ks.ID { // a late copy, and the name is another's
			return KeyspaceOutcome{}
		}
		if ks.ID == txn.DefaultKeyspace {
			return KeyspaceOutcome{Err: txn.Errorf(txn.Invalid, "keyspace_default",
				"the keyspace %q is always there", ks.Name)}
		}
		next := *ks
		next.Deleting = true
		return replaced(ks, &next)
	case txn.FinishKeyspace:
		ks := k.all[c.ID]
		if ks == nil || !ks.Deleting {
			return KeyspaceOutcome{Keyspace: ks}
		}
		return KeyspaceOutcome{Changed: true}
	default: // txn.FillKeyspace
		ks := k.all[c.ID]
		if ks == nil {
			return KeyspaceOutcome{}
		}
		next := *ks
		next.FullBytes = c.Bytes
		if next.BytesMax == 0 || next.BytesMax > next.FullBytes {
			next.FullBytes = 0 // it was meant for an earlier limit
		}
		return replaced(ks, &next)
	}
}

// replaced is what next in the place of was comes to.
func replaced(was, next *txn.Keyspace) KeyspaceOutcome {
	if *was == *next {
		return KeyspaceOutcome{Keyspace: was}
	}
	next.Version++
	return KeyspaceOutcome{Keyspace: next, Changed: true}
}

func (k *keyspaces) create(c *txn.KeyspaceChange) KeyspaceOutcome {
	ks := k.named(c.Name)
	var e *txn.Error
	switch {
	case ks != nil && ks.Deleting:
		e = txn.Errorf(txn.Invalid, "keyspace_deleting",
			"keyspace %q is being deleted, and its name is not free yet", c.Name)
		e.Next = "wait a moment and create it again"
	case ks != nil && ks.KeyspaceOptions != c.Options:
		e = txn.Errorf(txn.Invalid, "keyspace_exists",
			"keyspace %q is there with other options", c.Name)
		e.Next = "change its options with an update"
	case ks != nil:
		return KeyspaceOutcome{Keyspace: ks}
	case len(k.all) >= txn.KeyspacesMax:
		e = txn.Errorf(txn.Exhausted, "too_many_keyspaces",
			"there are %d keyspaces, the limit is %d", len(k.all), txn.KeyspacesMax)
		e.Next = "delete one that is not needed"
	}
	if e != nil {
		return KeyspaceOutcome{Err: e}
	}
	return KeyspaceOutcome{Changed: true, Keyspace: &txn.Keyspace{ID: k.head.Last + 1,
		Name: c.Name, KeyspaceOptions: c.Options, Version: 1, CreatedAt: c.At}}
}

// Keyspaces are all keyspaces by name, and how often the table has changed.
func (s *State) Keyspaces() (all []txn.Keyspace, changes uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ks := range slices.SortedFunc(maps.Values(s.keyspaces.all), byName) {
		all = append(all, *ks)
	}
	return all, s.keyspaces.head.Changes
}

func byName(a, b *txn.Keyspace) int { return strings.Compare(a.Name, b.Name) }

// KeyspaceChanges is how often the table has changed.
func (s *State) KeyspaceChanges() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keyspaces.head.Changes
}

// Keyspace is one of them; nil if there is none. It does not change.
func (s *State) Keyspace(id txn.KeyspaceID) *txn.Keyspace {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keyspaces.all[id]
}

// LastKeyspaceChange is what the newest change of the table came to.
func (s *State) LastKeyspaceChange() KeyspaceOutcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keyspaces.last
}
