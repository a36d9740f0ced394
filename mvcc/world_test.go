package mvcc

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnkv/cairn/txn"
)

// model is what a store should hold, as plainly as it can be said.
type model struct {
	versions map[string][]txn.Version // committed, oldest first
	intents  map[string]*modelIntent
}

type modelIntent struct {
	Intent
	version txn.Version
	commit  txn.Timestamp // 0: undecided; else it counts from there
}

func newModel() *model {
	return &model{versions: map[string][]txn.Version{}, intents: map[string]*modelIntent{}}
}

func (m *model) clone() *model {
	c := &model{versions: map[string][]txn.Version{}, intents: map[string]*modelIntent{}}
	for k, vs := range m.versions {
		c.versions[k] = slices.Clone(vs)
	}
	for k, i := range m.intents {
		copied := *i
		c.intents[k] = &copied
	}
	return c
}

// at is what a version written at c looks like once it counts at ts.
func (i *modelIntent) at(ts txn.Timestamp) txn.Version {
	v := i.version
	if v.CreateTS == v.TS && v.Kind != txn.KindDelete {
		v.CreateTS = ts
	}
	v.TS = ts
	return v
}

// visible are the versions of k that count, oldest first.
func (m *model) visible(k string) []txn.Version {
	vs := slices.Clone(m.versions[k])
	if i := m.intents[k]; i != nil && i.commit != 0 {
		vs = append(vs, i.at(i.commit))
	}
	return vs
}

func (m *model) get(k string, at txn.Timestamp) txn.Version {
	var found txn.Version
	for _, v := range m.visible(k) {
		if v.TS <= at {
			found = v
		}
	}
	found.Principal, found.Message = "", ""
	return found
}

// revision is the newest version of a revision that history shows.
func (m *model) revision(k string, rev int64, at txn.Timestamp) txn.Version {
	for _, v := range m.history(k, at) {
		if v.Revision == rev {
			v.Principal, v.Message = "", ""
			return v
		}
	}
	return txn.Version{}
}

// history is what from shows of k, newest first: all but the values that one
// without history took the place of.
func (m *model) history(k string, from txn.Timestamp) []txn.Version {
	gone := map[int64]bool{}
	var out []txn.Version
	for _, v := range m.visible(k) {
		if v.TS > from {
			continue
		}
		if v.Kind != txn.KindExtend && v.NoHistory && v.CreateTS < v.TS { // over something live
			gone[v.Revision-1] = true
		}
		out = append(out, v)
	}
	out = slices.DeleteFunc(out, func(v txn.Version) bool { return gone[v.Revision] })
	slices.Reverse(out)
	return out
}

func (m *model) keys(span txn.Span) []string {
	seen := map[string]bool{}
	for k := range m.versions {
		seen[k] = true
	}
	for k := range m.intents {
		seen[k] = true
	}
	maps.DeleteFunc(seen, func(k string, _ bool) bool { return !span.Contains(txn.Key(k)) })
	return slices.Sorted(maps.Keys(seen))
}

func (m *model) scan(o ScanOptions) []txn.Entry {
	keys := m.keys(o.Span)
	if o.Reverse {
		slices.Reverse(keys)
	}
	var out []txn.Entry
	for _, k := range keys {
		if v := m.get(k, o.At); v.Live(o.At) && (o.Limit == 0 || len(out) < o.Limit) {
			out = append(out, txn.Entry{Key: txn.Key(k), Version: v})
		}
	}
	return out
}

func (m *model) changed(span txn.Span, after, upTo txn.Timestamp) map[string]bool {
	out := map[string]bool{}
	for _, k := range m.keys(span) {
		for _, v := range m.visible(k) {
			if after < v.TS && v.TS <= upTo {
				out[k] = true
			}
		}
	}
	return out
}

func (m *model) hidden() []Hidden {
	var out []Hidden
	for _, k := range slices.Sorted(maps.Keys(m.intents)) {
		i := m.intents[k]
		out = append(out, Hidden{Key: i.Key, TS: i.TS, CommitTS: i.commit})
	}
	return out
}

