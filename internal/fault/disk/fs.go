package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnkv/cairn/internal/fault"
)

var errOverwrite = errors.New("the fault disk cannot undo what overwrites: files are appended to")

// FS is the machine's file system, with faults.
type FS struct {
	vfs.FS // the machine's

	ill                      atomic.Pointer[fault.Disk]
	delayed, failed, refused atomic.Int64

	// gate is held for reading by whoever changes the disk, and by LosePower for good.
	gate sync.RWMutex
	mu   sync.Mutex // over tree, and over changes of names on the disk
	tree tree
	// changed is told, if it has room, that there may be something that is not synced.
	changed chan struct{}
}

// New follows what lies below root, which need not be there yet.
func New(root string) (*FS, error) {
	at, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("no disk at %s: %w", root, err)
	}
	fs := &FS{FS: vfs.Default, tree: tree{root: at, top: &inode{dir: true}},
		changed: make(chan struct{}, 1)}
	fs.ill.Store(new(fault.Disk))
	return fs, nil
}

// Set makes it ill, or well.
func (fs *FS) Set(d fault.Disk) { fs.ill.Store(&d) }

// Count fills in what it has done so far.
func (fs *FS) Count(s *fault.State) {
	s.Disk = *fs.ill.Load()
	s.SyncsDelayed, s.SyncsFailed = fs.delayed.Load(), fs.failed.Load()
	s.WritesRefused = fs.refused.Load()
}

// Space measures it, in bytes, as member.Options.DiskSpace does.
func (fs *FS) Space(dir string) (free, total uint64, err error) {
	u, err := fs.GetDiskUsage(dir)
	return u.AvailBytes, u.TotalBytes, err
}

// GetDiskUsage is part of vfs.FS.
func (fs *FS) GetDiskUsage(path string) (vfs.DiskUsage, error) {
	u, err := fs.FS.GetDiskUsage(path)
	if d := fs.ill.Load(); d.Full || d.Low {
		u.UsedBytes, u.AvailBytes = u.TotalBytes, 0
	}
	return u, err
}

// Unwrap is part of vfs.FS.
func (fs *FS) Unwrap() vfs.FS { return fs.FS }

// room refuses what makes the disk fuller.
func (fs *FS) room(op, path string) error {
	if !fs.ill.Load().Full {
		return nil
	}
	fs.refused.Add(1)
	return &os.PathError{Op: op, Path: path, Err: syscall.ENOSPC}
}

// sync is what comes before each sync: it takes longer, or fails. Nothing is held meanwhile, so
// that a loss of power can come in the middle of it.
func (fs *FS) sync(path string) error {
	d := fs.ill.Load()
	if d.SyncDelayMillis > 0 {
		fs.delayed.Add(1)
		time.Sleep(time.Duration(d.SyncDelayMillis) * time.Millisecond)
	}
	if d.SyncError {
		fs.failed.Add(1)
		return &os.PathError{Op: "sync", Path: path, Err: syscall.EIO}
	}
	return nil
}

// change makes a change of names, alone. The caller calls done when it is made.
func (fs *FS) change() (done func()) {
	fs.gate.RLock()
	fs.mu.Lock()
	return func() {
		fs.tell()
		fs.mu.Unlock()
		fs.gate.RUnlock()
	}
}

// tell is called by whoever changes the disk, before he lets go of the gate.
func (fs *FS) tell() {
	select {
	case fs.changed <- struct{}{}:
	default:
	}
}

// Create is part of vfs.FS.
func (fs *FS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.room("create", name); err != nil {
		return nil, err
	}
	defer fs.change()()
	at, err := fs.tree.find(name)
	if err != nil {
		return nil, err
	}
	grave, err := fs.bury(at, name)
	if err != nil {
		return nil, err
	}
	f, err := fs.FS.Create(name, category)
	if err != nil {
		return nil, errors.Join(err, grave.close())
	}
	n := new(inode)
	return &file{File: f, fs: fs, name: name, node: n}, at.note(n, grave)
}

