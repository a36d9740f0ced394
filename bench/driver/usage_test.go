package driver

import (
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cairnkv/cairn/bench/load"
)

const (
	stat  = "7 (a) R (b 1) S 1 7 7 0 -1 4194304 99 98 97 96 1234 66 5 4 20 0 1 0 6915762 3133440 413 18446744073709551615"
	statm = "765 432 404 5 0 123 0\n"
	io9   = "rchar: 6976\nwchar: 1\nsyscr: 10\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 8192\ncancelled_write_bytes: 3\n"
)

// proc makes a /proc with this process and process 7 in it.
func proc(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for _, pid := range []int{7, os.Getpid()} {
		dir := filepath.Join(root, strconv.Itoa(pid))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

func TestUsages(t *testing.T) {
	root := proc(t, map[string]string{"stat": stat, "statm": statm, "io": io9})
	used := load.Usage{CPU: 13 * time.Second, Memory: 432 * int64(os.Getpagesize()), Written: 8192}
	member, self := used, used
	member.Role, member.Name = "member", "m1"
	self.Role, self.Name = "load", "load"
	got, err := usages(root, map[int]load.Usage{7: {Role: "member", Name: "m1"}})
	if want := map[int]load.Usage{7: member, os.Getpid(): self}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v (%v)", got, want, err)
	}
	self.Role, self.Name = "embedded", "cairn"
	got, err = usages(root, map[int]load.Usage{os.Getpid(): {Role: "embedded", Name: "cairn"}})
	if want := map[int]load.Usage{os.Getpid(): self}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("a system in this process: %+v, want %+v (%v)", got, want, err)
	}
	_, err = usages(root, map[int]load.Usage{8: {Role: "member", Name: "m2"}})
	if err == nil || !strings.Contains(err.Error(), "m2 (member, process 8)") {
		t.Errorf("process 8 does not exist: %v", err)
	}
}

func TestUsagesRefuse(t *testing.T) {
	for _, tc := range []struct{ name, file, text string }{
		{"ended", "stat", strings.Replace(stat, ") S", ") Z", 1)},
		{"short", "stat", "7 (a) S 1"},
		{"no number", "stat", strings.Replace(stat, "1234", "x", 1)},
		{"short", "statm", "1"},
		{"no number", "statm", "1 x"},
		{"nothing written", "io", "wchar: 1\n"},
		{"no number", "io", "write_bytes: x\n"},
	} {
		files := map[string]string{"stat": stat, "statm": statm, "io": io9}
		files[tc.file] = tc.text
		if got, err := usages(proc(t, files), nil); err == nil {
			t.Errorf("%s, %s: %+v", tc.file, tc.name, got)
		}
	}
}

func TestBetween(t *testing.T) {
	at := func(cpu time.Duration, memory, written int64) load.Usage {
		return load.Usage{Role: "member", Name: "m1", CPU: cpu, Memory: memory, Written: written}
	}
	first := load.Usage{Role: "gateway", Name: "g1"}
	got, err := between(map[int]load.Usage{1: at(3, 100, 10), 2: first}, map[int]load.Usage{1: at(8, 90, 25), 2: first})
	if want := []load.Usage{first, at(5, 90, 15)}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v (%v)", got, want, err)
	}
	one, none := map[int]load.Usage{1: at(1, 1, 1)}, map[int]load.Usage{}
	if _, err := between(one, none); err == nil {
		t.Error("a process ended, and nobody says so")
	}
	if _, err := between(none, one); err == nil {
		t.Error("a process began, and nobody says so")
	}
}
