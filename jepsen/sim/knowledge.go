package sim

import "github.com/cairnkv/cairn/txn"

// knowledge is what clients have learned of the state, for conditions that
// sometimes hold. It may be out of date and proves nothing.
type knowledge struct {
	newest map[string]txn.Version
	stamps []txn.Timestamp // some that were read at or committed at
	// whole are versions of classic keys, with their values.
	whole map[string]txn.Version
	rooms map[int]roomCount
}

// roomCount is how many entries a room had at some time, at most.
type roomCount struct {
	at txn.Timestamp
	n  int64
}

func newKnowledge() knowledge {
	return knowledge{newest: map[string]txn.Version{}, whole: map[string]txn.Version{},
		rooms: map[int]roomCount{}}
}

const stampsMax = 200

// learn takes note of a version of a key, which may be a tombstone.
func (k *knowledge) learn(key txn.Key, v *txn.Version) {
	if v.TS >= k.newest[string(key)].TS {
		k.newest[string(key)] = *v
	}
}

func (k *knowledge) stamp(ts txn.Timestamp) {
	if len(k.stamps) < stampsMax {
		k.stamps = append(k.stamps, ts)
	}
}
