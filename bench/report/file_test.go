package report

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestFileComesBack(t *testing.T) {
	f := alternating(t)
	name := filepath.Join(t.TempDir(), "new", "results.json")
	if err := f.Write(name); err != nil {
		t.Fatal(err)
	}
	got, err := Read(name)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, f) {
		t.Errorf("read %+v, written %+v", got, f)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(name), "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("left are %q, %v", left, err)
	}
}

func TestFileIsRefused(t *testing.T) {
	for want, spoil := range map[string]func(*File){
		"format 2":             func(f *File) { f.Format = 2 },
		`sides are named "etc`: func(f *File) { f.Sides[0].Name = "etcd" },
		`of side "redis"`:      func(f *File) { f.Samples[3].Side = "redis" },
		"sample 2 took no":     func(f *File) { f.Samples[2].Elapsed = 0 },
	} {
		f := alternating(t)
		spoil(f)
		if err := f.Write(filepath.Join(t.TempDir(), "x.json")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	name := filepath.Join(t.TempDir(), "x.json")
	for text, want := range map[string]string{"{}": "format 0", "<svg>": "no file of results"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestReplacePart(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# Title\n<!-- bench:targets -->\nold\n<!-- /bench:targets -->\nrest\n")
	for range 2 { // the second time changes nothing
		if err := ReplacePart(page, "targets", "\nnew\n\n"); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(page)
		if err != nil || string(got) != "# Title\n<!-- bench:targets -->\nnew\n<!-- /bench:targets -->\nrest\n" {
			t.Errorf("the page is %q, %v", got, err)
		}
	}
	const half = "# Title\n<!-- bench:targets -->\nold\n"
	write(half)
	if err := ReplacePart(page, "targets", "new"); err == nil {
		t.Error("a part without an end is replaced")
	}
	if got, _ := os.ReadFile(page); string(got) != half {
		t.Errorf("the page is %q", got)
	}
}

func TestHistograms(t *testing.T) {
	dir := t.TempDir()
	files, err := alternating(t).Histograms(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 6 {
		t.Fatalf("files %q", files)
	}
	text, err := os.ReadFile(filepath.Join(dir, "etcd-transfer-stm-callers64.hgrm"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"60.0", "Total count    =        12000"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}
