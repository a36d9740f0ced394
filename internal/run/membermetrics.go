package run

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cairnkv/cairn/shard/member"
)

// memberMetrics reads a member's status whenever it is asked.
type memberMetrics struct {
	member                                              *member.Member
	serving, keys, bytes, intents, applied, first, free *prometheus.Desc
	sent, received, collected, locks, waits             *prometheus.Desc
	ephemeralBytes, ephemeralKeys, evictions            *prometheus.Desc
	leader, term, syncs, slow                           *prometheus.Desc
	peerUp, connects, lost                              *prometheus.Desc
}

func newMemberMetrics(m *member.Member) *memberMetrics {
	perShard := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("cairn_shard_"+name, help, []string{"shard"}, nil)
	}
	perPeer := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("cairn_peer_"+name, help, []string{"member"}, nil)
	}
	return &memberMetrics{
		member: m,
		leader: perShard("leader", "Id of the member that leads, as far as this one knows; 0: none."),
		term: perShard("term",
			"Term of raft: it rises with every election, and so with every change of the leader."),
		syncs: prometheus.NewDesc("cairn_log_sync_seconds",
			"How long it took to write entries of raft durably.", nil, nil),
		slow: prometheus.NewDesc("cairn_disk_slow_total",
			"Operations of the disk that were found to take more than 2 s.", nil, nil),
		peerUp:   perPeer("up", "1 if there is a link to the other member."),
		connects: perPeer("connects_total", "How often the link to the other member came up."),
		lost:     perPeer("lost_total", "Batches of raft messages that the link did not take."),
		serving:  perShard("serving", "1 if this member serves the shard."),
		keys:     perShard("keys", "Live keys stored."),
		bytes:    perShard("bytes", "Bytes of live keys and their values."),
		intents:  perShard("intents", "Intents of undecided or unresolved transactions."),
		locks:    perShard("locks", "Locks held; only the leader has any."),
		waits:    perShard("lock_waits", "Requests that wait for locks."),
		applied:  perShard("applied_index", "Index of the last raft entry applied."),
		first:    perShard("first_index", "Index of the oldest raft entry that is kept."),
		collected: perShard("collected_total",
			"Records of transactions and rows of requests removed by this member."),
		free: prometheus.NewDesc("cairn_disk_free_bytes", "Room on the data disk.", nil, nil),
		sent: prometheus.NewDesc("cairn_raft_snapshots_sent_total",
			"Snapshots that other members took whole.", nil, nil),
		received: prometheus.NewDesc("cairn_raft_snapshots_received_total",
			"Snapshots that were installed.", nil, nil),
		ephemeralBytes: prometheus.NewDesc("cairn_ephemeral_bytes",
			"Memory that ephemeral keys take; the limit is --ephemeral-bytes.", nil, nil),
		ephemeralKeys: prometheus.NewDesc("cairn_ephemeral_keys",
			"Ephemeral keys in memory, and deleted and expired ones that are remembered.", nil, nil),
		evictions: prometheus.NewDesc("cairn_ephemeral_evictions_total",
			"Ephemeral keys that had to go for lack of memory.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (m *memberMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		m.serving, m.keys, m.bytes, m.intents, m.applied, m.first, m.free, m.sent, m.received,
		m.collected, m.locks, m.waits, m.ephemeralBytes, m.ephemeralKeys, m.evictions,
		m.leader, m.term, m.syncs, m.slow, m.peerUp, m.connects, m.lost,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m *memberMetrics) Collect(to chan<- prometheus.Metric) {
	members, err := m.member.Status(context.Background())
	if err != nil {
		to <- prometheus.NewInvalidMetric(m.serving, err)
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
	sent, received := m.member.Snapshots()
	counter(m.sent, sent)
	counter(m.received, received)
	use := m.member.EphemeralUse()
	gauge(m.ephemeralBytes, float64(use.Bytes))
	gauge(m.ephemeralKeys, float64(use.Keys))
	counter(m.evictions, uint64(use.Evicted))
	m.collectFaults(to)
	for i := range members {
		gauge(m.free, float64(members[i].DiskFree))
		for _, s := range members[i].Shards {
			id := fmt.Sprint(uint64(s.Shard))
			serving := 0.0
			if s.Serving {
				serving = 1
			}
			gauge(m.serving, serving, id)
			gauge(m.keys, float64(s.Keys), id)
			gauge(m.bytes, float64(s.Bytes), id)
			gauge(m.intents, float64(s.Intents), id)
			gauge(m.leader, float64(s.LeaderID), id)
			gauge(m.term, float64(s.Term), id)
			gauge(m.locks, float64(s.Locks), id)
			gauge(m.waits, float64(s.LockWaits), id)
			gauge(m.applied, float64(s.AppliedIndex), id)
			gauge(m.first, float64(s.FirstIndex), id)
			to <- prometheus.MustNewConstMetric(m.collected, prometheus.CounterValue,
				float64(s.Collected), id)
		}
	}
}

// collectFaults tells of the disk and of the links.
func (m *memberMetrics) collectFaults(to chan<- prometheus.Metric) {
	t := m.member.SyncTimes()
	within := make(map[float64]uint64, len(t.Within))
	for bound, n := range t.Within { // order: a map again
		within[bound.Seconds()] = n
	}
	to <- prometheus.MustNewConstHistogram(m.syncs, t.Count, t.Sum.Seconds(), within)
	to <- prometheus.MustNewConstMetric(m.slow, prometheus.CounterValue, float64(m.member.SlowDisk()))
	for _, p := range m.member.Peers() {
		id, up := fmt.Sprint(p.ID), 0.0
		if p.Up {
			up = 1
		}
		to <- prometheus.MustNewConstMetric(m.peerUp, prometheus.GaugeValue, up, id)
		to <- prometheus.MustNewConstMetric(m.connects, prometheus.CounterValue,
			float64(p.Connects), id)
		to <- prometheus.MustNewConstMetric(m.lost, prometheus.CounterValue, float64(p.Lost), id)
	}
}
