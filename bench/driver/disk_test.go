package driver

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cairnkv/cairn/bench/load"
)

// The disk of a long run is watched, where it is known, and nothing is left of that.
func TestDiskIsWatched(t *testing.T) {
	dir := t.TempDir()
	known := map[int]load.Usage{1: {}, 2: {Data: filepath.Join(dir, "m1")}}
	for name, tc := range map[string]struct {
		last      time.Duration
		processes map[int]load.Usage
		watched   bool
	}{
		"a long run":       {time.Minute, known, true},
		"a short run":      {time.Minute - 1, known, false},
		"an unknown place": {time.Minute, map[int]load.Usage{1: {}}, false},
	} {
		w, err := watchDisk(t.Context(), load.Run{Last: tc.last}, tc.processes)
		if err != nil {
			t.Fatal(err)
		}
		longest, err := w.end()
		if err != nil || (longest > 0) != tc.watched {
			t.Errorf("%s: %v, %v", name, longest, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s leaves %v, %v", name, left, err)
		}
	}
	if _, err := watchDisk(t.Context(), load.Run{Last: time.Minute},
		map[int]load.Usage{1: {Data: filepath.Join(dir, "gone", "m1")}}); err == nil {
		t.Error("a disk that is not there is watched")
	}
}
