package disk

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cairnkv/cairn/internal/fault"
)

// sectorBytes is what a disk writes whole or not at all.
const sectorBytes = 512

// loss is a loss of power.
type loss struct {
	chance *rand.Rand
	keep   int // percent
	drawn  int // how often chance was asked
	never  int // the draw that is lost in any case; -1: none
	ends   map[*inode]end
	graves map[*inode]*grave
	lost   fault.Loss
}

// end is what became of the end of a file.
type end struct {
	size  int64   // of the file
	holes []int64 // where lost sectors begin, below size
}

// LosePower stops all writers for good, and leaves of what was not synced what chance keeps. The
// process has to end then: to itself, the disk is as it was.
func (fs *FS) LosePower(p fault.PowerLoss) (fault.Loss, error) {
	s := fs.stop(time.Duration(p.WaitMillis) * time.Millisecond)
	l := &loss{chance: rand.New(rand.NewPCG(p.Seed, 0)), keep: p.KeepPercent, never: -1,
		ends: make(map[*inode]end), graves: make(map[*inode]*grave),
		lost: fault.Loss{UnsyncedBytes: s.bytes, UnsyncedNames: s.names}}
	if pieces := s.sectors + s.names; pieces > 0 && p.KeepPercent < 100 {
		l.never = l.chance.IntN(pieces)
	}
	if !fs.tree.top.read {
		return l.lost, nil
	}
	if err := l.undo(fs.tree.top, fs.tree.root); err != nil {
		return l.lost, fmt.Errorf("undoing what was not synced: %w", err)
	}
	return l.lost, nil
}

// stop returns with all writers stopped, when something is not synced or that time is over.
func (fs *FS) stop(most time.Duration) *stake {
	over := time.NewTimer(most)
	defer over.Stop()
	for last := most == 0; ; {
		fs.gate.Lock() // a sync that comes after the write that woke us waits behind this
		fs.mu.Lock()
		s := &stake{seen: make(map[*inode]bool)}
		s.count(fs.tree.top)
		if last || s.sectors+s.names > 0 {
			return s
		}
		fs.mu.Unlock()
		fs.gate.Unlock()
		select {
		case <-fs.changed:
		case <-over.C:
			last = true
		}
	}
}

// stake is what is not synced.
type stake struct {
	bytes   int64
	sectors int
	names   int
	seen    map[*inode]bool
}

func (s *stake) count(d *inode) {
	s.names += len(d.changes)
	for _, n := range d.names { // order: it is a sum
		size, synced := n.size.Load(), n.synced.Load()
		switch {
		case n.dir:
			s.count(n)
		case !s.seen[n] && size > synced:
			s.seen[n] = true // a file with two names has one end
			s.bytes += size - synced
			s.sectors += int((size-1)/sectorBytes - synced/sectorBytes + 1)
		}
	}
}

// kept says what becomes of the next piece. If no name is lost every piece is asked for once, so
// that something is.
func (l *loss) kept() bool {
	l.drawn++
	return l.chance.IntN(100) < l.keep && l.drawn-1 != l.never
}

// survivors are the names that a directory has afterwards.
func (l *loss) survivors(d *inode) map[string]*inode {
	names, all := maps.Clone(d.durable), true
	for i := range d.changes {
		c := &d.changes[i]
		if c.grave != nil {
			l.graves[c.grave.node] = c.grave
		}
		if keep := l.kept(); keep && (all || c.adds && !c.replaces(names)) {
			c.apply(names)
			continue
		}
		l.lost.Names++
		all = false
	}
	return names
}

// undo makes the directory at path what it is afterwards.
func (l *loss) undo(d *inode, path string) error {
	if !d.read {
		return nil // nobody has looked there, so nobody has changed it
	}
	after := l.survivors(d)
	copies := make(map[string]io.ReadCloser)
	for _, name := range slices.Sorted(maps.Keys(after)) {
		n := after[name]
		if n == d.names[name] || n.dir {
			continue
		}
		f, err := l.open(d, path, n)
		if err != nil {
			return err
		}
		copies[name] = f
	}
	for name, n := range d.names { // order: each on its own
		if after[name] != n {
			if err := os.RemoveAll(filepath.Join(path, name)); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		n, at := after[name], filepath.Join(path, name)
		if err := l.leave(n, at, copies[name], n == d.names[name]); err != nil {
			return err
		}
	}
	return nil
}

// leave makes what is at a path n as it is afterwards: from was, if it is a file that is elsewhere.
func (l *loss) leave(n *inode, path string, was io.ReadCloser, there bool) error {
	switch {
	case n.dir && there:
		return l.undo(n, path)
	case n.dir:
		if err := os.Mkdir(path, 0o755); err != nil {
			return err
		}
		n.names = nil // they went with it
		return l.undo(n, path)
	case was != nil:
		if err := restore(path, was); err != nil {
			return err
		}
	}
	return l.tear(n, path)
}

func restore(path string, was io.ReadCloser) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, was)
	return errors.Join(err, f.Close(), was.Close())
}

// open opens a file that is under another name in its directory, or nowhere.
func (l *loss) open(d *inode, path string, n *inode) (io.ReadCloser, error) {
	for name, other := range d.names { // order: any name of it will do
		if other == n {
			return os.Open(filepath.Join(path, name))
		}
	}
	g := l.graves[n]
	if g == nil {
		return nil, fmt.Errorf("what is to come back to %s is not kept", path)
	}
	return io.NopCloser(io.NewSectionReader(g.f, 0, n.size.Load())), nil
}

// tear loses sectors of what was not synced of a file.
func (l *loss) tear(n *inode, path string) error {
	size, synced := n.size.Load(), n.synced.Load()
	if synced == size {
		return nil
	}
	e, known := l.ends[n]
	if !known { // a file with two names has one end
		e = l.end(synced, size)
		l.ends[n] = e
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	for _, at := range e.holes {
		to := min(at-at%sectorBytes+sectorBytes, e.size)
		if _, zero := f.WriteAt(make([]byte, to-at), at); zero != nil {
			return errors.Join(zero, f.Close())
		}
	}
	return errors.Join(f.Truncate(e.size), f.Close())
}

// end chooses what is left of a file between two sizes.
func (l *loss) end(synced, size int64) end {
	e := end{size: synced}
	var holes []int64
	below := 0 // of holes: before what is kept
	for at := synced; at < size; at += sectorBytes - at%sectorBytes {
		to := min(at-at%sectorBytes+sectorBytes, size)
		if l.kept() {
			e.size, below = to, len(holes)
		} else {
			holes = append(holes, at)
			l.lost.Bytes += to - at
		}
	}
	e.holes = holes[:below]
	return e
}
