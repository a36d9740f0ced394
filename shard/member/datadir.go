package member

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/txn"
)

// Format is the data directory format that this release reads and writes
// (docs/formats.md).
const Format = 1

const (
	identFile = "CAIRN"
	identTemp = "CAIRN.new"
	identMax  = 1 << 20
)

// ident is the file CAIRN: one line of JSON, read before anything is opened.
type ident struct {
	Format  int    `json:"format"`
	Release string `json:"release"` // that wrote this format first here
	Cluster string `json:"cluster"`
	Member  uint64 `json:"member"`
	// Nonce tells this directory from any other of the same member.
	Nonce uint64 `json:"nonce,omitempty"`
	// Founded or Joined say how it came to belong to its cluster; neither: alone.
	Founded *founded `json:"founded,omitempty"`
	Joined  *joined  `json:"joined,omitempty"`
	// Ready says that the engines were made. Without them the directory is
	// damaged from then on, not new.
	Ready bool `json:"ready"`
}

// datadir is a locked data directory.
type datadir struct {
	fs   vfs.FS
	path string
	lock *pebble.Lock
	id   ident
}

// address is where the others reach this member, whether or not it is still one
// of them; empty: there are none.
func (id *ident) address() string {
	switch {
	case id.Founded != nil && id.Member-1 < uint64(len(id.Founded.Founders)):
		return id.Founded.Founders[id.Member-1]
	case id.Joined != nil:
		for _, o := range id.Joined.Members {
			if o.ID == id.Member {
				return o.Address
			}
		}
	}
	return ""
}

// openDir makes the directory if it is missing, locks it, and reads its ident, or
// writes one: fresh, with a cluster or a nonce of its own.
func openDir(fs vfs.FS, path string, fresh ident) (*datadir, error) {
	if err := makeDir(fs, path); err != nil {
		return nil, dirError(path, "cannot make the data directory", err)
	}
	lock, err := pebble.LockDirectory(path, fs)
	if err != nil {
		return nil, &txn.Error{Kind: txn.Unavailable, Op: "member.Open", Reason: "data_in_use",
			Err:  errors.New("the data directory " + path + " is in use by another process"),
			Next: "stop that process, or choose another directory with --data"}
	}
	d := &datadir{fs: fs, path: path, lock: lock}
	if err := d.load(fresh); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return d, nil
}

// makeDir makes path and syncs whatever directories got a new entry by that:
// without it a crash may take the whole data directory away.
func makeDir(fs vfs.FS, path string) error {
	var grown []string
	for at := path; ; {
		if _, err := fs.Stat(at); err == nil || !errors.Is(err, os.ErrNotExist) {
			break
		}
		parent := fs.PathDir(at)
		if parent == at {
			break
		}
		grown = append(grown, parent)
		at = parent
	}
	if err := fs.MkdirAll(path, 0o755); err != nil {
		return err
	}
	for _, p := range grown {
		if err := syncDir(fs, p); err != nil {
			return err
		}
	}
	return nil
}

func dirError(path, what string, err error) error {
	return &txn.Error{Kind: txn.Internal, Op: "member.Open", Reason: "data_directory",
		Err: errors.New(what + " " + path + ": " + err.Error())}
}

func (d *datadir) load(fresh ident) error {
	f, err := d.fs.Open(d.fs.PathJoin(d.path, identFile))
	if errors.Is(err, os.ErrNotExist) {
		return d.create(fresh)
	}
	if err != nil {
		return dirError(d.path, "cannot open the ident of", err)
	}
	b, err := io.ReadAll(io.LimitReader(f, identMax))
	if err := errors.Join(err, f.Close()); err != nil {
		return dirError(d.path, "cannot read the ident of", err)
	}
	if err := json.Unmarshal(bytes.TrimSpace(b), &d.id); err != nil {
		return dirError(d.path, "the file CAIRN does not parse in", err)
	}
	if d.id.Format > Format {
		e := txn.Errorf(txn.Invalid, "newer_format",
			"the data directory %s has format %d, this release reads up to %d",
			d.path, d.id.Format, Format)
		e.Next = "start Cairn " + d.id.Release + " or later"
		return e
	}
	if fresh.Member != 0 && fresh.Member != d.id.Member {
		e := txn.Errorf(txn.Invalid, "member_differs",
			"the data directory %s is that of member %d, not %d", d.path, d.id.Member, fresh.Member)
		e.Next = "give --id and --data of the same member"
		return e
	}
	return nil
}

// create begins a directory. Anything else in it would be somebody's files.
func (d *datadir) create(fresh ident) error {
	names, err := d.fs.List(d.path)
	if err != nil {
		return dirError(d.path, "cannot list", err)
	}
	for _, n := range names {
		if n != "LOCK" && n != identTemp {
			e := txn.Errorf(txn.Invalid, "not_a_data_directory",
				"the directory %s holds %q and no file CAIRN: it is not a data directory",
				d.path, n)
			e.Next = "choose an empty or new directory with --data"
			return e
		}
	}
	d.id = fresh
	d.id.Format = Format
	if d.id.Member == 0 { // alone
		d.id.Member = 1
		if d.id.Cluster, err = newClusterID(d.path); err != nil {
			return err
		}
		return d.save()
	}
	var nonce [8]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return dirError(d.path, "no randomness for", err)
	}
	d.id.Nonce = binary.BigEndian.Uint64(nonce[:]) | 1 // never 0
	return d.save()
}

func newClusterID(path string) (string, error) {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", dirError(path, "no randomness for", err)
	}
	return hex.EncodeToString(id[:]), nil
}

// save writes, syncs and renames the ident into place, and syncs the directory.
func (d *datadir) save() error {
	b, err := json.Marshal(d.id)
	if err != nil {
		return dirError(d.path, "cannot encode the ident of", err)
	}
	temp := d.fs.PathJoin(d.path, identTemp)
	f, err := d.fs.Create(temp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return dirError(d.path, "cannot write the ident of", err)
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = d.fs.Rename(temp, d.fs.PathJoin(d.path, identFile))
	}
	if err == nil {
		err = syncDir(d.fs, d.path)
	}
	if err != nil {
		return dirError(d.path, "cannot write the ident of", err)
	}
	return nil
}

// removeUnfinished removes what a crash at the first start has left of the
// engines. Nothing was acknowledged before they were ready.
func (d *datadir) removeUnfinished() error {
	if d.id.Ready {
		return nil
	}
	for _, kind := range []mvcc.Kind{mvcc.StateEngine, mvcc.LogEngine} {
		if err := d.fs.RemoveAll(d.join(kind.String())); err != nil {
			return dirError(d.path, "cannot remove what a crash has left in", err)
		}
	}
	return nil
}

func syncDir(fs vfs.FS, path string) error {
	dir, err := fs.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (d *datadir) join(name string) string { return d.fs.PathJoin(d.path, name) }

func (d *datadir) close() error { return d.lock.Close() }
