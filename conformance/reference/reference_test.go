package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cairnkv/cairn/conformance"
)

// TestCurrent fails when docs/reference is not what `make reference` makes.
func TestCurrent(t *testing.T) {
	root := filepath.Join("..", "..")
	pages, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range pages {
		got, err := os.ReadFile(filepath.Join(root, outDir, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s/%s is not current (%v): run make reference", outDir, name, err)
		}
	}
	there, err := os.ReadDir(filepath.Join(root, outDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range there {
		if _, ok := pages[file.Name()]; !ok {
			t.Errorf("%s/%s is made by nothing: remove it", outDir, file.Name())
		}
	}
}

// TestParseProto: comments, oneofs, options and streams of the style that the files have.
func TestParseProto(t *testing.T) {
	f := parseProto("x", strings.Join([]string{
		"// S does.", "service S {", "  // A asks.", "  rpc A(Q) returns (stream R) {",
		"    option o = 1;",
		"  }", "  // B.", "  rpc B(Q) returns (R);", "}", "// Q is", "// long.", "message Q {",
		"  // Key.", "  bytes key = 1;",
		"  // By.", "  oneof by {", "    // Add.", "    optional int64 add = 2;", "  }",
		"  // Last.", "  repeated X last = 3;",
		"}", "message R {}", "// E.", "enum E {", "  // Zero.", "  E_ZERO = 0;", "}",
	}, "\n"))
	if len(f.services) != 1 || len(f.services[0].calls) != 2 || !f.services[0].calls[0].stream ||
		f.services[0].calls[1].about != "B." {
		t.Errorf("services: %+v", f.services)
	}
	if len(f.messages) != 3 || f.messages[0].about != "Q is\nlong." {
		t.Fatalf("messages: %+v", f.messages)
	}
	q := f.messages[0].fields
	if len(q) != 3 || q[1] != (protoField{"add", "optional int64", "Add.", "by"}) || q[2].oneof != "" {
		t.Errorf("fields: %+v", q)
	}
	if e := f.messages[2]; !e.enum || len(e.fields) != 1 || e.fields[0].about != "Zero." {
		t.Errorf("enum: %+v", e)
	}
}

// TestAbout: each case is on the page of a call.
func TestAbout(t *testing.T) {
	all, err := conformance.Cases()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		found := false
		for method := range aboutCall {
			found = found || isAbout(c, method)
		}
		if !found {
			t.Errorf("%s is about no call", c.Name)
		}
	}
}