// ReuseForWrite is part of vfs.FS. What overwrites could not be undone, so it makes a new file,
// as it may.
func (fs *FS) ReuseForWrite(
	oldname, newname string, category vfs.DiskWriteCategory,
) (vfs.File, error) {
	f, err := fs.Create(newname, category)
	if err != nil {
		return nil, err
	}
	if err := fs.Remove(oldname); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// OpenReadWrite is part of vfs.FS. Nothing of a member uses it.
func (fs *FS) OpenReadWrite(
	name string, _ vfs.DiskWriteCategory, _ ...vfs.OpenOption,
) (vfs.File, error) {
	return nil, &os.PathError{Op: "open", Path: name, Err: errOverwrite}
}

// OpenDir is part of vfs.FS.
func (fs *FS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	defer fs.change()()
	n, err := fs.tree.dir(name)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &dirFile{File: f, fs: fs, name: name, node: n}, nil
}

// Link is part of vfs.FS.
func (fs *FS) Link(oldname, newname string) error {
	if err := fs.room("link", newname); err != nil {
		return err
	}
	defer fs.change()()
	from, err := fs.tree.find(oldname)
	if err != nil {
		return err
	}
	to, err := fs.tree.find(newname)
	if err != nil {
		return err
	}
	if err := fs.FS.Link(oldname, newname); err != nil {
		return err
	}
	n := from.node()
	if n == nil { // it comes from elsewhere, where nothing is lost
		n = new(inode)
		if err := n.settleAt(newname); err != nil {
			return err
		}
	}
	return to.note(n, nil)
}

// Rename is part of vfs.FS.
func (fs *FS) Rename(oldname, newname string) error {
	defer fs.change()()
	from, err := fs.tree.find(oldname)
	if err != nil {
		return err
	}
	to, err := fs.tree.find(newname)
	if err != nil {
		return err
	}
	n := from.node()
	if from.parent != to.parent || n != nil && n.dir {
		return &os.LinkError{Op: "rename", Old: oldname, New: newname,
			Err: errors.New("the fault disk renames files within a directory")}
	}
	grave, err := fs.bury(to, newname)
	if err != nil {
		return err
	}
	if err := fs.FS.Rename(oldname, newname); err != nil {
		return errors.Join(err, grave.close())
	}
	return from.noteRename(to.name, n, grave)
}

// Remove is part of vfs.FS.
func (fs *FS) Remove(name string) error {
	defer fs.change()()
	return fs.remove(name)
}

// remove removes a file or an empty directory. The caller holds the lock.
func (fs *FS) remove(name string) error {
	at, err := fs.tree.find(name)
	if err != nil {
		return err
	}
	grave, err := fs.bury(at, name)
	if err != nil {
		return err
	}
	if err := fs.FS.Remove(name); err != nil {
		return errors.Join(err, grave.close())
	}
	return at.note(nil, grave)
}

// RemoveAll is part of vfs.FS.
func (fs *FS) RemoveAll(name string) error {
	defer fs.change()()
	return fs.removeAll(name)
}

func (fs *FS) removeAll(name string) error {
	info, err := os.Lstat(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		names, err := fs.List(name)
		if err != nil {
			return err
		}
		for _, n := range names {
			if err := fs.removeAll(filepath.Join(name, n)); err != nil {
				return err
			}
		}
	}
	return fs.remove(name)
}

// MkdirAll is part of vfs.FS.
func (fs *FS) MkdirAll(dir string, perm os.FileMode) error {
	if err := fs.room("mkdir", dir); err != nil {
		return err
	}
	defer fs.change()()
	return fs.mkdirAll(dir, perm)
}

func (fs *FS) mkdirAll(dir string, perm os.FileMode) error {
	if !fs.tree.within(dir) {
		return fs.FS.MkdirAll(dir, perm)
	}
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := fs.mkdirAll(filepath.Dir(dir), perm); err != nil {
		return err
	}
	at, err := fs.tree.find(dir)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, perm); err != nil {
		return err
	}
	return at.note(newDir(), nil)
}

// bury keeps what has a name, and will lose it, for as long as that may be undone.
func (fs *FS) bury(at place, name string) (*grave, error) {
	n := at.node()
	if n == nil {
		return nil, nil
	}
	g := &grave{node: n}
	if n.dir {
		return g, nil
	}
	f, err := fs.Open(name)
	g.f = f
	return g, err
}

var _ vfs.FS = (*FS)(nil)
