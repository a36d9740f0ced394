//go:build unix

package nemesis

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

func TestNewest(t *testing.T) {
	const all = "000004.log 000012.log 000011.sst MANIFEST-000001 MANIFEST-000013 OPTIONS-000014 " +
		"marker.format-version.000007.024 marker.manifest.000002.MANIFEST-000001 LOCK " +
		"marker.manifest.000010.MANIFEST-000013"
	for _, c := range []struct {
		name  string
		k     kind
		files string
		want  string
	}{
		{"the log that is written", walFile, all, "000012.log"},
		{"the only table", tableFile, all, "000011.sst"},
		{"the MANIFEST that counts", manifestFile, all, "MANIFEST-000013"},
		{"no log", walFile, "MANIFEST-000001 000003.sst", ""},
		{"no table", tableFile, "000003.log", ""},
		{"no marker", manifestFile, "MANIFEST-000001", ""},
	} {
		got := newest(c.k, strings.Fields(c.files), rand.New(rand.NewPCG(1, 1)))
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

type silent struct{}

func (silent) Infof(string, ...any)           {}
func (silent) Errorf(string, ...any)          {}
func (silent) Fatalf(format string, v ...any) { panic(fmt.Sprintf(format, v...)) }

func openEngine(dir string) (*pebble.DB, error) {
	return pebble.Open(dir,
		&pebble.Options{FormatMajorVersion: pebble.FormatNewest, Logger: silent{}})
}

// logFiles makes an engine like a member's, writes to it, and returns its data directory as a crash
// would leave it.
func logFiles(t *testing.T, batches int) string {
	t.Helper()
	from, to := t.TempDir(), t.TempDir()
	db, err := openEngine(from)
	if err != nil {
		t.Fatal(err)
	}
	for i := range batches {
		value := bytes.Repeat([]byte{byte(i)}, 1+i*37%5000)
		if err := db.Set([]byte{byte(i >> 8), byte(i)}, value, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		if i%10 == 9 { // what a later chunk says was synced must have been whole
			if err := db.LogData(nil, pebble.Sync); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.CopyFS(filepath.Join(to, logEngine), os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return to
}

func copied(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// reopened is how many of the keys are there, or why the engine does not open.
func reopened(t *testing.T, dir string) (keys int, err error) {
	t.Helper()
	db, err := openEngine(filepath.Join(dir, logEngine))
	if err != nil {
		return 0, err
	}
	it, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		keys++
	}
	if err := errors.Join(it.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	return keys, nil
}

// Cut off is what counts: of the last record at least, wherever the file ends.
func TestCutOff(t *testing.T) {
	const batches = 300
	chance := rand.New(rand.NewPCG(3, 4))
	files := logFiles(t, batches)
	for range 5 {
		dir := copied(t, files)
		d, err := choose(dir, logEngine, walFile, true, chance)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, d.path)
		// As where the disk gives room in advance, or the file was another log.
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Write(make([]byte, 100_000))
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		again, err := choose(dir, logEngine, walFile, true, chance)
		if err != nil || again.of != d.of {
			t.Fatalf("%v, %v: with zeros behind it counts %d bytes, want %d", again, err, again.of, d.of)
		}
		if err := d.inflict(dir); err != nil {
			t.Fatal(err)
		}
		keys, err := reopened(t, dir)
		if err != nil || keys >= batches || keys < batches-cutOffMax/19 {
			t.Errorf("%v: %d of %d keys are left, %v", d, keys, batches, err)
		}
	}
}

// A flipped bit of a log is noticed, or takes records with it.
func TestFlippedBit(t *testing.T) {
	const batches = 300
	chance := rand.New(rand.NewPCG(5, 6))
	refused := 0
	files := logFiles(t, batches)
	for range 20 {
		dir := copied(t, files)
		d, err := choose(dir, logEngine, walFile, false, chance)
		if err == nil {
			err = d.inflict(dir)
		}
		if err != nil {
			t.Fatal(err)
		}
		keys, err := reopened(t, dir)
		if err != nil {
			refused++
		} else if keys == batches {
			t.Errorf("%v: that did no harm", d)
		}
	}
	if refused == 0 {
		t.Error("no flipped bit was noticed")
	}
}

func TestNothingToDamage(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, stateEngine), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := choose(dir, stateEngine, tableFile, false, rand.New(rand.NewPCG(1, 1)))
	if !errors.Is(err, errNothing) {
		t.Errorf("in an empty directory: %v", err)
	}
}
