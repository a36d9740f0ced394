package member

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

// syncBounds are the upper bounds of SyncTimes, but for the last one, which has none.
var syncBounds = [...]time.Duration{
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond,
	25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second,
}

// syncTimes counts how long the appender's syncs took.
type syncTimes struct {
	counts [len(syncBounds) + 1]atomic.Uint64
	sum    atomic.Int64 // ns
}

func (s *syncTimes) note(took time.Duration) {
	i, _ := slices.BinarySearch(syncBounds[:], took)
	s.counts[i].Add(1)
	s.sum.Add(int64(took))
}

// SyncTimes are how long this member took to write entries of raft durably.
type SyncTimes struct {
	Count uint64
	Sum   time.Duration
	// Within is how many took no longer than a bound.
	Within map[time.Duration]uint64
}

// SyncTimes is for operators: a disk that is too slow shows here first.
func (m *Member) SyncTimes() SyncTimes {
	t := SyncTimes{Sum: time.Duration(m.appender.times.sum.Load()),
		Within: make(map[time.Duration]uint64, len(syncBounds))}
	for i := range m.appender.times.counts {
		t.Count += m.appender.times.counts[i].Load()
		if i < len(syncBounds) {
			t.Within[syncBounds[i]] = t.Count
		}
	}
	return t
}

// SlowDisk is how often an operation of the disk was found to take more than 2 s.
func (m *Member) SlowDisk() uint64 { return m.slow.Load() }

// PeerStatus is the link to another member.
type PeerStatus struct {
	ID       uint64
	Up       bool
	Connects uint64 // how often it came up
	Lost     uint64 // batches of raft messages that it did not take
}

// Peers are the links to the other members, those that were needed yet.
func (m *Member) Peers() []PeerStatus {
	m.peers.mu.Lock()
	defer m.peers.mu.Unlock()
	var all []PeerStatus
	for id, at := range m.peers.mu.known { // order: sorted below
		_, up := at.small.Peer()
		all = append(all, PeerStatus{ID: id, Up: up, Connects: at.small.Sessions(),
			Lost: at.lost.Load()})
	}
	slices.SortFunc(all, func(a, b PeerStatus) int { return cmp.Compare(a.ID, b.ID) })
	return all
}
