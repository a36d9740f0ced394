package member

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/txn"
)

// keep passes time to the replicas, as their own clock tells it: a lease is as
// many ticks as the others wait for. It waits for nothing else: late ticks are
// late heartbeats.
func (m *Member) keep() {
	e, tick := m.o.Env, m.o.TickInterval
	for next := e.Now() + tick; ; next = max(next+tick, e.Now()) {
		if e.Sleep(m.running, next-e.Now()) != nil || m.Failure() != nil {
			return
		}
		for _, id := range m.ids() {
			h := m.shards[id]
			h.worker.postTick(h)
		}
		m.oracle.meta.worker.postConfirm(m.oracle.meta) // the oracle may want more room
	}
}

// tend watches the disk once a second, truncates the logs, gathers leaderships, and
// drops what others have left behind.
func (m *Member) tend() {
	seconds := time.NewTicker(keeperInterval)
	defer seconds.Stop()
	gathering := gathering{m: m}
	for {
		select {
		case <-seconds.C:
			m.watchDisk()
			m.peers.refresh()
			m.lookReplaced()
			m.moving.sweep(false)
			gathering.look()
			if err := m.truncateLogs(); err != nil {
				m.fail(err)
			}
		case <-m.stop:
			return
		case <-m.failed:
			return
		}
	}
}

// watchDisk sets or clears the mark that makes replicas refuse what grows.
func (m *Member) watchDisk() {
	free, total, err := m.o.DiskSpace(m.o.Dir)
	if err != nil {
		m.o.Log.Warn("cannot measure the disk", "dir", m.o.Dir, "error", err)
		return
	}
	need := max(total/freeFraction, freeBytesMin)
	if free >= need {
		if m.full.Swap(nil) != nil {
			m.o.Log.Info("the disk has room again", "dir", m.o.Dir, "free_bytes", free)
		}
		return
	}
	e := txn.Errorf(txn.Exhausted, "disk_full", "%s has %d bytes free, writes need %d",
		m.o.Dir, free, need)
	e.Next = "free disk space or delete keys; writes go on by themselves after that"
	if m.full.Swap(e) == nil {
		m.o.Log.Warn("the disk is nearly full, writes that grow are refused",
			"dir", m.o.Dir, "free_bytes", free, "need_bytes", need)
	}
}

// truncateLogs tells every replica how far the state engine is on disk (R14).
// Where a log has grown long, it is made to be.
func (m *Member) truncateLogs() error {
	for _, id := range m.ids() {
		h := m.shards[id]
		if h.LogBytes() < m.o.TruncateBytes {
			continue
		}
		if h.LogBytes() > flushLogBytes {
			if err := m.state.Flush(); err != nil {
				return err
			}
		}
		s, ok, err := mvcc.GetShardState(m.state, uint64(id), true)
		if err != nil {
			return err
		}
		if ok {
			h.worker.post(h, shard.Durable{Index: s.AppliedIndex})
		}
	}
	return nil
}

// diskSpace is statfs.
func diskSpace(dir string) (free, total uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), nil
}
