package mvcc

import (
	"bytes"
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// stagedDir lies in the engine's directory: tables are linked from it.
	stagedDir = "staged"
	// stagedTableBytes is where a table ends and the next begins, so that what
	// one keeps in memory until then, its filter and index, stays small.
	stagedTableBytes = 64 << 20
)

// Export opens a stable snapshot of some bounds.
func (p *Pebble) Export(within []Bounds) (Export, error) {
	within, err := p.order.copyBounds(within)
	if err != nil {
		return nil, err
	}
	return &pebbleExport{p: p, snapshot: p.db.NewSnapshot(), within: within}, nil
}

type pebbleExport struct {
	p        *Pebble
	snapshot *pebble.Snapshot
	within   []Bounds // those that are not sent, the first from its Lower
}

// Next is part of Export. It holds an iterator no longer than it runs: an
// export lasts as long as its slowest reader, and an iterator keeps memtables
// alive.
func (e *pebbleExport) Next(bytes int) ([]byte, error) {
	c := chunk{max: bytes}
	for len(e.within) > 0 {
		full, err := e.fill(&c)
		if err != nil {
			return nil, e.p.wrap(err)
		}
		if full {
			break
		}
		e.within = e.within[1:]
	}
	return c.b, nil
}

func (e *pebbleExport) fill(c *chunk) (full bool, err error) {
	at := &e.within[0]
	it, err := e.snapshot.NewIter(
		&pebble.IterOptions{LowerBound: at.Lower, UpperBound: at.Upper})
	if err != nil {
		return false, err
	}
	for ok := it.First(); ok && !full; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			_ = it.Close()
			return false, err
		}
		if full = !c.add(it.Key(), v); full {
			at.Lower = bytes.Clone(it.Key())
		}
	}
	return full, it.Close()
}

// Close is part of Export.
func (e *pebbleExport) Close() error { return e.p.wrap(e.snapshot.Close()) }

// Stage begins to collect what will take the place of everything within bounds.
// It writes tables while chunks arrive.
func (p *Pebble) Stage(within []Bounds) (Stage, error) {
	within, err := p.order.copyBounds(within)
	if err != nil {
		return nil, err
	}
	if err := p.failure.get(); err != nil {
		return nil, err
	}
	if err := p.fs.MkdirAll(p.staged, 0o755); err != nil {
		return nil, p.wrap(err)
	}
	return &pebbleStage{
		p: p, name: fmt.Sprintf("stage%d", p.stages.Add(1)),
		order: stageOrder{keyOrder: p.order, within: within},
	}, nil
}

// pebbleStage writes tables that one after another cover the bounds without a
// gap. Each deletes all that it covers, and holds the new keys. A range
// deletion deletes only what is older than itself, and an ingested table has
// one age.
type pebbleStage struct {
	p      *Pebble
	name   string
	order  stageOrder
	at     int             // the bounds that w writes, or will
	w      *sstable.Writer // nil: no table is open
	start  []byte          // what w covers begins here
	size   int             // of what was added to w
	prefix []byte          // of the key that was added last
	paths  []string        // of all tables
	err    error           // no more can be added or committed
}

// Add is part of Stage. A full disk fails this stage alone, here or in Commit:
// the engine does not need these files. The writer tells of it when it ends a
// table.
func (s *pebbleStage) Add(chunk []byte) error {
	if s.err == nil {
		s.err = eachPair(chunk, s.add)
	}
	return s.err
}

func (s *pebbleStage) add(key, value []byte) error {
	if err := s.order.next(key); err != nil {
		return err
	}
	if err := s.cover(s.order.at); err != nil {
		return s.p.wrap(err)
	}
	prefix := key[:s.p.order.split(key)]
	if s.w != nil && s.size >= s.p.tableBytes && !bytes.Equal(prefix, s.prefix) {
		end := bytes.Clone(prefix) // all versions of a key lie in one table
		if err := s.finish(end); err != nil {
			return s.p.wrap(err)
		}
		s.start = end
	}
	if err := s.open(); err != nil {
		return s.p.wrap(err)
	}
	s.prefix = append(s.prefix[:0], prefix...)
	s.size += len(key) + len(value)
	return s.p.wrap(s.w.Set(key, value))
}

// cover finishes the tables of all bounds before the one with that number.
func (s *pebbleStage) cover(until int) error {
	for ; s.at < until; s.at++ {
		if err := s.open(); err != nil {
			return err
		}
		if err := s.finish(s.order.within[s.at].Upper); err != nil {
			return err
		}
		s.start = nil
	}
	return nil
}

// open begins a table unless one is open.
func (s *pebbleStage) open() error {
	if s.w != nil {
		return nil
	}
	if s.start == nil {
		s.start = s.order.within[s.at].Lower
	}
	path := s.p.fs.PathJoin(s.p.staged, fmt.Sprintf("%s-%d.sst", s.name, len(s.paths)))
	f, err := s.p.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	s.paths = append(s.paths, path)
	// Synced as it grows, it does not hold up everybody else's sync at its end.
	f = vfs.NewSyncingFile(f, vfs.SyncingFileOptions{BytesPerSync: s.p.options.BytesPerSync})
	s.w = sstable.NewWriter(objstorageprovider.NewFileWritable(f),
		s.p.options.MakeWriterOptions(0, s.p.db.TableFormat()))
	s.size = 0
	return nil
}

// finish closes the open table, which covers the keys before end, and syncs it.
func (s *pebbleStage) finish(end []byte) error {
	err := s.w.DeleteRange(s.start, end)
	if closed := s.w.Close(); err == nil {
		err = closed
	}
	s.w = nil
	return err
}

// Commit is part of Stage. Ingest links the tables, syncs the engine's
// directory and then the MANIFEST that names them: before that a crash leaves
// nothing, after it everything. Writes within the bounds that are still in
// memory are flushed first, those elsewhere may stay there. An error of Ingest
// is final: nobody knows what the MANIFEST says.
func (s *pebbleStage) Commit() error {
	if err := s.p.failure.get(); err != nil {
		return err
	}
	if s.err != nil {
		return s.err
	}
	s.err = errStageUsed()
	if err := s.cover(len(s.order.within)); err != nil {
		return s.p.wrap(err)
	}
	if len(s.paths) == 0 {
		return nil
	}
	// What lies within the bounds is not written to meanwhile. Once that is out of
	// memory Ingest waits for no flush, for which every commit would have to wait.
	if err := s.p.Flush(); err != nil {
		return err
	}
	// Like opening, it can end in Fatalf, or wait for a flush that failed.
	ingested := make(chan error, 1)
	go func() {
		defer func() {
			if cause := recover(); cause != nil { // no new log file, as in pebbleBatch.Commit
				ingested <- fmt.Errorf("ingesting: %v", cause)
			}
		}()
		ingested <- s.p.db.Ingest(context.Background(), s.paths)
	}()
	select {
	case err := <-ingested:
		if err != nil {
			return s.p.failure.set(fmt.Errorf("ingesting a snapshot: %w", err))
		}
		return s.p.failure.get()
	case <-s.p.failure.failed:
		return s.p.failure.get()
	}
}

// Discard is part of Stage.
func (s *pebbleStage) Discard() {
	if s.err == nil {
		s.err = errStageUsed()
	}
	if s.w != nil {
		_ = s.w.Close()
		s.w = nil
	}
	for _, path := range s.paths {
		_ = s.p.fs.Remove(path) // gone if it was ingested; else the next start removes it
	}
	s.paths = nil
}
