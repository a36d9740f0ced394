package meta

import (
	"slices"
	"testing"

	"github.com/cairnkv/cairn/mvcc"
)

func apply(t testing.TB, eng mvcc.Engine, s *State, body []byte) error {
	t.Helper()
	b := eng.NewBatch()
	defer b.Close()
	if err := s.Apply(b, body); err != nil {
		return err
	}
	if err := b.Commit(true); err != nil {
		t.Fatal(err)
	}
	return nil
}

func TestStateSurvives(t *testing.T) {
	eng := mvcc.OpenMem(mvcc.Compare)
	s, err := Load(eng)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range [][]byte{ExtendCommand(700), ExtendCommand(300), SessionCommand("one", false, false),
		SessionCommand("two", false, true), SessionCommand("three", true, false), SessionCommand("", false, false)} {
		if err := apply(t, eng, s, body); err != nil {
			t.Fatal(err)
		}
	}
	again, err := Load(eng)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*State{s, again} {
		if s.Limit() != 700 || s.LastSession() != 4 {
			t.Errorf("limit %d, last session %d", s.Limit(), s.LastSession())
		}
		for id, alive := range []bool{false, false, false, true, true} {
			if s.Alive(uint32(id)) != alive {
				t.Errorf("session %d alive: %v", id, !alive)
			}
		}
	}
}

func TestSessionsEnd(t *testing.T) {
	eng := mvcc.OpenMem(mvcc.Compare)
	s, err := Load(eng)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name   string
		body   []byte
		open   []uint32
		leased []uint32
	}{
		{"inside the process", SessionCommand("a", true, false), []uint32{1}, nil},
		{"leased ends it", SessionCommand("b", false, true), []uint32{2}, []uint32{2}},
		{"beside another", SessionCommand("c", false, true), []uint32{2, 3}, []uint32{2, 3}},
		{"one ends", EndCommand([]uint32{2}), []uint32{3}, []uint32{3}},
		{"again, and one that never was", EndCommand([]uint32{2, 70_000}), []uint32{3}, []uint32{3}},
		{"sole ends leased ones", SessionCommand("d", true, false), []uint32{4}, nil},
	} {
		if err := apply(t, eng, s, step.body); err != nil {
			t.Fatal(err)
		}
		again, err := Load(eng)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []*State{s, again} {
			if got := s.Leased(); !slices.Equal(got, step.leased) {
				t.Errorf("%s: leased are %v", step.name, got)
			}
			for id := range uint32(6) {
				if s.Alive(id) != slices.Contains(step.open, id) {
					t.Errorf("%s: session %d alive: %v", step.name, id, s.Alive(id))
				}
			}
		}
	}
	for _, body := range [][]byte{{byte(cmdEnd)}, {byte(cmdEnd), 0x80}, {byte(cmdSession), flagsKnown + 1}} {
		if apply(t, eng, s, body) == nil {
			t.Errorf("%x was applied", body)
		}
	}
}

func FuzzApply(f *testing.F) {
	f.Add(ExtendCommand(1 << 50))
	f.Add(SessionCommand("127.0.0.1:7600", true, false))
	f.Add(SessionCommand("127.0.0.1:7600", false, true))
	f.Add(EndCommand([]uint32{1, 70_000}))
	f.Add([]byte{})
	f.Add([]byte{byte(cmdExtend), 0x80})
	f.Add([]byte{9, 9})
	c := create("a")
	body, err := KeyspaceCommand(&c)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Fuzz(func(t *testing.T, body []byte) {
		eng := mvcc.OpenMem(mvcc.Compare)
		s, err := Load(eng)
		if err != nil {
			t.Fatal(err)
		}
		if apply(t, eng, s, body) != nil {
			return
		}
		again, err := Load(eng)
		if err != nil || again.Limit() != s.Limit() || again.LastSession() != s.LastSession() ||
			again.KeyspaceChanges() != s.KeyspaceChanges() {
			t.Fatalf("after %x: limit %d and %d, session %d and %d, %v", body,
				s.Limit(), again.Limit(), s.LastSession(), again.LastSession(), err)
		}
	})
}
