package member

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

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
		met    map[uint64]string // addresses of who our list of members does not have yet
	}
}

type peer struct {
	address     string
	small, bulk *link.Client
	lost        atomic.Uint64 // batches that small did not take
}

func newPeers(m *Member) *peers {
	p := &peers{m: m}
	p.mu.known = make(map[uint64]*peer)
	p.mu.met = make(map[uint64]string)
	return p
}

// to is the way to a member; false if it is none of the cluster.
func (p *peers) to(id uint64) (*peer, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at, ok := p.mu.known[id]; ok {
		return at, true
	}
	address := p.list()[id]
	if address == "" {
		address = p.mu.met[id]
	}
	if address == "" || id == p.m.ID() || p.mu.closed {
		return nil, false
	}
	at := &peer{address: address, small: p.m.dial(id, address), bulk: p.m.dial(id, address)}
	p.mu.known[id] = at
	return at, true
}

// list is the list of members as this one has applied it.
func (p *peers) list() map[uint64]string {
	now := make(map[uint64]string)
	for _, m := range p.m.meta.Members() {
		now[m.ID] = m.Address
	}
	return now
}

// meet remembers where a member is that wrote to us and that our list does not
// name, as long as that says little.
func (p *peers) meet(from link.Identity) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.known[from.ID] == nil && p.mu.met[from.ID] != from.Address &&
		p.counts(from.ID, p.list()) {
		p.mu.met[from.ID] = from.Address
	}
}

// counts reports whether a member counts although the list is without it: it was
// let in after all that the list names, and to apply the entry that names it we
// may need its vote and it ours; or it leaves, but some group may need its vote
// until then, or has it for its leader.
func (p *peers) counts(id uint64, list map[uint64]string) bool {
	newest := uint64(0)
	for listed := range list { // order: a maximum
		newest = max(newest, listed)
	}
	if list[id] != "" || id > newest {
		return true
	}
	for _, h := range p.m.shards { // order: any will do
		if h.MayVote(id) {
			return true
		}
	}
	return false
}

func (m *Member) dial(id uint64, address string) *link.Client {
	return link.Dial("http://"+address, link.Options{Self: m.Identity(), Peer: id})
}

// refresh closes the links to who does not belong to the cluster any more.
func (p *peers) refresh() {
	list := p.list()
	p.mu.Lock()
	for id := range p.mu.met { // order: each on its own
		if list[id] != "" || !p.counts(id, list) {
			delete(p.mu.met, id)
		}
	}
	var gone []*peer
	for id, at := range p.mu.known { // order: each on its own
		moved := list[id] != "" && list[id] != at.address
		if moved || !p.counts(id, list) {
			gone = append(gone, at)
			delete(p.mu.known, id)
		}
	}
	p.mu.Unlock()
	for _, at := range gone {
		at.close()
	}
}

// up are the members to which a link is up, in order.
func (p *peers) up() (ids []uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, at := range p.mu.known { // order: sorted below
		if _, up := at.small.Peer(); up {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
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
				at.lost.Add(1)
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

// ask makes one call and decodes its answer.
func ask[R any, P decodable[R]](
	ctx context.Context, l *link.Client, method shardrpc.Method, req shardrpc.Message,
) (P, error) {
	b, err := l.Call(ctx, uint8(method), shardrpc.Encode(req))
	if err != nil {
		return nil, err
	}
	return shardrpc.Decode[R, P](b)
}

// Posted takes in raft messages of another member; it is for
// link.ServerOptions. What is not for us is thrown away.
func (m *Member) Posted(from link.Identity, method uint8, payload []byte) {
	if shardrpc.Method(method) != shardrpc.MethodRaft || from.ClusterID != m.ClusterID() {
		return
	}
	m.peers.meet(from)
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
	return link.Identity{ClusterID: m.ClusterID(), ID: m.ID(), Address: m.dir.id.address(),
		Terms: m.o.terms()}
}
