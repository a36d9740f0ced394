package mvcc

import (
	"errors"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// walFS makes up for what Pebble leaves undone when files come into being.
//
// It tells of a write-ahead log that cannot be written as soon as that
// happens. Pebble mostly calls Fatalf then; but where a large batch makes it
// begin a new log it panics with its locks in disorder, and nothing that comes
// after that is sure to be printed.
type walFS struct {
	vfs.FS
	failure *failure
}

// Create is part of vfs.FS. A marker names the MANIFEST that counts. Pebble
// makes both and then syncs the directory once; a file system that keeps no
// order between the two could lose the MANIFEST alone in a crash, and nothing
// could be opened any more (cockroachdb/pebble#5825; v2.1.7 does not have the
// repair). So the directory is synced before a marker is made too.
func (fs walFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(fs.PathBase(name), "marker.") {
		if err := fs.syncDir(fs.PathDir(name)); err != nil {
			return nil, err
		}
	}
	return fs.wrap(name)(fs.FS.Create(name, category))
}

// ReuseForWrite is part of vfs.FS.
func (fs walFS) ReuseForWrite(
	oldname, newname string, category vfs.DiskWriteCategory,
) (vfs.File, error) {
	return fs.wrap(newname)(fs.FS.ReuseForWrite(oldname, newname, category))
}

func (fs walFS) syncDir(name string) error {
	dir, err := fs.OpenDir(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (fs walFS) wrap(name string) func(vfs.File, error) (vfs.File, error) {
	return func(f vfs.File, err error) (vfs.File, error) {
		switch {
		case !strings.HasSuffix(name, ".log"):
			return f, err
		case err != nil:
			return f, fs.failure.tell(err)
		}
		return &walFile{File: f, failure: fs.failure}, nil
	}
}

type walFile struct {
	vfs.File
	failure *failure
}

// Write is part of vfs.File.
func (f *walFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.failure.tell(err)
}

// Sync is part of vfs.File.
func (f *walFile) Sync() error { return f.failure.tell(f.File.Sync()) }

// SyncData is part of vfs.File.
func (f *walFile) SyncData() error { return f.failure.tell(f.File.SyncData()) }

// tell notes and logs a failed write, and returns it.
func (f *failure) tell(err error) error {
	if err != nil && f.get() == nil {
		f.log.Error(f.set(err).Error())
	}
	return err
}

var (
	_ vfs.FS   = walFS{}
	_ vfs.File = (*walFile)(nil)
)
