package remote

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cairnkv/cairn/proto/shardrpc"
)

// story is a leaders that is told things, line by line. Members are called by
// their addresses; a seed's is in capitals.
type story struct {
	l    *leaders
	last map[string]attempt // by address
}

func newStory(seeds string) *story {
	var peers []*peer
	for _, a := range strings.Fields(seeds) {
		peers = append(peers, &peer{address: a, seed: true})
	}
	return &story{newLeaders(peers), make(map[string]attempt)}
}

// tell does what a line says, and returns what came of it.
func (s *story) tell(line string) string {
	const shard = 7
	words := strings.Fields(line)
	switch words[0] {
	case "ask":
		a, ok := s.l.begin(shard)
		if !ok {
			return "nobody"
		}
		return s.begun(a)
	case "follow": // to a member's id; the rest were asked
		id, _ := strconv.ParseUint(words[1], 10, 64)
		var asked []*peer
		for _, w := range words[2:] {
			asked = append(asked, s.last[w].peer)
		}
		a, known, ok := s.l.follow(&shardrpc.NotLeader{Leader: id}, asked)
		switch {
		case !known:
			return "unknown"
		case !ok:
			return "no"
		}
		return s.begun(a)
	case "list":
		return s.list(words[1:])
	}
	a := s.last[words[1]]
	switch words[0] {
	case "again": // as it was when the attempt began, but later
		return s.begun(s.l.at(a.peer))
	case "served":
		s.l.answered(shard, a)
	case "heard":
		s.l.heard(a)
	case "refused":
		s.l.refused(shard, a)
	case "broken":
		return fmt.Sprint(s.l.silent(shard, a, true))
	case "left":
		return fmt.Sprint(s.l.silent(shard, a, false))
	case "checked":
		lives, over := s.l.checked(s.l.at(a.peer), words[2] == "alive")
		return fmt.Sprint(lives, over)
	}
	return ""
}

func (s *story) begun(a attempt) string {
	s.last[a.peer.address] = a
	return a.peer.address
}

// list takes in members like "2b", and tells who was removed.
func (s *story) list(members []string) string {
	var list []shardrpc.Member
	for _, m := range members {
		list = append(list, shardrpc.Member{ID: uint64(m[0] - '0'), Address: m[1:]})
	}
	var names []string
	for _, p := range s.l.update(list, func(m shardrpc.Member) *peer { return &peer{address: m.Address} }) {
		names = append(names, p.address)
	}
	return strings.Join(names, " ")
}

// TestLeaders is what is known after what was heard. A line without "=" is told
// for what it does.
func TestLeaders(t *testing.T) {
	for _, c := range []struct{ name, seeds, lines string }{
		{"nobody is known", "", "ask = nobody"},
		{"members take turns while none leads", "A B C",
			"ask = A; refused A; ask = B; refused B; ask = C; refused C; ask = A"},
		{"whoever served is asked again", "A B C",
			"ask = A; refused A; ask = B; served B; ask = B; ask = B"},
		{"a leader is followed by its id", "A",
			"list 1A 2b 3c; ask = A; refused A; follow 2 A = b; served b; ask = b"},
		{"nobody is named", "A", "list 1A 2b; ask = A; refused A; follow 0 A = no"},
		{"a member nobody heard of", "A",
			"ask = A; refused A; follow 2 A = unknown; list 1A 2b; follow 2 A = b"},
		{"nobody is asked twice in a call", "A",
			"list 1A 2b; ask = A; refused A; follow 2 A = b; refused b; follow 1 A b = no; follow 2 A b = no"},
		{"a cycle of wrong hints ends elsewhere", "A",
			"list 1A 2b 3c; ask = A; refused A; follow 2 A = b; refused b; follow 1 A b = no; ask = c"},
		{"a dead leader is asked no more", "A",
			"list 1A 2b 3c; ask = A; served A; ask = A; broken A = true; ask = b; refused b; " +
				"follow 1 b = no; ask = c; refused c; follow 1 c = no; ask = b"},
		{"until it answers a check", "A",
			"list 1A 2b 3c; ask = A; broken A = true; checked A dead = false false; ask = b; refused b; " +
				"checked A alive = true true; follow 1 b = A; served A; ask = A"},
		{"or anything else", "A",
			"list 1A 2b; ask = A; broken A = true; ask = b; refused b; heard A; follow 1 b = A"},
		{"one check at a time", "A B",
			"ask = A; broken A = true; broken A = false; checked A dead = false false; broken A = false; " +
				"checked A alive = true true; again A = A; broken A = true"},
		{"silence for one shard, a sign of life for another", "A B",
			"ask = A; served A; ask = A; heard A; broken A = false; ask = B; refused B; ask = A"},
		{"the caller left early: ask, but do not avoid", "A B",
			"ask = A; served A; ask = A; left A = true; ask = A; checked A alive = true true; ask = A"},
		{"the caller left early, and it does not live", "A B",
			"ask = A; served A; ask = A; left A = true; checked A dead = false false; ask = B"},
		{"an old silence does not undo what was found since", "A",
			"list 1A 2b 3c; ask = A; served A; ask = A; refused A; follow 3 A = c; served c; broken A = false; ask = c"},
		{"all are dead, then one is back", "A B",
			"ask = A; broken A = true; ask = B; broken B = true; ask = nobody; checked B alive = true true; ask = B"},
		{"seeds that are not listed come last", "A",
			"list 2b 3c; ask = b; refused b; ask = c; refused c; ask = b; broken b = true; ask = c; " +
				"broken c = true; ask = A; follow 4 A = unknown; list 4d = b c; follow 4 A = d; served d; ask = d"},
		{"a replaced member gets no more calls", "A",
			"list 1A 2b 3c; ask = A; refused A; follow 2 A = b; served b; list 1A 3c 4d = b; " +
				"ask = c; follow 2 = unknown; served b; ask = d; broken b = false; checked b dead = false true"},
		{"a list that is older than one before changes nothing", "A",
			"list 1A 2b 3c; list 1A 2b 4d = c; list 1A 2b 3c; follow 4 = d; follow 3 = unknown"},
		{"another member at the address of an old one", "A",
			"list 1A 2b; list 1A 3b = b; follow 3 = b; list 3A 4b = b; follow 3 = A; follow 1 = unknown"},
		{"members without address change nothing", "A", "list 1; ask = A; served A; ask = A"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStory(c.seeds)
			for _, line := range strings.Split(c.lines, "; ") {
				do, want, _ := strings.Cut(line, " = ")
				if got := s.tell(do); got != want {
					t.Fatalf("%s: %q, want %q", do, got, want)
				}
				s.check(t)
			}
		})
	}
}

// check tests what holds after every line.
func (s *story) check(t *testing.T) {
	t.Helper()
	for i, p := range s.l.peers {
		switch {
		case p.gone:
			t.Errorf("%s is gone and there", p.address)
		case p.doubted && !p.checking:
			t.Errorf("%s is doubted, and nobody asks whether it lives", p.address)
		case slices.Contains(s.l.peers[:i], p):
			t.Errorf("%s is there twice", p.address)
		}
	}
	for _, q := range s.l.shards {
		if q.leader != nil && q.leader.gone {
			t.Errorf("%s leads and is gone", q.leader.address)
		}
	}
}
