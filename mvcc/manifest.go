package mvcc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A manifest is a log as LevelDB writes it: blocks, of chunks that have a header and do not cross
// the end of their block. See https://github.com/google/leveldb/blob/main/doc/log_format.md.
const (
	manifestBlock  = 32 << 10
	manifestHeader = 7 // checksum u32, length u16, type u8
	chunkTypes     = 4 // 1 to 4: a whole record, or its first, middle or last part
)

// checkManifest finds damage that Pebble passes over: it takes the first record that is none for
// the end of the manifest, as a crash may leave it, and so forgets tables that were flushed after
// it, whose log files are gone. A crash tears the last record. If another one follows, it was not
// the last.
func checkManifest(fs vfs.FS, dir string) error {
	found, err := pebble.Peek(dir, fs)
	if err != nil || !found.Exists {
		return nil // whatever it is, opening tells
	}
	file, err := fs.Open(found.ManifestFilename)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	at := chunksEnd(data)
	if next, ok := chunkAfter(data, at); ok {
		return fmt.Errorf("%w: %s has a record at %d, but none that is whole at %d",
			pebble.ErrCorruption, found.ManifestFilename, next, at)
	}
	return nil
}

// chunksEnd is where chunks end that follow each other from the start.
func chunksEnd(data []byte) (at int) {
	for {
		if left := manifestBlock - at%manifestBlock; left < manifestHeader {
			at += left
		}
		n := chunkAt(data, at)
		if n == 0 {
			return at
		}
		at += n
	}
}

// chunkAfter looks for a chunk anywhere behind at.
func chunkAfter(data []byte, at int) (next int, ok bool) {
	for next = at + 1; next < len(data); next++ {
		if chunkAt(data, next) > 0 {
			return next, true
		}
	}
	return 0, false
}

// chunkAt is the length of the chunk at an offset, with its header; 0: there is none. The part of
// a record that is at the end of a block may be a header alone.
func chunkAt(data []byte, at int) int {
	left := min(len(data)-at, manifestBlock-at%manifestBlock)
	if left < manifestHeader {
		return 0
	}
	c := data[at : at+left]
	length, kind := int(binary.LittleEndian.Uint16(c[4:])), c[6]
	if kind < 1 || kind > chunkTypes || manifestHeader+length > left {
		return 0
	}
	sum := crc32.Checksum(c[6:manifestHeader+length], crc32.MakeTable(crc32.Castagnoli))
	if bits.RotateLeft32(sum, 17)+0xa282ead8 != binary.LittleEndian.Uint32(c) {
		return 0
	}
	return manifestHeader + length
}
