package shard

import (
	"errors"
	"fmt"
	"maps"
	"sync/atomic"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/cairnkv/cairn/locks"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// crashGroup is a replica of a group of one, and all that was ever in its log.
type crashGroup struct {
	w       *crashWorld
	route   shardrpc.Route
	r       *Replica
	pending *Append
	history []*raftpb.Entry // by index, from 1; those of a snapshot too

	// What has been acknowledged, and what had been when the crash came.
	synced, syncedAtCrash atomic.Uint64 // up to this index
	term, termAtCrash     atomic.Uint64
}

func (g *crashGroup) open() (err error) {
	g.r, err = New(Options{Member: 1, Route: g.route, State: g.w.state, Log: g.w.log,
		Points: locks.NewTSCache(1 << 10), Newest: new(Newest), TruncateBytes: 1, KeepBytes: 1,
		Versions: mvcc.NewVersionCache(0),
		Env:      &manualEnv{wall: 1_000_000, stopped: make(chan *parked)}})
	return err
}

// pump takes the replica's effects.
func (g *crashGroup) pump() error {
	e := g.r.Effects()
	if e.Append != nil {
		g.pending = e.Append
		for _, entry := range e.Append.Entries {
			if entry.GetIndex() != uint64(len(g.history))+1 {
				return fmt.Errorf("entry %d is appended after %d", entry.GetIndex(), len(g.history))
			}
			g.history = append(g.history, entry)
		}
	}
	return e.Failed
}

// settle goes on until all that was proposed is applied, which the state must show.
func (g *crashGroup) settle() error {
	for more := true; more; more = g.pending != nil {
		if err := g.w.append(); err != nil {
			return err
		}
		if err := g.pump(); err != nil {
			return err
		}
	}
	if n := g.r.mu.state.AppliedIndex; n != uint64(len(g.history)) {
		return fmt.Errorf("%d entries are applied of %d", n, len(g.history))
	}
	return g.checkState(&g.r.mu.state)
}

func (g *crashGroup) data(term uint64) []byte {
	c := &command{kind: cmdWrite, term: term, epoch: 1, ts: txn.Timestamp(1 + g.w.rng.IntN(5))}
	for range 1 + g.w.rng.IntN(3) {
		k := append(g.route.Span.Start[:len(g.route.Span.Start):len(g.route.Span.Start)],
			byte('a'+g.w.rng.IntN(10)))
		value := make([]byte, 8+g.w.rng.IntN(300))
		for i := range value {
			value[i] = byte(g.w.rng.Uint32())
		}
		c.ops = append(c.ops, op{key: k, value: value, keys: 1, bytes: int64(len(value))})
	}
	return appendEntry(nil, []*command{c})
}

func (g *crashGroup) propose() error {
	if err := g.pump(); err != nil {
		return err
	}
	status := g.r.rn.BasicStatus()
	if status.RaftState != raft.StateLeader {
		return nil
	}
	if err := g.r.rn.Propose(g.data(status.GetTerm())); err != nil {
		return err
	}
	return g.pump()
}

// truncate does what a member's keeper does, without waiting for a long log.
func (g *crashGroup) truncate() error {
	s, ok, err := mvcc.GetShardState(g.w.state, uint64(g.route.Shard), true)
	if err != nil || !ok {
		return err
	}
	if err := g.w.append(); err != nil { // nothing is truncated while an append is on its way
		return err
	}
	g.r.logBytes.Store(TruncateBytesMin)
	g.r.Step(Durable{Index: s.AppliedIndex})
	return g.pump()
}

// install puts the state of somebody who is further ahead in the place of this
// one's, and starts on it: the log is reset after that, not before.
func (g *crashGroup) install() error {
	term := g.r.rn.BasicStatus().GetTerm()
	g.r.Close()
	g.r = nil
	for range 1 + g.w.rng.IntN(5) {
		index, kind := uint64(len(g.history))+1, raftpb.EntryNormal
		g.history = append(g.history, &raftpb.Entry{
			Index: &index, Term: &term, Type: &kind, Data: g.data(term)})
	}
	held, _, err := g.model(uint64(len(g.history)))
	if err != nil {
		return err
	}
	source := mvcc.OpenMem(mvcc.Compare)
	b := source.NewBatch()
	for k, v := range held {
		b.Set([]byte(k), []byte(v))
	}
	if err := b.Commit(true); err != nil {
		return err
	}
	bounds := mvcc.ReplicaBounds(uint64(g.route.Shard), g.route.Span, false)
	export, err := source.Export(bounds)
	if err != nil {
		return err
	}
	if err := g.stage(bounds, export); err != nil {
		return err
	}
	g.synced.Store(uint64(len(g.history)))
	if err := g.check(g.synced.Load(), term); err != nil {
		return fmt.Errorf("after a snapshot: %w", err)
	}
	return g.open()
}

func (g *crashGroup) stage(bounds []mvcc.Bounds, export mvcc.Export) error {
	stage, err := g.w.state.Stage(bounds)
	if err != nil {
		return err
	}
	defer stage.Discard()
	for {
		chunk, err := export.Next(500)
		if err != nil {
			return err
		}
		if chunk == nil {
			return stage.Commit()
		}
		if err := stage.Add(chunk); err != nil {
			return err
		}
	}
}

// check compares what a start finds with the history: R13, R14 and I10. All up
// to synced must be there; what was not acknowledged may be.
func (g *crashGroup) check(synced, term uint64) error {
	s, ok, err := mvcc.GetShardState(g.w.state, uint64(g.route.Shard), false)
	if err != nil || !ok {
		return fmt.Errorf("there is no state: %w", err)
	}
	l, err := openLog(g.w.log, g.route.Shard, &s)
	if err != nil {
		return fmt.Errorf("R14: %w", err)
	}
	applied, commit := s.AppliedIndex, l.hard.GetCommit()
	switch {
	case l.last < applied || commit < applied || commit > l.last:
		return fmt.Errorf("R13: applied %d, commit %d, last %d", applied, commit, l.last)
	case l.last < synced:
		return fmt.Errorf("R14: the log ends at %d, before %d, which was synced", l.last, synced)
	case l.hard.GetTerm() < term:
		return fmt.Errorf("term %d was forgotten, it is %d", term, l.hard.GetTerm())
	case l.last > uint64(len(g.history)):
		return fmt.Errorf("the log ends at %d, %d were appended", l.last, len(g.history))
	}
	for i := l.first + 1; i <= l.last; i++ {
		e, err := l.entry(i)
		if err != nil {
			return fmt.Errorf("R14: %w", err)
		}
		if was := g.history[i-1]; e.GetTerm() != was.GetTerm() || string(e.Data) != string(was.Data) {
			return fmt.Errorf("entry %d is not what was appended", i)
		}
	}
	g.history = g.history[:l.last]
	return g.checkState(&s)
}

// checkState compares the state with the model at exactly its applied index (I10).
func (g *crashGroup) checkState(s *mvcc.ShardState) error {
	want, state, err := g.model(s.AppliedIndex)
	if err != nil {
		return err
	}
	if state.AppliedTerm != s.AppliedTerm || state.Keys != s.Keys || state.Bytes != s.Bytes {
		return fmt.Errorf("I10: the state is %+v, want %+v", *s, state)
	}
	got := map[string]string{}
	for _, b := range mvcc.ReplicaBounds(uint64(g.route.Shard), g.route.Span, false) {
		it, err := g.w.state.NewIter(mvcc.IterOptions{Lower: b.Lower, Upper: b.Upper})
		if err != nil {
			return err
		}
		for ok := it.First(); ok; ok = it.Next() {
			v, err := it.Value()
			if err != nil {
				return errors.Join(err, it.Close())
			}
			got[string(it.Key())] = string(v)
		}
		if err := errors.Join(it.Error(), it.Close()); err != nil {
			return err
		}
	}
	if !maps.Equal(got, want) {
		return fmt.Errorf("I10: at %d the state has %d keys, want %d, or other values",
			s.AppliedIndex, len(got), len(want))
	}
	return nil
}

// model is what the state engine must hold once the entries up to index are applied.
func (g *crashGroup) model(index uint64) (map[string]string, mvcc.ShardState, error) {
	held, used := map[string]string{}, map[txn.KeyspaceID]txn.Usage{}
	s := mvcc.ShardState{Epoch: 1, ConfState: []byte{8, 1}} // one voter: 1
	for _, e := range g.history[:index] {
		s.AppliedIndex, s.AppliedTerm = e.GetIndex(), e.GetTerm()
		if len(e.Data) == 0 {
			continue
		}
		commands, err := decodeEntry(e.Data)
		if err != nil {
			return nil, s, err
		}
		for _, o := range commands[0].ops {
			held[string(mvcc.DataKey(o.key, commands[0].ts))] = string(o.value)
			s.Keys, s.Bytes = s.Keys+o.keys, s.Bytes+o.bytes
			u := used[o.key.Keyspace()]
			u.Add(txn.Usage{Keys: o.keys, LiveBytes: o.bytes, Versions: 1,
				Bytes: int64(len(o.key.User()) + len(o.value))})
			used[o.key.Keyspace()] = u
		}
	}
	rows := mvcc.OpenMem(mvcc.Compare)
	b := rows.NewBatch()
	defer b.Close()
	for ks, u := range used {
		mvcc.PutUsage(b, uint64(g.route.Shard), ks, u)
	}
	if err := b.Commit(false); err != nil {
		return nil, s, err
	}
	for ks := range used {
		key := mvcc.UsageKey(uint64(g.route.Shard), ks)
		row, _, err := rows.Get(key)
		if err != nil {
			return nil, s, err
		}
		held[string(key)] = string(row)
	}
	held[string(mvcc.ShardStateKey(uint64(g.route.Shard)))] = string(mvcc.AppendShardState(nil, &s))
	return held, s, nil
}
