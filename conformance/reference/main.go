// Command reference makes docs/reference of the .proto files and of the cases
// of package conformance: go run ./conformance/reference, in the root.
package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cairnkv/cairn/conformance"
)

const (
	protoDir = "proto/cairn/v1"
	outDir   = "docs/reference"
)

func main() {
	if err := write(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write makes all pages of the checkout in args, or in the working directory.
func write(args []string) error {
	root := "."
	if len(args) > 0 {
		root = args[0]
	}
	pages, err := generate(root)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(root, outDir), 0o755); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		if err := os.WriteFile(filepath.Join(root, outDir, name), pages[name], 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate is all pages by the names of their files.
func generate(root string) (map[string][]byte, error) {
	names, err := filepath.Glob(filepath.Join(root, protoDir, "*.proto"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("there are no .proto files in %s", filepath.Join(root, protoDir))
	}
	b := &book{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		page := strings.TrimSuffix(filepath.Base(name), ".proto")
		b.files = append(b.files, parseProto(page, string(text)))
	}
	if b.cases, err = conformance.Cases(); err != nil {
		return nil, err
	}
	for _, c := range b.cases {
		place := conformance.NewPlace("")
		place.Example = true
		for _, s := range c.Steps {
			if err := place.Put(s); err != nil {
				return nil, fmt.Errorf("%s: %w", c.Name, err)
			}
		}
	}
	pages := map[string][]byte{"README.md": b.index()}
	for _, f := range b.files {
		pages[f.name+".md"] = b.page(f)
	}
	return pages, nil
}

// book is what the pages are made of.
type book struct {
	files []*protoFile
	cases []*conformance.Case
	out   bytes.Buffer
}

func (b *book) printf(format string, args ...any) { fmt.Fprintf(&b.out, format, args...) }

// taken is what has been printed.
func (b *book) taken() []byte {
	text := bytes.Clone(b.out.Bytes())
	b.out.Reset()
	return append(bytes.TrimRight(text, "\n"), '\n')
}

const generated = "<!-- Made by `make reference` of the .proto files and the cases. -->\n\n"

func (b *book) page(f *protoFile) []byte {
	b.printf("%s", generated)
	if len(f.services) == 0 {
		b.printf("# %s\n", f.name)
	}
	shown := make(map[string]bool)
	for _, s := range f.services {
		b.printf("# %s\n\n%s\n", s.name, s.about)
		for _, call := range s.calls {
			b.call(s, call)
			shown[call.request], shown[call.response] = true, true
		}
	}
	heading := "\n## Messages\n"
	for _, m := range f.messages {
		if !shown[m.name] {
			b.printf("%s\n### %s\n\n%s\n\n", heading, m.name, m.about)
			b.fields(m)
			heading = ""
		}
	}
	return b.taken()
}

func (b *book) call(s *protoService, call *protoCall) {
	b.printf("\n## %s\n\n%s\n\n", call.name, call.about)
	for _, name := range []string{call.request, call.response} {
		stream := ""
		if call.stream && name == call.response {
			stream = ", a stream of them"
		}
		for _, f := range b.files { // it may be part of other messages, too
			for _, m := range f.messages {
				if m.name == name {
					b.printf("**%s**%s\n\n", m.name, stream)
					b.fields(m)
				}
			}
		}
	}
	b.examples(s.name + "/" + call.name)
}

func (b *book) fields(m *protoMessage) {
	if len(m.fields) == 0 {
		b.printf("No fields.\n\n")
		return
	}
	if m.enum {
		b.printf("| value | meaning |\n|---|---|\n")
	} else {
		b.printf("| field | type | meaning |\n|---|---|---|\n")
	}
	for _, f := range m.fields {
		about := strings.ReplaceAll(strings.ReplaceAll(f.about, "\n", " "), "|", `\|`)
		if f.oneof != "" {
			about = "(one of `" + f.oneof + "`) " + about
		}
		if m.enum {
			b.printf("| `%s` | %s |\n", f.name, about)
		} else {
			b.printf("| `%s` | %s | %s |\n", f.name, f.kind, about)
		}
	}
	b.printf("\n")
}
