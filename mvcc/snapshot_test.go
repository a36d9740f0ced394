package mvcc

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnkv/cairn/txn"
)

// everything are bounds of all keys of a state engine.
func everything() Bounds { return Bounds{[]byte{1, 0}, []byte{0xff, 0}} }

// held are the keys that an engine shows within bounds, with their values.
func held(t *testing.T, eng Engine, b Bounds, durable bool) map[string]string {
	t.Helper()
	it, err := eng.NewIter(IterOptions{Lower: b.Lower, Upper: b.Upper, Durable: durable})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.Value()
		if err != nil {
			t.Fatal(err)
		}
		out[string(it.Key())] = string(v)
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		t.Fatal(err)
	}
	return out
}

// chunks reads an export to its end.
func chunks(t *testing.T, eng Engine, within []Bounds, bytes int) [][]byte {
	t.Helper()
	e, err := eng.Export(within)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return drainExport(t, e, func() int { return bytes })
}

func drainExport(t *testing.T, e Export, bytes func() int) [][]byte {
	t.Helper()
	var out [][]byte
	for {
		most := bytes()
		c, err := e.Next(most)
		if err != nil {
			t.Fatal(err)
		}
		if c == nil {
			return out
		}
		pairs := 0
		if err := eachPair(c, func(_, _ []byte) error { pairs++; return nil }); err != nil {
			t.Fatal(err)
		}
		if pairs == 0 || pairs > 1 && len(c) > most {
			t.Fatalf("a chunk of %d pairs and %d bytes, at most %d were asked for", pairs, len(c), most)
		}
		out = append(out, c)
	}
}

