package mvcc

import (
	"maps"
	"slices"

	"github.com/cairnkv/cairn/txn"
)

// takenMax is how many snapshots a world keeps.
const takenMax = 2

// taken is a snapshot of a span, open or read, and what it must hold.
type taken struct {
	span    txn.Span
	model   *model
	exports map[string]Export // nil once they are read
	chunks  map[string][][]byte
}

func spanBounds(span txn.Span) []Bounds {
	b := make([]Bounds, 2)
	b[0].Lower, b[0].Upper = IntentBounds(span)
	b[1].Lower, b[1].Upper = DataBounds(span)
	return b
}

// take opens a snapshot of both engines, to be read later.
func (w *world) take(span txn.Span) {
	if span.Empty() {
		return
	}
	if len(w.taken) == takenMax {
		w.read(w.taken[0])
		w.taken = w.taken[1:]
	}
	s := &taken{span: span, model: w.model.clone(), exports: map[string]Export{}}
	for name, eng := range w.engines() {
		e, err := eng.Export(spanBounds(span))
		if err != nil {
			w.t.Fatal(err)
		}
		s.exports[name] = e
	}
	w.taken = append(w.taken, s)
}

// read drains a snapshot in chunks of a random size; both engines hold the same.
func (w *world) read(s *taken) {
	if s.exports == nil {
		return
	}
	s.chunks = map[string][][]byte{}
	held, most := map[string][]string{}, w.rng.IntN(500)
	for name, e := range s.exports {
		s.chunks[name] = drainExport(w.t, e, func() int { return most })
		for _, c := range s.chunks[name] {
			err := eachPair(c, func(key, value []byte) error {
				held[name] = append(held[name], string(key), string(value))
				return nil
			})
			if err != nil {
				w.t.Fatal(err)
			}
		}
	}
	w.expect("exported", held["pebble"], held["mem"])
	w.closeExports(s)
}

func (w *world) closeExports(s *taken) {
	for _, e := range s.exports {
		if err := e.Close(); err != nil {
			w.t.Fatal(err)
		}
	}
	s.exports = nil
}

// release ends what an engine must not have open when it closes.
func (w *world) release() {
	for _, f := range w.discard {
		f()
	}
	w.discard = nil
	for _, s := range w.taken {
		w.closeExports(s)
	}
	w.taken = slices.DeleteFunc(w.taken, func(s *taken) bool { return s.chunks == nil })
}

// install puts an older snapshot, sent by the other engine, over a part of
// both: it may hold more than that part, which is refused.
func (w *world) install() {
	if len(w.taken) == 0 {
		return
	}
	s := w.taken[w.rng.IntN(len(w.taken))]
	w.read(s)
	over, wider := s.span, false
	switch w.rng.IntN(4) {
	case 0: // what is not in the snapshot goes away
		over = txn.Span{}
	case 1:
		if over = w.span(); over.Empty() {
			return
		}
		wider = slices.ContainsFunc(s.model.keys(s.span),
			func(k string) bool { return !over.Contains(txn.Key(k)) })
	}
	// Whether commits outside of the bounds survive a crash after this is the
	// engine's choice; here it has none.
	w.commit(true, func(Engine, Batch) {})
	w.pebble.tableBytes = 1 + w.rng.IntN(1000)
	stages := map[string]Stage{}
	for name, from := range map[string]string{"pebble": "mem", "mem": "pebble"} {
		stage, err := w.engines()[name].Stage(spanBounds(over))
		if err != nil {
			w.t.Fatal(err)
		}
		w.discard = append(w.discard, stage.Discard)
		stages[name] = stage
		for _, c := range s.chunks[from] {
			if err = stage.Add(c); err != nil {
				break
			}
		}
		w.expect(name+": refused", err != nil, wider)
	}
	switch n := w.rng.IntN(8); {
	case n == 0:
		w.crash()
		return
	case n == 1 || wider:
		for _, stage := range stages {
			stage.Discard()
		}
		return
	}
	w.compareReaders() // nobody sees a stage
	for name, stage := range stages {
		if err := stage.Commit(); err != nil {
			w.t.Fatalf("%s: %v", name, err)
		}
	}
	w.replace(over, s)
	w.synced = w.model.clone()
	if err := w.mirror.Load(w.mem, txn.Span{}); err != nil {
		w.t.Fatal(err)
	}
	if w.rng.IntN(4) == 0 {
		w.crash()
	}
}

// replace does to the model what the stages did to the engines.
func (w *world) replace(over txn.Span, s *taken) {
	in := func(k string) bool { return over.Contains(txn.Key(k)) }
	maps.DeleteFunc(w.model.versions, func(k string, _ []txn.Version) bool { return in(k) })
	maps.DeleteFunc(w.model.intents, func(k string, _ *modelIntent) bool { return in(k) })
	then := s.model.clone()
	for _, k := range then.keys(s.span) {
		if vs := then.versions[k]; vs != nil {
			w.model.versions[k] = vs
		}
		if i := then.intents[k]; i != nil {
			w.model.intents[k] = i
		}
	}
}