// world is the model and both engines, which must agree at all times.
type world struct {
	t      *testing.T
	rng    *rand.Rand
	fs     *vfs.MemFS
	pebble *Pebble
	mem    *Mem
	model  *model
	synced *model
	mirror *Intents
	clock  txn.Timestamp
	ids    uint64
	taken  []*taken // at most takenMax
	// discard are the open stages; a crash ends them.
	discard []func()
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), fs: vfs.NewCrashableMem(),
		mem: OpenMem(Compare), model: newModel(), synced: newModel(), mirror: NewIntents(),
		clock: 1_700_000_000_000_000,
	}
	w.pebble = openTest(t, PebbleOptions{FS: w.fs})
	return w
}

func (w *world) engines() map[string]Engine {
	return map[string]Engine{"pebble": w.pebble, "mem": w.mem}
}

func (w *world) key() txn.Key {
	users := []string{"", "a", "a\x00", "a\x00b", "ab", "b", "b\xff", "b\xff\xff", "c", "\x00", "\xff"}
	if w.rng.IntN(3) == 0 {
		return txn.NewKey(1, fmt.Appendf(nil, "k%02d", w.rng.IntN(30)))
	}
	return txn.NewKey(txn.KeyspaceID(w.rng.IntN(3)), []byte(users[w.rng.IntN(len(users))]))
}

func (w *world) span() txn.Span {
	switch w.rng.IntN(5) {
	case 0:
		return txn.Span{}
	case 1:
		return txn.Span{Start: w.key()}
	case 2:
		return txn.KeySpan(w.key())
	}
	return txn.Span{Start: w.key(), End: w.key()}
}

// at is a timestamp around the ones in use.
func (w *world) at() txn.Timestamp {
	switch w.rng.IntN(8) {
	case 0:
		return txn.Forever
	case 1:
		return 0
	case 2:
		return w.clock
	}
	return w.clock - txn.Timestamp(w.rng.Int64N(3000))
}

func (w *world) tick() txn.Timestamp {
	w.clock += 1 + txn.Timestamp(w.rng.Int64N(20))
	return w.clock
}

func (w *world) write(k txn.Key) txn.Write {
	wr := txn.Write{Key: k, Kind: txn.Kind(w.rng.IntN(3)), NoHistory: w.rng.IntN(8) == 0}
	if w.rng.IntN(2) == 0 {
		wr.Kind = txn.KindSet
	}
	if wr.Kind == txn.KindSet {
		wr.Value = txn.BytesValue(make([]byte, w.rng.IntN(40)))
		if w.rng.IntN(4) == 0 {
			wr.Value = txn.IntValue(w.rng.Int64())
		}
		wr.KeepTTL = w.rng.IntN(4) == 0
	}
	if wr.Kind != txn.KindDelete && w.rng.IntN(3) == 0 {
		wr.TTL = 1 // ms, some fifty commits
	}
	return wr
}

// commit writes the same batch to both engines.
func (w *world) commit(sync bool, fill func(eng Engine, b Batch)) {
	w.t.Helper()
	for name, eng := range w.engines() {
		b := eng.NewBatch()
		fill(eng, b)
		if err := b.Commit(sync); err != nil {
			w.t.Fatalf("%s: %v", name, err)
		}
		b.Close()
	}
	if sync {
		w.synced = w.model.clone()
	}
}

// step changes the model and both engines at random.
func (w *world) step() {
	k := w.key()
	sync := w.rng.IntN(6) == 0
	intent := w.model.intents[string(k)]
	switch n := w.rng.IntN(100); {
	case n < 3:
		w.crash()
	case n < 5:
		w.flush()
	case n < 8:
		w.drop(w.span(), sync)
	case n < 11:
		w.take(w.span())
	case n < 15:
		w.install()
	case intent == nil && n < 60:
		w.put(k, sync)
	case intent == nil:
		w.prewrite(k, sync)
	case intent.commit == 0 && n < 40:
		intent.commit = intent.TS
		if w.rng.IntN(2) == 0 {
			intent.commit = w.tick()
		}
	default:
		w.resolve(intent, sync)
	}
}

