package remote

import (
	"cmp"
	"slices"
	"sync"

	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/proto/shardrpc"
)

// leaders knows the members, and which of them to ask for a shard. It does
// nothing by itself: no goroutine, no clock, no I/O.
type leaders struct {
	mu sync.Mutex
	// peers are the members that the cluster lists, by id, then the seeds that
	// it does not list, which are asked when none of the others answers.
	peers  []*peer
	newest uint64 // the largest id ever listed: whoever takes a place gets a larger one
	shards map[shardrpc.ShardID]*search
}

// peer is a member, or a seed of which nothing is known but the address.
type peer struct {
	address string
	seed    bool // named by a flag: kept whatever the cluster lists
	link    *link.Client

	// Guarded by the lock of leaders.
	id       uint64 // 0: the cluster does not list it, as far as is known
	answers  uint64 // how many it gave
	silent   bool   // it did not answer the last check
	silences uint64 // how often it became silent
	doubted  bool   // it was silent; it gets no calls until it answers a check
	checking bool   // somebody is about to ask whether it lives
	gone     bool   // no longer listed
}

// search is how the leader of one shard is looked for.
type search struct {
	leader *peer // it answered last; nil: look for it
	next   int   // among the peers: where to look next
}

// attempt is one request to a peer. Answers that came from there since it began
// say that the peer lives, although this one got none.
type attempt struct {
	peer    *peer
	answers uint64
}

func newLeaders(seeds []*peer) *leaders {
	return &leaders{peers: seeds, shards: make(map[shardrpc.ShardID]*search)}
}

// of is the search for a shard. The caller holds the lock.
func (l *leaders) of(shard shardrpc.ShardID) *search {
	s := l.shards[shard]
	if s == nil {
		s = new(search)
		l.shards[shard] = s
	}
	return s
}

// begin says whom to ask for shard: its leader, or whoever is next. ok is false
// if nobody is left who answers.
func (l *leaders) begin(shard shardrpc.ShardID) (a attempt, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.of(shard)
	if p := s.leader; p != nil && !p.doubted {
		return p.begin(), true
	}
	for _, listed := range []bool{true, false} {
		for i := range l.peers {
			place := (s.next + i) % len(l.peers)
			if p := l.peers[place]; !p.doubted && listed == (p.id != 0) {
				s.next = place + 1
				return p.begin(), true
			}
		}
	}
	return attempt{}, false
}

func (p *peer) begin() attempt { return attempt{p, p.answers} }

// answered notes that the peer of a served shard.
func (l *leaders) answered(shard shardrpc.ShardID, a attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.peer.heard()
	if !a.peer.gone {
		l.of(shard).leader = a.peer
	}
}

// heard notes that the peer of a lives, and nothing about any shard.
func (l *leaders) heard(a attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.peer.heard()
}

func (p *peer) heard() {
	p.answers++
	p.doubted, p.silent = false, false
}

// refused notes that the peer of a lives but does not serve shard now.
func (l *leaders) refused(shard shardrpc.ShardID, a attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.peer.heard()
	l.leave(shard, a.peer)
}

// leave makes the next attempt for shard go elsewhere, unless another leader has
// been found already. The caller holds the lock.
func (l *leaders) leave(shard shardrpc.ShardID, p *peer) {
	s := l.of(shard)
	if s.leader == p {
		s.leader = nil
	}
	if s.leader == nil {
		s.next = slices.Index(l.peers, p) + 1
	}
}

// silent notes that a got no answer. broken says that this is the member's doing:
// its link broke, or it had time enough. Then the next attempt goes elsewhere,
// and if nothing else came from it either, no call goes there for now. A result
// of true asks the caller to check whether it lives.
func (l *leaders) silent(shard shardrpc.ShardID, a attempt, broken bool) (check bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if broken {
		l.leave(shard, a.peer)
	}
	return l.suspect(a, broken)
}

// unanswered is silent for what every member can answer.
func (l *leaders) unanswered(a attempt, broken bool) (check bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.suspect(a, broken)
}

func (l *leaders) suspect(a attempt, broken bool) (check bool) {
	p := a.peer
	if p.gone || p.answers != a.answers {
		return false
	}
	p.doubted = p.doubted || broken
	check = !p.checking
	p.checking = true
	return check
}

// at begins an attempt at p, whatever is known of it.
func (l *leaders) at(p *peer) attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	return p.begin()
}

// checked notes what came of a check: whether the member lives, and whether this
// was the last check of it.
func (l *leaders) checked(a attempt, answered bool) (lives, over bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := a.peer
	if answered {
		p.heard()
	}
	if lives = p.answers != a.answers; !lives && !p.silent {
		p.silent = true
		p.silences++
	}
	over = lives || p.gone
	p.doubted, p.checking = !lives, !over
	return lives, over
}

// follow is an attempt at the member that n names. known is false if no member
// of that id is listed; ok is false if going there is no use: nobody is named,
// or one that was asked already, or one that does not answer.
func (l *leaders) follow(n *shardrpc.NotLeader, asked []*peer) (a attempt, known, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n.Leader == 0 {
		return attempt{}, true, false
	}
	i := slices.IndexFunc(l.peers, func(p *peer) bool { return p.id == n.Leader })
	if i < 0 {
		return attempt{}, false, false
	}
	p := l.peers[i]
	return p.begin(), true, !p.doubted && !slices.Contains(asked, p)
}

// update takes in who the members are. Those that are not known yet come from
// dial; those that are not listed any more are returned, and get no more calls.
// Members without an address are in their own process: then nothing changes, and
// neither does it by a list that is older than one before.
func (l *leaders) update(
	list []shardrpc.Member, dial func(shardrpc.Member) *peer,
) (removed []*peer) {
	list = slices.SortedFunc(slices.Values(list), func(a, b shardrpc.Member) int {
		return cmp.Compare(a.ID, b.ID)
	})
	list = slices.DeleteFunc(list, func(m shardrpc.Member) bool {
		return m.ID == 0 || m.Address == ""
	})
	if len(list) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if list[len(list)-1].ID < l.newest {
		return nil
	}
	l.newest = list[len(list)-1].ID
	var peers []*peer
	for _, m := range list {
		i := slices.IndexFunc(l.peers, func(p *peer) bool {
			return p.address == m.Address && (p.seed || p.id == m.ID) && !slices.Contains(peers, p)
		})
		if i >= 0 {
			l.peers[i].id = m.ID
			peers = append(peers, l.peers[i])
			continue
		}
		p := dial(m)
		p.id = m.ID
		peers = append(peers, p)
	}
	listed := len(peers)
	for _, p := range l.peers {
		switch {
		case slices.Contains(peers[:listed], p):
		case p.seed:
			p.id = 0
			peers = append(peers, p)
		default:
			p.gone = true
			removed = append(removed, p)
		}
	}
	l.peers = peers
	for _, s := range l.shards { // order: each by itself
		if s.leader != nil && s.leader.gone {
			s.leader = nil
		}
	}
	return removed
}

// all is an attempt at every member, or at every seed as long as no member is
// known, and what is known of each.
func (l *leaders) all() (attempts []attempt, members []shardrpc.Member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.peers {
		if p.id != 0 || l.peers[0].id == 0 {
			attempts = append(attempts, p.begin())
			members = append(members, shardrpc.Member{ID: p.id, Address: p.address})
		}
	}
	return attempts, members
}

// member is what is known of p.
func (l *leaders) member(p *peer) shardrpc.Member {
	l.mu.Lock()
	defer l.mu.Unlock()
	return shardrpc.Member{ID: p.id, Address: p.address}
}
