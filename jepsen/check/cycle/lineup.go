package cycle

import "slices"

// lineup keeps things in an order while it is told, pair by pair, what comes
// before what, and refuses a pair that contradicts the others. It is the
// algorithm of D. Pearce and P. Kelly, "A Dynamic Topological Sort Algorithm for
// Directed Acyclic Graphs" (2006): pairs that fit the order as it is cost nothing.
type lineup struct {
	at            []int // place in the order, by thing
	after, behind [][]int
	seen          []bool
	refused       int
}

// refusedMax is how many pairs are refused before all are: a register about which that
// much is contradictory has told enough, and each of them costs a search.
const refusedMax = 1000

func newLineup(n int) *lineup {
	l := &lineup{at: make([]int, n), after: make([][]int, n), behind: make([][]int, n),
		seen: make([]bool, n)}
	for i := range l.at {
		l.at[i] = i
	}
	return l
}

// before notes that a comes before b, unless b comes before a.
func (l *lineup) before(a, b int) bool {
	if l.refused > refusedMax {
		return false
	}
	if l.at[a] > l.at[b] {
		later, ok := l.reach(b, a, l.after, func(n int) bool { return l.at[n] <= l.at[a] })
		if !ok {
			l.refused++
			return false
		}
		earlier, _ := l.reach(a, b, l.behind, func(n int) bool { return l.at[n] >= l.at[b] })
		l.place(append(l.sorted(earlier), l.sorted(later)...))
	}
	l.after[a] = append(l.after[a], b)
	l.behind[b] = append(l.behind[b], a)
	return true
}

// reach is what is reached from a thing within a part of the order, and false if that is end.
func (l *lineup) reach(from, end int, next [][]int, within func(int) bool) (found []int, ok bool) {
	ok = true
	found = append(found, from)
	l.seen[from] = true
	for i := 0; i < len(found) && ok; i++ {
		for _, n := range next[found[i]] {
			if n == end {
				ok = false
				break
			}
			if !l.seen[n] && within(n) {
				l.seen[n] = true
				found = append(found, n)
			}
		}
	}
	for _, n := range found {
		l.seen[n] = false
	}
	return found, ok
}

func (l *lineup) sorted(all []int) []int {
	slices.SortFunc(all, func(a, b int) int { return l.at[a] - l.at[b] })
	return all
}

// place gives these things, in this order, the places that they have.
func (l *lineup) place(all []int) {
	places := make([]int, len(all))
	for i, n := range all {
		places[i] = l.at[n]
	}
	slices.Sort(places)
	for i, n := range all {
		l.at[n] = places[i]
	}
}
