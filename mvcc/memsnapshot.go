package mvcc

import "bytes"

// Export opens a stable snapshot of some bounds.
func (m *Mem) Export(within []Bounds) (Export, error) {
	within, err := m.copyBounds(within)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, memClosed()
	}
	if m.view == nil {
		m.view = m.tree.IsoCopy()
	}
	return &memExport{m: m, tree: m.view, within: within}, nil
}

type memExport struct {
	m      *Mem
	tree   *memTree
	within []Bounds // those that are not sent, the first from its Lower
}

// Next is part of Export.
func (e *memExport) Next(bytes int) ([]byte, error) {
	e.m.mu.Lock()
	closed := e.m.closed
	e.m.mu.Unlock()
	if closed {
		return nil, memClosed()
	}
	c := chunk{max: bytes}
	for full := false; !full && len(e.within) > 0; {
		at := &e.within[0]
		e.tree.Ascend(memItem{key: at.Lower}, func(i memItem) bool {
			if e.m.compare(i.key, at.Upper) >= 0 {
				return false
			}
			if full = !c.add(i.key, i.value); full {
				at.Lower = i.key
			}
			return !full
		})
		if !full {
			e.within = e.within[1:]
		}
	}
	return c.b, nil
}

// Close is part of Export.
func (e *memExport) Close() error {
	e.within = nil
	return nil
}

// Stage begins to collect what will take the place of everything within bounds.
func (m *Mem) Stage(within []Bounds) (Stage, error) {
	within, err := m.copyBounds(within)
	if err != nil {
		return nil, err
	}
	s := &memStage{m: m, order: stageOrder{keyOrder: m.keyOrder, within: within}}
	for _, b := range within {
		s.ops = append(s.ops, memOp{memDeleteRange, b.Lower, b.Upper})
	}
	return s, nil
}

type memStage struct {
	m     *Mem
	order stageOrder
	ops   []memOp
	err   error // no more can be added or committed
}

// Add is part of Stage.
func (s *memStage) Add(chunk []byte) error {
	if s.err == nil {
		s.err = eachPair(chunk, func(key, value []byte) error {
			if err := s.order.next(key); err != nil {
				return err
			}
			s.ops = append(s.ops, memOp{memSet, bytes.Clone(key), bytes.Clone(value)})
			return nil
		})
	}
	return s.err
}

// Commit is part of Stage. As on disk, it makes durable the commits up to the
// last that wrote within the bounds, and none after that.
func (s *memStage) Commit() error {
	m := s.m
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return memClosed()
	case s.err != nil:
		return s.err
	}
	s.err = errStageUsed()
	below := len(m.tail)
	for below > 0 && !m.touches(m.tail[below-1], s.order.within) {
		below--
	}
	synced := m.synced.IsoCopy() // iterators look at the old one
	for _, ops := range m.tail[:below] {
		m.apply(synced, ops)
	}
	m.apply(synced, s.ops)
	m.synced, m.tail = synced, m.tail[below:]
	m.apply(m.tree, s.ops)
	m.view = nil
	return nil
}

// touches reports whether one of ops changes something within bounds.
func (m *Mem) touches(ops []memOp, within []Bounds) bool {
	for _, op := range ops {
		for _, b := range within {
			begins := m.compare(op.key, b.Upper) < 0
			if op.kind == memDeleteRange && begins && m.compare(op.value, b.Lower) > 0 ||
				op.kind != memDeleteRange && begins && m.compare(op.key, b.Lower) >= 0 {
				return true
			}
		}
	}
	return false
}

// Discard is part of Stage.
func (s *memStage) Discard() {
	s.ops = nil
	if s.err == nil {
		s.err = errStageUsed()
	}
}
