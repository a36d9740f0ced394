package mvcc

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnkv/cairn/txn"
)

// manifestOf fills an engine in "db", with some tables, and returns its manifest.
func manifestOf(t *testing.T, fs vfs.FS) (name string, data []byte) {
	t.Helper()
	p := openTest(t, PebbleOptions{Dir: "db", FS: fs})
	for i := range 5 {
		if err := errors.Join(put(p, strconv.Itoa(i), true), p.Flush()); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	found, err := pebble.Peek("db", fs)
	if err != nil {
		t.Fatal(err)
	}
	file, err := fs.Open(found.ManifestFilename)
	if err != nil {
		t.Fatal(err)
	}
	if data, err = io.ReadAll(file); errors.Join(err, file.Close()) != nil {
		t.Fatal(err)
	}
	return found.ManifestFilename, data
}

func write(t *testing.T, fs vfs.FS, name string, data []byte) {
	t.Helper()
	file, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.Write(slices.Clone(data)) // Pebble's file system spoils it under the race detector
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestManifest: a flipped bit before the last record of a manifest is corruption; a manifest that
// ends early, or whose last record is none, is what a crash leaves.
func TestManifest(t *testing.T) {
	fs := vfs.NewMem()
	name, data := manifestOf(t, fs)
	last, records := 0, 0
	for at := 0; at < len(data); at += chunkAt(data, at) {
		last = at
		records++
	}
	if records < 5 {
		t.Fatalf("the manifest has %d records", records)
	}
	for at := range data {
		flipped := slices.Clone(data)
		flipped[at] ^= 4
		write(t, fs, name, flipped)
		if err := checkManifest(fs, "db"); (err != nil) != (at < last) ||
			err != nil && !errors.Is(err, pebble.ErrCorruption) {
			t.Fatalf("byte %d of %d flipped, the last record begins at %d: %v", at, len(data), last, err)
		}
		write(t, fs, name, append(data[:at:at], make([]byte, at%100)...))
		if err := checkManifest(fs, "db"); err != nil {
			t.Fatalf("cut at %d of %d: %v", at, len(data), err)
		}
	}
	data[last/2] ^= 4
	write(t, fs, name, data)
	_, err := OpenPebble(PebbleOptions{Dir: "db", FS: fs})
	e, ok := errors.AsType[*txn.Error](err)
	if !ok || e.Reason != ReasonCorruption || !strings.Contains(e.Next, "--replace") {
		t.Fatalf("a damaged manifest: %v", err)
	}
}

// TestManifestBlocks: records that cross blocks are followed, also where a block has just room for
// a header, or not even that.
func TestManifestBlocks(t *testing.T) {
	for _, first := range []int{
		manifestBlock - 15, manifestBlock - 14, manifestBlock - 13, manifestBlock - 12, 3 * manifestBlock,
	} {
		var log bytes.Buffer
		w := record.NewWriter(&log)
		for _, r := range [][]byte{make([]byte, first), []byte("second"), []byte("third")} {
			if _, err := w.WriteRecord(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if at := chunksEnd(log.Bytes()); at != log.Len() {
			t.Errorf("a first record of %d bytes: chunks end at %d of %d", first, at, log.Len())
		}
	}
}
