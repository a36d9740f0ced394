package sim

import (
	"context"
	"time"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/shard/raftwire"
)

const snapshotPartTimeout = 300 * time.Millisecond

// sendSnapshot sends a state part by part, each after the one before has
// arrived, until one is lost.
func (rep *replica) sendSnapshot(s *shard.SendSnapshot) {
	p, w := rep.m.p, rep.m.p.w
	to := rep.g.node(s.To)
	w.snapshots++
	part := shardrpc.SnapshotRequest{Shard: rep.g.route.Shard, From: p.node.member,
		Stream: w.snapshots, Header: raftwire.AppendMessage(nil, s.Msg)}
	p.start("snapshot", nil, func() {
		ok := to != nil
		for ok && !part.Last {
			data, err := s.Export.Next(w.number(1, 4<<10))
			if err != nil {
				if p.alive {
					w.violate("a snapshot of shard %d of %s: %w", part.Shard, p.name, err)
				}
				break
			}
			part.Data, part.Last = data, data == nil
			ok = !w.hit(w.faults.snapshotLost) && p.sendPart(to, part)
			part.Header = nil
			part.Part++
		}
		_ = s.Export.Close()
		if !p.alive {
			return
		}
		if !ok {
			w.saw("snapshot lost on its way")
		}
		rep.step(shard.SnapshotSent{To: s.To, OK: ok})
	})
}

// sendPart reports whether the other side has taken a part in.
func (p *process) sendPart(to *node, part shardrpc.SnapshotRequest) bool {
	v, err := p.send(context.Background(), call{name: "snapshot", to: to,
		timeout: snapshotPartTimeout, serve: func(at *process, answer func(any)) {
			if at.member != nil && at.member.takePart(carried(&part).(*shardrpc.SnapshotRequest)) {
				answer(true)
			}
		}})
	return err == nil && v == true
}

// arrival is a snapshot on its way in.
type arrival struct {
	stream uint64
	next   uint64 // part
	header []byte
	stage  mvcc.Stage
}

// takePart takes in the next part of a snapshot, and offers the whole to the
// replica after the last.
func (m *member) takePart(part *shardrpc.SnapshotRequest) bool {
	rep := m.replica(part.Shard)
	if rep == nil {
		return false
	}
	a := m.arrivals[part.Shard]
	if part.Part == 0 {
		if a != nil {
			a.stage.Discard()
		}
		stage, err := m.state.Stage(rep.r.Bounds())
		if err != nil {
			m.p.w.violate("a snapshot on %s: %w", m.p.name, err)
			return false
		}
		a = &arrival{stream: part.Stream, header: part.Header, stage: stage}
		m.arrivals[part.Shard] = a
	}
	if a == nil || a.stream != part.Stream || a.next != part.Part {
		return false
	}
	a.next++
	if len(part.Data) > 0 {
		if err := a.stage.Add(part.Data); err != nil {
			m.p.w.violate("a snapshot on %s: %w", m.p.name, err)
			return false
		}
	}
	if !part.Last {
		return true
	}
	delete(m.arrivals, part.Shard)
	msg, err := raftwire.DecodeMessage(a.header)
	if err != nil {
		m.p.w.violate("a snapshot on %s: %w", m.p.name, err)
		return false
	}
	m.p.w.saw("snapshot sent")
	rep.step(shard.Snapshot{Msg: msg, Stage: a.stage})
	return true
}