func install(t *testing.T, eng Engine, within []Bounds, chunks [][]byte) {
	t.Helper()
	s, err := eng.Stage(within)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Discard()
	for _, c := range chunks {
		if err := s.Add(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(); err == nil {
		t.Fatal("a stage serves two commits")
	}
}

func userKey(i int) txn.Key { return txn.NewKey(1, fmt.Appendf(nil, "k%04d", i)) }

// fillReplica writes keys from to to of the shard with versions at ts and ts+1,
// an intent on each third, a record, a request's row and the shard's state.
func fillReplica(t *testing.T, eng Engine, shard uint64, keys [2]int, ts txn.Timestamp) {
	t.Helper()
	for i := keys[0]; i < keys[1]; i++ {
		b := eng.NewBatch()
		k := userKey(i)
		for at := ts; at < ts+2; at++ {
			b.Set(DataKey(k, at), fmt.Appendf(nil, "%d at %d", i, at))
		}
		if i%3 == 0 {
			b.Set(IntentKey(k), fmt.Appendf(nil, "intent at %d", ts))
			PutRecord(b, &txn.Record{
				Txn: txn.ID(ts), Primary: k, Status: txn.Pending, BaseTS: ts, MaxTS: txn.Forever,
			})
			PutRequest(b, k, txn.RequestID{byte(ts)}, &txn.RequestRow{Status: txn.Pending, BaseTS: ts})
		}
		PutShardState(b, shard, &ShardState{AppliedIndex: uint64(ts)})
		if err := b.Commit(false); err != nil {
			t.Fatal(err)
		}
		b.Close()
	}
}

func within(all map[string]string, in []Bounds) map[string]string {
	out := maps.Clone(all)
	maps.DeleteFunc(out, func(k, _ string) bool {
		return !slices.ContainsFunc(in, func(b Bounds) bool {
			return Compare([]byte(k), b.Lower) >= 0 && Compare([]byte(k), b.Upper) < 0
		})
	})
	return out
}

// TestInstall puts a replica's snapshot over an older replica that has a
// neighbour, in memory, in tables or in both, and looks at it in every way.
func TestInstall(t *testing.T) {
	span := txn.Span{Start: userKey(10), End: userKey(30)}
	bounds := ReplicaBounds(7, span, false)
	source := OpenMem(Compare)
	fillReplica(t, source, 7, [2]int{12, 25}, 200) // 10, 11 and 25 to 29 are gone
	fillReplica(t, source, 8, [2]int{30, 40}, 200) // not to be sent
	sent := chunks(t, source, bounds, 100)
	if len(sent) < 5 {
		t.Fatalf("%d chunks", len(sent))
	}
	for flushes := range 4 { // bit 0: flush the older state, bit 1: after half of it
		for _, tableBytes := range []int{1, 300, stagedTableBytes} {
			fs := vfs.NewCrashableMem()
			p := openTest(t, PebbleOptions{FS: fs})
			p.tableBytes = tableBytes
			for name, eng := range map[string]Engine{"pebble": p, "mem": OpenMem(Compare)} {
				name := fmt.Sprintf("%s, flushes %d, tables of %d", name, flushes, tableBytes)
				fillReplica(t, eng, 7, [2]int{10, 20}, 100)
				if flushes&2 != 0 {
					flush(t, eng)
				}
				fillReplica(t, eng, 7, [2]int{20, 30}, 100)
				fillReplica(t, eng, 8, [2]int{30, 40}, 100)
				fillReplica(t, eng, 6, [2]int{0, 10}, 100)
				if flushes&1 != 0 {
					flush(t, eng)
				}
				before := held(t, eng, everything(), false)
				open, err := eng.Export(bounds)
				if err != nil {
					t.Fatal(err)
				}
				install(t, eng, bounds, sent)
				checkInstalled(t, name, eng, bounds, before, held(t, source, everything(), false))
				// An export that was open sees what was there.
				old := OpenMem(Compare)
				install(t, old, bounds, drainExport(t, open, func() int { return 1 }))
				if got := held(t, old, everything(), false); !maps.Equal(got, within(before, bounds)) {
					t.Errorf("%s: an open export does not show what was there", name)
				}
				if err := open.Close(); err != nil {
					t.Fatal(err)
				}
				overwrite(t, name, eng)
			}
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func flush(t *testing.T, eng Engine) {
	t.Helper()
	if err := eng.Flush(); err != nil {
		t.Fatal(err)
	}
}

func checkInstalled(
	t *testing.T, name string, eng Engine, bounds []Bounds, before, source map[string]string,
) {
	t.Helper()
	want, before := within(source, bounds), maps.Clone(before)
	maps.DeleteFunc(before, func(k, _ string) bool { return len(within(map[string]string{k: ""}, bounds)) > 0 })
	maps.Copy(want, before)
	if got := held(t, eng, everything(), false); !maps.Equal(got, want) {
		t.Fatalf("%s: %d keys, want %d", name, len(got), len(want))
	}
	durable := within(held(t, eng, everything(), true), bounds)
	if !maps.Equal(durable, within(want, bounds)) {
		t.Errorf("%s: a durable iterator shows %d keys", name, len(durable))
	}
	if s, ok, err := GetShardState(eng, 7, true); err != nil || !ok || s.AppliedIndex != 200 {
		t.Errorf("%s: the durable state is %+v, %v, %v", name, s, ok, err)
	}
	for _, minTS := range []txn.Timestamp{0, 150, 201, 300} {
		lower, upper := DataBounds(txn.Span{})
		it, err := eng.NewIter(IterOptions{Lower: lower, Upper: upper, MinTS: minTS})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 40 {
			k := userKey(i)
			key, there := DataKey(k, 1000), want[string(DataKey(k, 201))] != ""
			old := want[string(DataKey(k, 101))] != ""
			found := it.SeekPrefixGE(key)
			switch {
			case there && minTS <= 201 && (!found || !bytes.Equal(it.Key(), DataKey(k, 201))),
				old && minTS <= 101 && (!found || !bytes.Equal(it.Key(), DataKey(k, 101))),
				found && !there && !old:
				t.Errorf("%s: key %d from %d on: found %v", name, i, minTS, found)
			}
		}
		if err := errors.Join(it.Error(), it.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// overwrite checks that later writes win over what was installed.
func overwrite(t *testing.T, name string, eng Engine) {
	t.Helper()
	want := held(t, eng, everything(), false)
	b := eng.NewBatch()
	defer b.Close()
	b.Set(DataKey(userKey(12), 201), []byte("new"))
	b.Delete(DataKey(userKey(13), 201))
	want[string(DataKey(userKey(12), 201))] = "new"
	delete(want, string(DataKey(userKey(13), 201)))
	if err := b.Commit(true); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := held(t, eng, everything(), false); !maps.Equal(got, want) {
			t.Errorf("%s: a write after the snapshot does not count", name)
		}
		flush(t, eng)
	}
}

// TestInstallSurvives: what Commit returned for is there after the worst
// crash, and of a stage without Commit nothing is there after the mildest.
func TestInstallSurvives(t *testing.T) {
	bounds := ReplicaBounds(7, txn.Span{}, false)
	for _, committed := range []bool{false, true} {
		fs := vfs.NewCrashableMem()
		p, m := openTest(t, PebbleOptions{FS: fs}), OpenMem(Compare)
		var stages []Stage
		for _, eng := range []Engine{p, m} {
			fillReplica(t, eng, 7, [2]int{0, 10}, 100)
			flush(t, eng)
			source := OpenMem(Compare)
			fillReplica(t, source, 7, [2]int{5, 15}, 200)
			s, err := eng.Stage(bounds)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range chunks(t, source, bounds, 50) {
				if err := s.Add(c); err != nil {
					t.Fatal(err)
				}
			}
			if committed {
				if err := s.Commit(); err != nil {
					t.Fatal(err)
				}
			}
			stages = append(stages, s)
		}
		percent := 100
		want := map[bool]string{false: "0000", true: "0005"}[committed]
		if committed {
			percent = 0
		}
		cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(1, 1))}
		after := fs.CrashClone(cfg)
		for _, s := range stages {
			s.Discard()
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		p = openTest(t, PebbleOptions{FS: after})
		for name, eng := range map[string]Engine{
			"pebble": p, "mem": m.Crash(func(n int) int { return n * percent / 100 }),
		} {
			lower, upper := DataBounds(txn.Span{})
			first := slices.Sorted(maps.Keys(held(t, eng, Bounds{lower, upper}, false)))
			k, _, _ := DecodeDataKey([]byte(first[0]))
			if n := len(first); n != 20 || string(k.User()) != "k"+want {
				t.Errorf("%s, committed %v: %d versions from %v on", name, committed, n, k)
			}
		}
		if _, err := after.Stat("data/" + stagedDir); err == nil {
			t.Error("a start leaves what a stage left")
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMemInstallKeepsNoMoreThanADisk: a snapshot makes durable what lies below
// it, and no commit elsewhere that came later.
func TestMemInstallKeepsNoMoreThanADisk(t *testing.T) {
	m := OpenMem(Compare)
	for i := range 4 { // the second lies within the bounds
		fillReplica(t, m, uint64(i), [2]int{i, i + 1}, 100)
	}
	bounds := ReplicaBounds(1, txn.KeySpan(userKey(1)), false)
	install(t, m, bounds, nil)
	if n := m.Unsynced(); n != 2 {
		t.Fatalf("%d commits may be lost", n)
	}
	live, lost := m.Crash(func(int) int { return 1 }), m.Crash(func(int) int { return 0 })
	for i, want := range [][2]bool{{true, true}, {false, false}, {true, false}, {false, false}} {
		for j, eng := range []*Mem{live, lost} {
			if _, ok, _ := eng.Get(ShardStateKey(uint64(i))); ok != want[j] {
				t.Errorf("state %d after %d: %v", i, j, ok)
			}
		}
	}
}

// TestInstallOnDisk links and removes real files.
func TestInstallOnDisk(t *testing.T) {
	for _, kind := range []Kind{StateEngine, LogEngine} {
		dir := t.TempDir()
		p, err := OpenPebble(PebbleOptions{Dir: dir, Kind: kind})
		if err != nil {
			t.Fatal(err)
		}
		if err := put(p, "a", true); err != nil {
			t.Fatal(err)
		}
		all := []Bounds{everything()}
		sent := chunks(t, p, all, 1000)
		if err := put(p, "b", false); err != nil {
			t.Fatal(err)
		}
		install(t, p, all, sent)
		if files, err := vfs.Default.List(dir + "/" + stagedDir); err != nil || len(files) > 0 {
			t.Errorf("files are left: %v, %v", files, err)
		}
		for range 2 {
			if got := held(t, p, everything(), false); len(got) != 1 {
				t.Errorf("%v: %d keys", kind, len(got))
			}
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			if p, err = OpenPebble(PebbleOptions{Dir: dir, Kind: kind}); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func pairs(kv ...string) []byte {
	c := chunk{max: 1 << 20}
	for i := 0; i < len(kv); i += 2 {
		c.add([]byte(kv[i]), []byte(kv[i+1]))
	}
	return c.b
}

// A stage refuses what no Export gave, for good, and its engine stays as it is.
func TestStageRefuses(t *testing.T) {
	a, b := string(LocalKey("a")), string(LocalKey("b"))
	one := pairs(a, "v")
	p := openTest(t, PebbleOptions{})
	defer p.Close()
	for name, eng := range map[string]Engine{"pebble": p, "mem": OpenMem(Compare)} {
		if err := put(eng, "old", true); err != nil {
			t.Fatal(err)
		}
		lower, upper := LocalBounds()
		bounds := []Bounds{{lower, upper}, {[]byte{5, 0}, []byte{6, 0}}}
		for what, chunk := range map[string][]byte{
			"empty": {}, "another version": {2}, "half a length": {1, 0x80},
			"a length of too much": {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
			"a cut value":          one[:len(one)-1], "a key alone": one[:len(one)-2],
			"no key": pairs("", "v"), "a key without an end": pairs("\x01abc", "v"),
			"a suffix longer than the key": pairs("\x01\xff", "v"),
			"a strange suffix":             pairs("\x01\x00abc\x04", "v"),
			"timestamp 0":                  pairs("\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x09", "v"),
			"the same key twice":           pairs(a, "v", a, "v"), "falling keys": pairs(b, "v", a, "v"),
			"a key below":   pairs("\x00a\x00", "v"),
			"a key between": pairs(a, "v", string(IntentKey(txn.NewKey(1, nil))), "v"),
			"a key above":   pairs(a, "v", "\x06\x00", "v"),
		} {
			s, err := eng.Stage(bounds)
			if err != nil {
				t.Fatal(err)
			}
			for step, err := range []error{s.Add(chunk), s.Add(one), s.Commit()} {
				e, ok := errors.AsType[*txn.Error](err)
				if !ok || e.Kind != txn.Invalid || e.Reason != ReasonSnapshot || e.Next == "" {
					t.Errorf("%s: %s: step %d: %v", name, what, step, err)
				}
			}
			s.Discard()
		}
		if got := held(t, eng, everything(), false); len(got) != 1 {
			t.Errorf("%s: a refused stage left %d keys", name, len(got))
		}
		for what, within := range map[string][]Bounds{
			"raw": {{[]byte{1}, []byte{2}}}, "empty": {{upper, upper}}, "none": {{}},
			"falling": {bounds[1], bounds[0]}, "overlapping": {bounds[0], bounds[0]},
		} {
			if _, err := eng.Stage(within); txn.KindOf(err) != txn.Invalid {
				t.Errorf("%s: stage of %s bounds: %v", name, what, err)
			}
			if _, err := eng.Export(within); txn.KindOf(err) != txn.Invalid {
				t.Errorf("%s: export of %s bounds: %v", name, what, err)
			}
		}
	}
}

// A disk that is full while the stage's files are written fails the stage
// alone, while they take their place the engine.
func TestFullDiskAtStage(t *testing.T) {
	lower, upper := LocalBounds()
	for _, at := range []string{"add", "commit", "ingest", "MANIFEST"} {
		path := map[string]string{"ingest": ".sst", "MANIFEST": at}[at]
		if path == "" {
			path = stagedDir
		}
		p, full, fatal := fullDisk(t, path)
		if at == "add" {
			p.tableBytes = 1
		}
		s, err := p.Stage([]Bounds{{lower, upper}})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Add(pairs(string(LocalKey("k")), "v")); err != nil {
			t.Fatal(err)
		}
		if at == "ingest" { // all is written but the link
			if err := s.(*pebbleStage).cover(1); err != nil {
				t.Fatal(err)
			}
		}
		full.Store(true)
		if at == "add" {
			err := s.Add(pairs(string(LocalKey("l")), "v"))
			if e, ok := errors.AsType[*txn.Error](err); !ok || e.Reason != ReasonStorage {
				t.Fatalf("a full disk in Add: %v", err)
			}
		}
		err = s.Commit()
		s.Discard()
		if at == "ingest" || at == "MANIFEST" {
			checkFatal(t, err)
			checkFatal(t, <-fatal)
			checkFatal(t, put(p, "a", true))
			checkFatal(t, p.Close())
			continue
		}
		if e, ok := errors.AsType[*txn.Error](err); !ok || e.Reason != ReasonStorage || len(fatal) > 0 {
			t.Fatalf("%s: Commit says %v", at, err)
		}
		full.Store(false)
		if err := put(p, "a", true); err != nil {
			t.Fatalf("the engine does not go on: %v", err)
		}
		if n := len(held(t, p, everything(), false)); n != 1 {
			t.Errorf("%s: %d keys", at, n)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
