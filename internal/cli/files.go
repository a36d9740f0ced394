package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strconv"
	"unicode/utf8"

	"github.com/cairnkv/cairn/txn"
)

// file is a regular file to import.
type file struct {
	path string // from the directory, with slashes
	size int64
}

// fileList is all files of an import, in the order of their paths.
type fileList struct {
	dir   string
	root  *os.Root
	files []file
	bytes int64
}

// walk lists the files below dir, and refuses what could not be written before
// anything is. It tells of what it skips.
func (im *importer) walk(dir string) (list *fileList, skipped int, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, 0, err
	}
	list = &fileList{dir: dir, root: root}
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			skipped++
			_, err := fmt.Fprintf(im.s.main.Stderr, "skipped %s: no regular file (%s)\n",
				quoteText(path), kindOfFile(d.Type()))
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		f := file{path: path, size: info.Size()}
		if err := f.check(im.prefix); err != nil {
			return err
		}
		list.files = append(list.files, f)
		list.bytes += f.size
		return nil
	})
	if err != nil {
		return nil, 0, errors.Join(err, root.Close())
	}
	return list, skipped, nil
}

func kindOfFile(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "symlink"
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	}
	return "device"
}

// check refuses files that no key can hold.
func (f *file) check(prefix string) error {
	if f.size > txn.ValueBytesMax {
		return fmt.Errorf("%s has %d bytes, the limit of a value is %d; nothing was imported",
			quoteText(f.path), f.size, txn.ValueBytesMax)
	}
	if n := len(prefix) + len(f.path); n > txn.KeyBytesMax {
		return fmt.Errorf("the key of %s has %d bytes, the limit is %d; nothing was imported",
			quoteText(f.path), n, txn.KeyBytesMax)
	}
	return nil
}

// batches cuts the list, in order.
func (l *fileList) batches() iter.Seq[batch] {
	return func(yield func(batch) bool) {
		var b batch
		for _, f := range l.files {
			full := len(b.files) == batchFilesMax || b.bytes+f.size > batchBytesMax
			if full && len(b.files) > 0 {
				if !yield(b) {
					return
				}
				b = batch{number: b.number + 1}
			}
			b.files = append(b.files, f)
			b.bytes += f.size
		}
		if len(b.files) > 0 {
			yield(b)
		}
	}
}

// read reads a file that must still have the size it had.
func (l *fileList) read(f file) ([]byte, error) {
	r, err := l.root.Open(f.path)
	if err != nil {
		return nil, err
	}
	data := make([]byte, f.size+1)
	n, err := io.ReadFull(r, data)
	if closed := r.Close(); err == nil || closed != nil {
		return nil, errors.Join(fmt.Errorf("%s grew while it was read", quoteText(f.path)), closed)
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	if int64(n) != f.size {
		return nil, fmt.Errorf("%s shrank while it was read", quoteText(f.path))
	}
	return data[:n], nil
}

// listed is a key in the list of a batch: quoted like an argument where JSON
// could not hold it.
func listed(key string) string {
	if utf8.ValidString(key) && key[0] != '"' {
		return key
	}
	return strconv.Quote(key)
}
