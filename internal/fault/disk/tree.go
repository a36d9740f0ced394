package disk

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// changesMax bounds what a directory remembers, and with it the files that are kept open. Then it
// is synced: a file system may do that whenever it likes.
const changesMax = 256

// inode is a file or a directory that is followed. What is not atomic is under FS.mu.
type inode struct {
	// size is that of a file, synced how much of it is durable, spoilt that a sync has failed: what
	// the machine then did with its memory nobody knows, so no later sync counts.
	size, synced atomic.Int64
	spoilt       atomic.Bool

	dir     bool
	read    bool              // names and durable are there
	names   map[string]*inode // now
	durable map[string]*inode // after the last sync
	changes []change          // since then
	last    uint64            // number of the newest of changes, or of the last one settled
}

// change is one step from durable to names.
type change struct {
	number uint64
	set    map[string]*inode // nil: the name is gone
	adds   bool              // it took no name from anybody
	grave  *grave            // of who lost its name; nil: nobody
}

// grave keeps what a change took away.
type grave struct {
	node *inode
	f    vfs.File // nil: it is a directory
}

func (g *grave) close() error {
	switch {
	case g == nil:
		return nil
	case g.node.dir:
		return g.node.forget(g.node.last)
	case g.f == nil:
		return nil
	}
	return g.f.Close()
}

func newDir() *inode {
	return &inode{dir: true, read: true, names: make(map[string]*inode),
		durable: make(map[string]*inode)}
}

// settleAt takes a file for what it is on the disk, all of it durable.
func (n *inode) settleAt(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	n.dir = info.IsDir()
	n.size.Store(info.Size())
	n.synced.Store(info.Size())
	return nil
}

// reach takes note of a sync of a file up to size.
func (n *inode) reach(size int64) {
	for at := n.synced.Load(); at < size && !n.spoilt.Load(); at = n.synced.Load() {
		if n.synced.CompareAndSwap(at, size) {
			return
		}
	}
}

// load reads what is in a directory when it is first asked for.
func (n *inode) load(path string) error {
	if n.read {
		return nil
	}
	all, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	n.names = make(map[string]*inode, len(all))
	for _, entry := range all {
		child := new(inode)
		if err := child.settleAt(filepath.Join(path, entry.Name())); err != nil {
			return err
		}
		n.names[entry.Name()] = child
	}
	n.read, n.durable = true, maps.Clone(n.names)
	return nil
}

// settle takes note of a sync of a directory that began when until was its last change.
func (n *inode) settle(until uint64) error {
	if n.spoilt.Load() {
		return nil
	}
	for _, c := range n.changes {
		if c.number <= until {
			c.apply(n.durable)
		}
	}
	return n.forget(until)
}

// forget drops changes up to that one.
func (n *inode) forget(until uint64) error {
	var errs []error
	var left []change
	for _, c := range n.changes {
		if c.number > until {
			left = append(left, c)
		} else {
			errs = append(errs, c.grave.close())
		}
	}
	n.changes = left
	return errors.Join(errs...)
}

func (c *change) apply(names map[string]*inode) {
	for name, n := range c.set { // order: one change names nothing twice
		if n == nil {
			delete(names, name)
		} else {
			names[name] = n
		}
	}
}

// replaces reports whether somebody has one of the names that it gives.
func (c *change) replaces(names map[string]*inode) bool {
	for name, n := range c.set { // order: any one will do
		if n != nil && names[name] != nil {
			return true
		}
	}
	return false
}

// add makes a change to the directory at path.
func (n *inode) add(path string, c change) error {
	n.last++
	c.number = n.last
	c.apply(n.names)
	n.changes = append(n.changes, c)
	if len(n.changes) <= changesMax || n.spoilt.Load() {
		return nil
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return err
	}
	return n.settle(n.last)
}

// tree is what is followed.
type tree struct {
	root string
	top  *inode
}

// place is a name in a directory.
type place struct {
	parent *inode // nil: it is not followed
	path   string // of the parent
	name   string
}

// within reports whether a path is below the root.
func (t *tree) within(path string) bool {
	at, err := filepath.Abs(path)
	return err == nil && strings.HasPrefix(at, t.root+string(filepath.Separator))
}

// dir is the directory at a path; nil if it is not followed.
func (t *tree) dir(path string) (*inode, error) {
	at, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if at != t.root && !t.within(at) {
		return nil, nil
	}
	n, here := t.top, t.root
	for {
		if err := n.load(here); err != nil {
			return nil, err
		}
		rest := strings.TrimPrefix(at[len(here):], string(filepath.Separator))
		if rest == "" {
			return n, nil
		}
		name, _, _ := strings.Cut(rest, string(filepath.Separator))
		here = filepath.Join(here, name)
		if n, err = n.child(name, here); err != nil {
			return nil, err
		}
		if n == nil || !n.dir {
			return nil, &os.PathError{Op: "open", Path: here, Err: os.ErrNotExist}
		}
	}
}

// child is who has a name; nil: nobody. Whoever came by another way is durable.
func (n *inode) child(name, path string) (*inode, error) {
	if c := n.names[name]; c != nil {
		return c, nil
	}
	c := new(inode)
	switch err := c.settleAt(path); {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	n.names[name], n.durable[name] = c, c
	return c, nil
}

// find is the place of a path, whose directory must be there.
func (t *tree) find(path string) (place, error) {
	at, err := filepath.Abs(path)
	if err != nil {
		return place{}, err
	}
	if !t.within(at) {
		return place{}, nil
	}
	p := place{path: filepath.Dir(at), name: filepath.Base(at)}
	if p.parent, err = t.dir(p.path); err != nil {
		return p, err
	}
	_, err = p.parent.child(p.name, at)
	return p, err
}

// node is who is there; nil: nobody.
func (p place) node() *inode {
	if p.parent == nil {
		return nil
	}
	return p.parent.names[p.name]
}

// note takes note of who is there now, and of who was.
func (p place) note(n *inode, was *grave) error {
	if p.parent == nil || n == nil && was == nil {
		return nil
	}
	return p.parent.add(p.path,
		change{set: map[string]*inode{p.name: n}, adds: was == nil, grave: was})
}

// noteRename takes note that n, who was here, is at another name.
func (p place) noteRename(name string, n *inode, was *grave) error {
	if p.parent == nil {
		return nil
	}
	return p.parent.add(p.path,
		change{set: map[string]*inode{p.name: nil, name: n}, grave: was})
}
