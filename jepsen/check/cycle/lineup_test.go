package cycle

import (
	"math/rand/v2"
	"testing"
)

// TestLineup: a pair is refused if and only if the others say the opposite.
func TestLineup(t *testing.T) {
	const things = 8
	refused := 0
	for seed := range uint64(500) {
		chance := rand.New(rand.NewPCG(seed, 1))
		l := newLineup(things)
		var after [things][things]bool // what comes after what, by all pairs so far
		for range 30 {
			a, b := chance.IntN(things), chance.IntN(things)
			if a == b {
				continue
			}
			ok := l.before(a, b)
			if ok == after[b][a] {
				t.Fatalf("seed %d: %d before %d: %v", seed, a, b, ok)
			}
			if !ok {
				refused++
				continue
			}
			for x := range things {
				for y := range things {
					after[x][y] = after[x][y] || (x == a || after[x][a]) && (y == b || after[b][y])
					if after[x][y] && l.at[x] >= l.at[y] {
						t.Fatalf("seed %d: %d is at %d, %d at %d", seed, x, l.at[x], y, l.at[y])
					}
				}
			}
		}
	}
	if refused < 1000 {
		t.Errorf("only %d pairs were refused", refused)
	}
}

func TestLineupGivesUp(t *testing.T) {
	l := newLineup(2)
	if !l.before(0, 1) {
		t.Fatal("refused")
	}
	for range refusedMax + 1 {
		if l.before(1, 0) {
			t.Fatal("accepted")
		}
	}
	if l.before(0, 1) {
		t.Error("it goes on for ever")
	}
}
