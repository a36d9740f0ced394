package member

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/shard/raftwire"
	"github.com/cairnkv/cairn/txn"
)

const (
	snapshotPartBytes = 512 << 10
	// snapshotPartMax is how long one part may take to be answered, and about
	// how long a half-received snapshot is kept without the next.
	snapshotPartMax = 10 * time.Second
	// snapshotsOutMax and snapshotsInMax bound those under way; the rest wait, or
	// are refused and come again.
	snapshotsOutMax = 2
	snapshotsInMax  = 4
	// snapshotAgain is the pause before raft hears of one that failed, and may
	// ask for the next: each costs a pass over the state on both sides.
	snapshotAgain = 500 * time.Millisecond
)

// snapshots sends and receives the states of replicas.
type snapshots struct {
	m              *Member
	sent, received atomic.Uint64 // wholly
	room           chan struct{} // of snapshotsOutMax places
	mu             struct {
		sync.Mutex
		last uint64 // stream
		in   map[shardrpc.ShardID]*snapshotIn
	}
}

// snapshotIn is one that arrives, part by part. The next one for the same shard
// takes its place: whoever sends that has given this one up, or has started
// anew since, or leads now in the place of who sent this.
type snapshotIn struct {
	from, stream uint64
	header       []byte
	stage        mvcc.Stage
	next         uint64 // part
	busy         bool   // a part is being taken in
	at           time.Duration
}

func newSnapshots(m *Member) *snapshots {
	s := &snapshots{m: m, room: make(chan struct{}, snapshotsOutMax)}
	s.mu.in = make(map[shardrpc.ShardID]*snapshotIn)
	return s
}

// send carries out an effect on a goroutine of its own.
func (s *snapshots) send(h *hosted, e shard.SendSnapshot) {
	s.m.tasks.Go(func() {
		err := s.sendParts(h, e)
		_ = e.Export.Close() // it was read to the end, or is given up
		if err != nil && !s.m.ended() {
			s.m.o.Log.Warn("a snapshot was not sent", "shard", h.Route().Shard, "to", e.To,
				"error", err)
			_ = s.m.o.Env.Sleep(s.m.running, snapshotAgain)
		}
		if err == nil {
			s.sent.Add(1)
		}
		h.worker.post(h, shard.SnapshotSent{To: e.To, OK: err == nil})
	})
}

func (s *snapshots) sendParts(h *hosted, e shard.SendSnapshot) error {
	select {
	case s.room <- struct{}{}:
		defer func() { <-s.room }()
	case <-s.m.stop:
		return s.m.unavailable()
	}
	at, ok := s.m.peers.to(e.To)
	if !ok {
		return txn.Errorf(txn.NotFound, "member_unknown", "there is no member %d", e.To)
	}
	s.mu.Lock()
	s.mu.last++
	req := shardrpc.SnapshotRequest{Shard: h.Route().Shard, From: s.m.ID(), Stream: s.mu.last,
		Header: raftwire.AppendMessage(nil, e.Msg)}
	s.mu.Unlock()
	for !req.Last {
		var err error
		if req.Data, err = e.Export.Next(snapshotPartBytes); err != nil {
			return err
		}
		req.Last = req.Data == nil
		if err := s.sendPart(at, &req); err != nil {
			return err
		}
		req.Header = nil
		req.Part++
	}
	return nil
}

func (s *snapshots) sendPart(at *peer, req *shardrpc.SnapshotRequest) error {
	ctx, cancel := context.WithTimeout(s.m.running, snapshotPartMax)
	defer cancel()
	_, err := at.bulk.Call(ctx, uint8(shardrpc.MethodSnapshot), shardrpc.Encode(req))
	return err
}

// receive takes in one part.
func (s *snapshots) receive(
	_ context.Context, req *shardrpc.SnapshotRequest,
) (*shardrpc.SnapshotResponse, error) {
	h, ok := s.m.shards[req.Shard]
	if !ok {
		return nil, invalid("this member has no shard %d", req.Shard)
	}
	s.m.engines.RLock()
	defer s.m.engines.RUnlock()
	if s.m.ended() {
		return nil, s.m.unavailable()
	}
	in, err := s.take(h, req)
	if err != nil {
		return nil, err
	}
	if len(req.Data) > 0 {
		err = in.stage.Add(req.Data)
	}
	if err != nil || req.Last {
		s.mu.Lock()
		delete(s.mu.in, req.Shard)
		s.mu.Unlock()
	}
	if err != nil {
		in.stage.Discard()
		return nil, err
	}
	if req.Last {
		return &shardrpc.SnapshotResponse{}, s.deliver(h, in)
	}
	s.mu.Lock()
	in.busy, in.next, in.at = false, in.next+1, s.m.o.Env.Now()
	s.mu.Unlock()
	return &shardrpc.SnapshotResponse{}, nil
}

// take finds the snapshot that a part belongs to, which the first one begins.
func (s *snapshots) take(h *hosted, req *shardrpc.SnapshotRequest) (*snapshotIn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.mu.in[req.Shard]
	if in != nil && !in.busy && req.Part == 0 {
		in.stage.Discard()
		delete(s.mu.in, req.Shard)
		in = nil
	}
	switch full := s.m.full.Load(); {
	case full != nil && (req.Part == 0 || req.Last):
		return nil, full // raft does not know of it yet, and it comes again
	case in == nil && req.Part == 0 && len(s.mu.in) < snapshotsInMax:
		stage, err := s.m.state.Stage(h.Bounds())
		if err != nil {
			return nil, err
		}
		in = &snapshotIn{from: req.From, stream: req.Stream, header: req.Header, stage: stage}
		s.mu.in[req.Shard] = in
	case req.Part == 0:
		return nil, txn.Errorf(txn.Exhausted, "snapshots",
			"%d snapshots are arriving, the limit is %d and one of a shard",
			len(s.mu.in), snapshotsInMax)
	case in == nil || in.from != req.From || in.stream != req.Stream || in.busy ||
		in.next != req.Part:
		return nil, invalid("part %d of snapshot %d is out of order", req.Part, req.Stream)
	}
	in.busy = true
	return in, nil
}

// deliver hands a whole snapshot to its replica.
func (s *snapshots) deliver(h *hosted, in *snapshotIn) error {
	msg, err := raftwire.DecodeMessage(in.header)
	if err == nil && (msg.GetType() != raftpb.MsgSnap || msg.GetTo() != s.m.ID() ||
		msg.GetFrom() != in.from) {
		err = errors.New("it is not of this snapshot")
	}
	if err != nil {
		in.stage.Discard()
		return invalid("the head of a snapshot: %v", err)
	}
	h.worker.post(h, shard.Snapshot{Msg: msg, Stage: in.stage})
	return nil
}

// sweep gives up those whose next part does not come. With all it is the end.
func (s *snapshots) sweep(all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, in := range s.mu.in { // order: each on its own
		if all || !in.busy && s.m.o.Env.Now()-in.at > 2*snapshotPartMax {
			in.stage.Discard()
			delete(s.mu.in, id)
		}
	}
}

// install commits a stage, which may take as long as the disk likes.
func (m *Member) install(h *hosted, stage mvcc.Stage) {
	m.tasks.Go(func() {
		if err := stage.Commit(); err != nil {
			m.fail(err)
			return
		}
		m.moving.received.Add(1)
		h.worker.post(h, shard.Installed{})
	})
}

// Snapshots is how many states of replicas went to other members, and how many
// came from them and were installed, since the start.
func (m *Member) Snapshots() (sent, received uint64) {
	return m.moving.sent.Load(), m.moving.received.Load()
}
