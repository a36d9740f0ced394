package disk

import (
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// file is one that is being written.
type file struct {
	vfs.File
	fs   *FS
	name string
	node *inode
}

// Write is part of vfs.File.
func (f *file) Write(p []byte) (int, error) {
	if err := f.fs.room("write", f.name); err != nil {
		return 0, err
	}
	f.fs.gate.RLock()
	defer f.fs.gate.RUnlock()
	n, err := f.File.Write(p)
	f.node.size.Add(int64(n))
	f.fs.tell()
	return n, err
}

// WriteAt is part of vfs.File.
func (f *file) WriteAt([]byte, int64) (int, error) {
	return 0, &os.PathError{Op: "write", Path: f.name, Err: errOverwrite}
}

// Preallocate is part of vfs.File. It leaves the size of the file as it is.
func (f *file) Preallocate(offset, length int64) error {
	if err := f.fs.room("preallocate", f.name); err != nil {
		return err
	}
	return f.File.Preallocate(offset, length)
}

// Sync is part of vfs.File.
func (f *file) Sync() error { return f.sync(f.File.Sync) }

// SyncData is part of vfs.File.
func (f *file) SyncData() error { return f.sync(f.File.SyncData) }

func (f *file) sync(do func() error) error {
	if err := f.fs.sync(f.name); err != nil {
		f.node.spoilt.Store(true)
		return err
	}
	f.fs.gate.RLock()
	defer f.fs.gate.RUnlock()
	size := f.node.size.Load() // what is written from here on may be missed by this sync
	if err := do(); err != nil {
		f.node.spoilt.Store(true)
		return err
	}
	f.node.reach(size)
	return nil
}

// SyncTo is part of vfs.File. Where it promises nothing it does not count as a sync.
func (f *file) SyncTo(length int64) (fullSync bool, err error) {
	size := f.node.size.Load()
	if fullSync, err = f.File.SyncTo(length); err != nil || !fullSync {
		return fullSync, err
	}
	if err := f.fs.sync(f.name); err != nil {
		f.node.spoilt.Store(true)
		return false, err
	}
	f.fs.gate.RLock() // who is told that it is durable must be right
	defer f.fs.gate.RUnlock()
	f.node.reach(size)
	return true, nil
}

// dirFile is a directory that is open to be synced.
type dirFile struct {
	vfs.File
	fs   *FS
	name string
	node *inode // nil: it is not followed
}

// Sync is part of vfs.File.
func (d *dirFile) Sync() error {
	if err := d.fs.sync(d.name); err != nil {
		d.spoil()
		return err
	}
	d.fs.gate.RLock()
	defer d.fs.gate.RUnlock()
	if d.node == nil {
		return d.File.Sync()
	}
	d.fs.mu.Lock()
	until := d.node.last
	d.fs.mu.Unlock()
	if err := d.File.Sync(); err != nil {
		d.spoil()
		return err
	}
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	return d.node.settle(until)
}

// SyncData is part of vfs.File.
func (d *dirFile) SyncData() error { return d.Sync() }

func (d *dirFile) spoil() {
	if d.node != nil {
		d.node.spoilt.Store(true)
	}
}

var (
	_ vfs.File = (*file)(nil)
	_ vfs.File = (*dirFile)(nil)
)
