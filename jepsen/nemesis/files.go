//go:build unix

package nemesis

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// kind is a kind of file of an engine.
type kind uint8

const (
	walFile kind = iota
	tableFile
	manifestFile
)

// The engines of a data directory.
const (
	stateEngine = "state"
	logEngine   = "log"
)

// newest is the file of a kind that counts most, of those in an engine's directory: the log that is
// written, the MANIFEST that the newest marker names, any table. Empty: there is none.
func newest(k kind, names []string, r *rand.Rand) string {
	var of []string
	for _, n := range names {
		switch {
		case k == walFile && strings.HasSuffix(n, ".log"),
			k == tableFile && strings.HasSuffix(n, ".sst"),
			k == manifestFile && strings.HasPrefix(n, "marker.manifest."):
			of = append(of, n)
		}
	}
	if len(of) == 0 {
		return ""
	}
	if k == tableFile {
		return of[r.IntN(len(of))]
	}
	last := slices.MaxFunc(of, func(a, b string) int { return number(a) - number(b) })
	if k == manifestFile { // marker.manifest.000003.MANIFEST-000017
		last = last[strings.LastIndexByte(last, '.')+1:]
	}
	return last
}

// number is that of a file, or of a marker.
func number(name string) int {
	name = strings.TrimPrefix(name, "marker.manifest.")
	name, _, _ = strings.Cut(name, ".")
	n, err := strconv.Atoi(name)
	if err != nil {
		return -1
	}
	return n
}

// written is how much of a write-ahead log counts. The file goes on after that, with zeros or with
// what it held when it was another log: damage there would be none. A block of 32 KiB holds chunks,
// each with its length at 4, its type at 6 and the number of its log at 7.
func written(b []byte, log uint32) int {
	const block, old, synced = 32 << 10, 11, 19
	for at := 0; ; {
		header := synced
		if left := block - at%block; left < header {
			at += left // a chunk's header never crosses into the next block
		}
		if at+header > len(b) {
			return min(at, len(b))
		}
		c := b[at : at+header]
		if kind := c[6]; kind < 5 || kind > 12 || binary.LittleEndian.Uint32(c[7:]) != log {
			return at
		} else if kind < 9 {
			header = old
		}
		at += header + int(binary.LittleEndian.Uint16(c[4:]))
	}
}

// damage is done to one file.
type damage struct {
	path    string // in the data directory
	at, of  int64
	cutOff  bool // all from at on is gone; otherwise one bit there is wrong
	whatBit uint
}

func (d damage) String() string {
	if d.cutOff {
		return fmt.Sprintf("%s was cut off at byte %d of %d", d.path, d.at, d.of)
	}
	return fmt.Sprintf("bit %d of byte %d of %d in %s was flipped", d.whatBit, d.at, d.of, d.path)
}

// errNothing: there is no such file, or nothing in it.
var errNothing = errors.New("there is nothing to damage")

// cutOffMax is how much of a log is lost at most.
const cutOffMax = 1 << 10

// choose finds something to damage in an engine of a data directory.
func choose(dir, engine string, k kind, cutOff bool, r *rand.Rand) (damage, error) {
	list, err := os.ReadDir(filepath.Join(dir, engine))
	if err != nil {
		return damage{}, fmt.Errorf("looking for files to damage: %w", err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	name := newest(k, names, r)
	if name == "" {
		return damage{}, errNothing
	}
	b, err := os.ReadFile(filepath.Join(dir, engine, name))
	if err != nil {
		return damage{}, fmt.Errorf("looking for bytes to damage: %w", err)
	}
	size := len(b)
	if k == walFile {
		size = written(b, uint32(number(name)))
	}
	if size == 0 {
		return damage{}, errNothing
	}
	d := damage{path: filepath.Join(engine, name), of: int64(size), cutOff: cutOff}
	if cutOff {
		d.at = d.of - 1 - r.Int64N(min(d.of, cutOffMax))
	} else {
		d.at, d.whatBit = r.Int64N(d.of), r.UintN(8)
	}
	return d, nil
}

// inflict does it, behind the back of whoever owns the file.
func (d damage) inflict(dir string) error {
	path := filepath.Join(dir, d.path)
	if d.cutOff {
		return os.Truncate(path, d.at)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("damaging a file: %w", err)
	}
	var b [1]byte
	_, err = f.ReadAt(b[:], d.at)
	b[0] ^= 1 << d.whatBit
	if err == nil {
		_, err = f.WriteAt(b[:], d.at)
	}
	return errors.Join(err, f.Close())
}
