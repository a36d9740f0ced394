package driver

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/cairnkv/cairn/bench/load"
)

func TestCourse(t *testing.T) {
	data, over := t.TempDir(), make(map[int][]load.Room)
	write := func(name string, bytes int) {
		t.Helper()
		name = filepath.Join(data, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, make([]byte, bytes), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	take := func(memory int64) {
		t.Helper()
		now := map[int]load.Usage{7: {Memory: memory, Data: data}, 8: {Memory: 1}}
		if err := course(over, now); err != nil {
			t.Fatal(err)
		}
	}
	write("log", 100)
	take(5)
	write("tables/1", 1000)
	take(3)
	want := map[int][]load.Room{7: {{Memory: 5, Disk: 100}, {Memory: 3, Disk: 1100}},
		8: {{Memory: 1}, {Memory: 1}}}
	if !reflect.DeepEqual(over, want) {
		t.Errorf("%v, want %v", over, want)
	}
	if got, err := size(filepath.Join(data, "gone")); err != nil || got != 0 {
		t.Errorf("what is gone has %d bytes, %v", got, err)
	}
}