func (w *world) put(k txn.Key, sync bool) {
	wr, prev := w.write(k), w.model.get(string(k), txn.Forever)
	w.ids++
	v, ok := wr.Version(&prev, w.tick(), txn.NewID(7, w.ids))
	if !ok {
		return
	}
	if w.rng.IntN(5) == 0 {
		v.Principal, v.Message = "someone", "why"
	}
	w.model.versions[string(k)] = append(w.model.versions[string(k)], v)
	w.commit(sync, func(_ Engine, b Batch) { PutVersion(b, k, &v) })
}

func (w *world) prewrite(k txn.Key, sync bool) {
	wr, prev := w.write(k), w.model.get(string(k), txn.Forever)
	w.ids++
	i := &modelIntent{Intent: Intent{
		Key: k, Txn: txn.NewID(7, w.ids/3), BaseTS: w.tick(), TS: w.tick(), Hash: w.rng.Uint64(),
		Age: txn.Age{At: w.clock, ID: txn.NewID(7, w.ids)}, IsPrimary: w.rng.IntN(2) == 0,
	}}
	if i.Primary = k; !i.IsPrimary {
		i.Primary = w.key()
	}
	var ok bool
	if i.version, ok = wr.Version(&prev, i.TS, i.Txn); !ok {
		return
	}
	if prev.Live(i.TS) {
		i.Bound = prev.Expiry
	}
	i.KeysDelta, i.BytesDelta = LiveDelta(&prev, &i.version)
	w.model.intents[string(k)] = i
	w.commit(sync, func(_ Engine, b Batch) {
		PutIntent(b, &i.Intent)
		PutVersion(b, k, &i.version)
	})
	w.mirror.Put(i.Intent.Clone())
}

func (w *world) resolve(i *modelIntent, sync bool) {
	k := string(i.Key)
	delete(w.model.intents, k)
	if i.commit != 0 {
		w.model.versions[k] = append(w.model.versions[k], i.at(i.commit))
	}
	w.commit(sync, func(eng Engine, b Batch) {
		DeleteIntent(b, i.Key)
		if i.commit == 0 {
			DeleteVersion(b, i.Key, i.TS)
			return
		}
		if err := MoveVersion(eng, b, i.Key, i.TS, i.commit); err != nil {
			w.t.Fatal(err)
		}
	})
	w.mirror.Delete(i.Key)
}

func (w *world) drop(span txn.Span, sync bool) {
	for _, k := range w.model.keys(span) {
		delete(w.model.versions, k)
		delete(w.model.intents, k)
		w.mirror.Delete(txn.Key(k))
	}
	if span.Empty() {
		return
	}
	w.commit(sync, func(_ Engine, b Batch) {
		b.DeleteRange(DataBounds(span))
		b.DeleteRange(IntentBounds(span))
	})
}

func (w *world) flush() {
	for name, eng := range w.engines() {
		if err := eng.Flush(); err != nil {
			w.t.Fatalf("%s: %v", name, err)
		}
	}
	w.synced = w.model.clone()
}

// crash loses what is not synced.
func (w *world) crash() {
	if w.rng.IntN(2) == 0 {
		w.commit(true, func(Engine, Batch) {}) // an empty commit syncs those before it
	}
	w.mem = w.mem.Crash(func(int) int { return 0 })
	after := w.fs.CrashClone(vfs.CrashCloneCfg{})
	w.release()
	if err := w.pebble.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.fs = after
	w.pebble = openTest(w.t, PebbleOptions{FS: w.fs})
	w.model = w.synced.clone()
	if err := w.mirror.Load(w.mem, txn.Span{}); err != nil {
		w.t.Fatal(err)
	}
}
