//go:build unix

package nemesis

import (
	"testing"

	"github.com/cairnkv/cairn/client"
)

// seen is shard 3, led by a member in a term, with what each of three has applied; its last entry
// is the leader's.
func seen(leader, term, last uint64, applied ...uint64) client.ShardStatus {
	s := client.ShardStatus{ID: 3, Leader: true, LeaderID: leader, Term: term}
	for i, a := range applied {
		r := client.ReplicaStatus{Member: uint64(i + 1), Applied: a, Lag: 1}
		if r.Leader = r.Member == leader; r.Leader {
			r.Last = last
		}
		s.Replicas = append(s.Replicas, r)
	}
	return s
}

func TestLeaderOf(t *testing.T) {
	known := seen(2, 7, 100, 0, 0, 0)
	unsure := seen(2, 7, 100, 0, 0, 0)
	unsure.Leader = false
	two := seen(2, 7, 100, 0, 0, 0)
	two.Replicas[0].Leader = true
	silent := seen(2, 7, 100, 0, 0, 0)
	silent.Replicas[1].Leader = false
	for name, c := range map[string]struct {
		shard client.ShardStatus
		ok    bool
	}{
		"known":            {known, true},
		"by hearsay":       {unsure, false},
		"one of two":       {two, false},
		"does not say so":  {silent, false},
		"of another shard": {client.ShardStatus{ID: 4, Leader: true}, false},
	} {
		s := client.Status{Shards: []client.ShardStatus{c.shard}}
		n, term, ok := leaderOf(s, 3)
		if ok != c.ok || ok && (n != "m2" || term != 7) {
			t.Errorf("%s: %s in term %d, %v", name, n, term, ok)
		}
	}
}

// A leader that has been replaced already, or is not alone, is no measure of what can be committed.
func TestSettled(t *testing.T) {
	v := &victim{node: "m3"}
	goal := make(goals)
	two := seen(1, 5, 100, 100, 100, 0)
	two.Replicas[1].Leader = true
	for _, c := range []struct {
		name  string
		shard client.ShardStatus
		want  bool
	}{
		{"two lead", two, false},
		{"one lags", seen(1, 5, 100, 100, 99, 0), false},
		{"it has caught up", seen(1, 5, 120, 110, 100, 0), true},
		{"another one leads, and has more", seen(2, 6, 130, 110, 120, 0), false},
		{"the first one is heard of again", seen(1, 5, 100, 140, 140, 0), false},
		{"both have all", seen(2, 6, 150, 130, 140, 0), true},
		{"it leads that is dead", seen(3, 7, 10, 140, 140, 140), false},
	} {
		if got := v.settled(c.shard, goal); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
