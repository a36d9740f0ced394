package meta

import (
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
	for _, body := range [][]byte{ExtendCommand(700), ExtendCommand(300), SessionCommand("one", false),
		SessionCommand("two", false), SessionCommand("three", true), SessionCommand("", false)} {
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

func FuzzApply(f *testing.F) {
	f.Add(ExtendCommand(1 << 50))
	f.Add(SessionCommand("127.0.0.1:7600", true))
	f.Add([]byte{})
	f.Add([]byte{byte(cmdExtend), 0x80})
	f.Add([]byte{9, 9})
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
		if err != nil || again.Limit() != s.Limit() || again.LastSession() != s.LastSession() {
			t.Fatalf("after %x: limit %d and %d, session %d and %d, %v", body,
				s.Limit(), again.Limit(), s.LastSession(), again.LastSession(), err)
		}
	})
}
