package sim

import (
	"slices"
	"time"

	"github.com/cairnkv/cairn/shard"
)

// unleashOnGroups begins the faults that only groups of several members have.
func (w *world) unleashOnGroups() {
	f := w.faults
	w.every(f.splitEvery, "split", func() { w.split() })
	w.every(f.leaderEvery, "leader", func() {
		g := pick(w.chance, w.groups)
		if w.oneIn(2) {
			g = w.meta()
		}
		n := g.leader()
		switch {
		case n == nil || !w.mayCrash(n):
		case w.oneIn(3):
			w.saw("leader paused")
			n.proc.pause(w.between(tickInterval, 3*time.Second))
		default:
			if w.saw("leader killed"); g == w.meta() {
				w.saw("oracle killed")
			}
			w.crash(n, n.proc)
		}
	})
	w.every(f.allEvery, "all down", func() {
		w.saw("all members down")
		for _, n := range w.members {
			if w.mayCrash(n) {
				w.crash(n, n.proc)
			}
		}
	})
	w.every(f.diskEvery, "disk", w.loseDisk)
	w.every(f.transferEvery, "transfer", func() {
		g := pick(w.chance, w.groups)
		n := g.leader()
		if n == nil {
			return
		}
		to := uint64(0)
		if other := pick(w.chance, g.nodes); other != n && !w.oneIn(4) {
			to = other.member
		}
		w.saw("transfer asked for")
		w.say("shard %d is to go from %s to member %d", int(g.route.Shard), n.proc.name, int(to))
		rep := g.replica(n)
		w.on(n.proc, 0, "transfer", func() { rep.step(shard.Transfer{To: to}) })
	})
	w.every(f.suspendEvery, "suspend", func() {
		n := pick(w.chance, w.members)
		if g := pick(w.chance, w.groups); w.oneIn(2) && g.leader() != nil {
			n = g.leader()
		}
		if n.proc != nil && n.proc.pausedUntil <= w.now {
			w.saw("machine suspended")
			n.proc.suspend(w.between(tickInterval, w.faults.suspendMax))
		}
	})
}

// cut lets nothing come through from a to b for a while.
func (w *world) cut(a, b *node) {
	if a == b {
		return
	}
	way := [2]int{a.id, b.id}
	w.cuts[way] = max(w.cuts[way], w.now+w.between(w.faults.splitMax/4, w.faults.splitMax))
}

func (w *world) cutBoth(a, b *node) {
	w.cut(a, b)
	w.cut(b, a)
}

// split partitions the network in one of several ways.
func (w *world) split() {
	one := pick(w.chance, w.members)
	if g := pick(w.chance, w.groups); w.oneIn(2) && g.leader() != nil {
		one = g.leader()
	}
	switch w.IntN(8) {
	case 0:
		w.saw("split: one alone")
		for _, n := range w.nodes {
			w.cutBoth(one, n)
		}
	case 1:
		w.saw("split: one is not heard")
		for _, n := range w.members {
			w.cut(one, n)
		}
	case 2:
		w.saw("split: one hears nothing")
		for _, n := range w.members {
			w.cut(n, one)
		}
	case 3:
		w.saw("split: minority")
		w.splitMinority(one)
	case 4:
		w.saw("split: ring")
		w.splitRing()
	case 5, 6:
		w.saw("split: follower from leader")
		other := pick(w.chance, w.members)
		w.cutBoth(one, other)
		w.cutBoth(one, other) // the longer of two
	default:
		w.saw("split: gateway from leader")
		w.cutBoth(one, pick(w.chance, slices.DeleteFunc(slices.Clone(w.nodes),
			func(n *node) bool { return !n.gateway })))
	}
	w.say("the network splits around %s", one.name)
}

// splitMinority parts less than half of the members, one among them, from the
// rest; each gateway is on one of the sides.
func (w *world) splitMinority(one *node) {
	few := []*node{one}
	for _, i := range w.Perm(len(w.members)) {
		if n := w.members[i]; n != one && len(few) < (len(w.members)-1)/2 {
			few = append(few, n)
		}
	}
	for _, n := range w.nodes {
		if n.gateway && w.oneIn(2) {
			few = append(few, n)
		}
	}
	for _, a := range few {
		for _, b := range w.nodes {
			if !slices.Contains(few, b) {
				w.cutBoth(a, b)
			}
		}
	}
}

// splitRing leaves to each member the two beside it. Of five, each sees a
// majority, and no two the same one; of three, the first and the last part.
func (w *world) splitRing() {
	n := len(w.members)
	order := w.Perm(n)
	for i := range n {
		for j := i + 2; j < n; j++ {
			if n == 3 || j-i != n-1 {
				w.cutBoth(w.members[order[i]], w.members[order[j]])
			}
		}
	}
}

// forget restarts a member just before a request for its vote arrives: what it
// had promised to a leader was only in its memory (R1).
func (w *world) forget(n *node) {
	if n.proc == nil || !w.mayCrash(n) || n.proc.pausedUntil > w.now ||
		w.now-n.proc.born < time.Second {
		return
	}
	w.saw("restarted before a vote")
	w.end(n, lossNone)
	w.startLater(n, w.between(0, 20*time.Microsecond))
}
