package shard

import (
	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/txn"
)

// A leader knows the newest versions of the keys in use (mvcc.VersionCache). What it knows
// is what the engine has, since both change under mu at once, and nobody else changes the
// engine: a follower, which takes in snapshots, knows nothing, and a leadership begins with
// nothing (C15). A reader tells of what it has found only while nothing has been applied
// since it looked.

// versionChange is what a batch does to the versions of a key.
type versionChange struct {
	kind     versionChangeKind
	key      txn.Key
	from, ts txn.Timestamp
	value    []byte
}

type versionChangeKind uint8

const (
	versionPut     versionChangeKind = iota // at ts, above all others
	versionMoved                            // from one timestamp to ts
	versionRemoved                          // the newest one
	versionsErased                          // those of many keys
)

func (a *applying) learn(c versionChange) {
	if a.learns {
		a.versions = append(a.versions, c)
	}
}

// knowVersions begins anew; r.mu must be held.
func (r *Replica) knowVersions(n *mvcc.NewestVersions) {
	r.mu.newest = n
	r.reader.UseCache(n)
}

// learnVersions takes in what a batch has done; r.mu must be held.
func (r *Replica) learnVersions(changes []versionChange) {
	if r.mu.newest == nil {
		return
	}
	for i := range changes {
		switch c := &changes[i]; c.kind {
		case versionPut:
			r.mu.newest.Put(c.key, c.ts, c.value)
		case versionMoved:
			if c.from != c.ts {
				r.mu.newest.Move(c.key, c.from, c.ts)
			}
		case versionRemoved:
			r.mu.newest.Drop(c.key)
		case versionsErased:
			r.knowVersions(r.o.Versions.Begin())
		}
	}
}

// knows finds all keys of v in the leader's memory, or none; v.r.mu must be held.
func (v *view) knows() (bool, error) {
	newest := v.r.mu.newest
	if newest == nil {
		return false, nil
	}
	known := make([]txn.Version, len(v.keys))
	for i, k := range v.keys {
		version, ok, err := newest.Get(k, v.at)
		if !ok || err != nil {
			return false, err
		}
		known[i] = version
	}
	v.known = known
	return true, nil
}

// get is the version of key that v sees. If it is the newest one the leader's memory learns of
// it, unless something has been applied since v looked.
func (v *view) get(key txn.Key) (txn.Version, error) {
	version, value, err := v.rd.GetNewest(key, v.at)
	if value != nil {
		v.tell(key, version.TS, value)
	}
	return version, err
}

// tell lets the leader's memory know the newest version of key.
func (v *view) tell(key txn.Key, ts txn.Timestamp, value []byte) {
	r := v.r
	r.mu.RLock()
	defer r.mu.RUnlock()
	if v.lent != nil && r.mu.batch == v.lent.batch || mutant.On(mutant.M6) {
		r.mu.newest.Fill(key, ts, value)
	}
}
