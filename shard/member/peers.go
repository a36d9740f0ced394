package member

import (
	"sync"

	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/shard/raftwire"
)

// raftBatchBytes is where a batch of raft messages for one member is cut.
const raftBatchBytes = 4 << 20

// peers are the links to the other members. One carries raft and small calls;
// snapshots have another, so that they hold up nobody.
type peers struct {
	m  *Member
	mu struct {
		sync.Mutex
		closed bool
		known  map[uint64]*peer
	}
}

type peer struct {
	address     string
	small, bulk *link.Client
}

func newPeers(m *Member) *peers {
	p := &peers{m: m}
	p.mu.known = make(map[uint64]*peer)
	return p
}

// to is the way to a member; false if it is none of the cluster.
func (p *peers) to(id uint64) (*peer, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at, ok := p.mu.known[id]; ok {
		return at, true
	}
	for _, m := range p.m.meta.Members() {
		if m.ID == id && id != p.m.ID() && !p.mu.closed && m.Address != "" {
			at := &peer{address: m.Address, small: p.m.dial(m), bulk: p.m.dial(m)}
			p.mu.known[id] = at
			return at, true
		}
	}
	return nil, false
}

func (m *Member) dial(to shardrpc.Member) *link.Client {
	return link.Dial("http://"+to.Address, link.Options{Self: m.Identity(), Peer: to.ID})
}

// refresh closes the links to who does not belong to the cluster any more.
func (p *peers) refresh() {
	now := make(map[uint64]string)
	for _, m := range p.m.meta.Members() {
		now[m.ID] = m.Address
	}
	p.mu.Lock()
	var gone []*peer
	for id, at := range p.mu.known { // order: each on its own
		if now[id] != at.address {
			gone = append(gone, at)
			delete(p.mu.known, id)
		}
	}
	p.mu.Unlock()
	for _, at := range gone {
		at.close()
	}
}

// any reports whether a link to another member is up.
func (p *peers) any() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, at := range p.mu.known { // order: any will do
		if _, up := at.small.Peer(); up {
			return true
		}
	}
	return false
}

func (at *peer) close() {
	at.small.Close()
	at.bulk.Close()
}

func (p *peers) close() {
	p.mu.Lock()
	p.mu.closed = true
	known := p.mu.known
	p.mu.known = make(map[uint64]*peer)
	p.mu.Unlock()
	for _, at := range known { // order: each on its own
		at.close()
	}
}

// outgoing are the raft messages of one pass of a worker, by member.
type outgoing map[uint64][]raftwire.Envelope

func (o outgoing) add(h *hosted, e *shard.Effects) {
	for _, m := range e.Messages {
		o[m.GetTo()] = append(o[m.GetTo()], raftwire.Envelope{Shard: h.Route().Shard, Msg: m})
	}
}

// send posts what a pass came to. What cannot leave is lost, which raft expects.
func (p *peers) send(o outgoing) {
	for to, all := range o { // order: each on its own
		delete(o, to)
		at, ok := p.to(to)
		if !ok {
			continue
		}
		for len(all) > 0 {
			n, size := 0, 0
			for n < len(all) && (n == 0 || size+all[n].SizeMax() <= raftBatchBytes) {
				size += all[n].SizeMax()
				n++
			}
			batch := raftwire.Append(make([]byte, 0, size), all[:n])
			if err := at.small.Post(uint8(shardrpc.MethodRaft), batch); err != nil {
				p.unreachable(to, all)
				break
			}
			all = all[n:]
		}
	}
}

// unreachable tells the replicas whose messages were thrown away.
func (p *peers) unreachable(to uint64, lost []raftwire.Envelope) {
	for i := range lost {
		if i > 0 && lost[i].Shard == lost[i-1].Shard {
			continue
		}
		h := p.m.shards[lost[i].Shard]
		h.worker.post(h, shard.Unreachable{To: to})
	}
}

// Posted takes in raft messages of another member; it is for
// link.ServerOptions. What is not for us is thrown away.
func (m *Member) Posted(from link.Identity, method uint8, payload []byte) {
	if shardrpc.Method(method) != shardrpc.MethodRaft || from.ClusterID != m.ClusterID() {
		return
	}
	batch, err := raftwire.Decode(payload)
	if err != nil {
		m.o.Log.Warn("another member sends what is no raft message",
			"member", from.ID, "error", err)
		return
	}
	for _, e := range batch {
		h, ok := m.shards[e.Shard]
		if ok && e.Msg.GetTo() == m.ID() && e.Msg.GetFrom() == from.ID {
			h.worker.postMessage(h, e)
		}
	}
}

// Identity says which member this is, of which cluster.
func (m *Member) Identity() link.Identity {
	return link.Identity{ClusterID: m.ClusterID(), ID: m.ID()}
}
