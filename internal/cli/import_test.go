package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/client/clienttest"
	"github.com/cairnkv/cairn/internal/cli"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

// cairn runs a command line against a server.
func cairn(ctx context.Context, s *clienttest.Server, args ...string) (code int, stdout, stderr string) {
	var out, errs strings.Builder
	m := &cli.Main{
		Stdout: &out, Stderr: &errs,
		Getenv: func(name string) string { return map[string]string{"CAIRN_ENDPOINT": s.URL}[name] },
	}
	code = m.RunContext(ctx, args)
	return code, out.String(), errs.String()
}

func serve(t *testing.T, o clienttest.Options) *clienttest.Server {
	t.Helper()
	s, err := clienttest.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// tree makes a directory of files.
func tree(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func noise(n int) []byte {
	data := make([]byte, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

// Everything comes back: empty files, odd names, a file of 3 MB, many batches.
func TestImportExport(t *testing.T) {
	files := map[string][]byte{
		"empty": nil, "dir/empty": nil, "big": noise(3_000_000), "limit": noise(4_000_000),
		"with space": []byte("x"), "-5": []byte("minus"), `"quoted"`: []byte("q"), "new\nline": []byte("n"),
		"bytes\xff\xfe": []byte("no UTF-8"), ".hidden/.file": []byte("h"), "ü/é": []byte("accents"),
	}
	for i := range 600 {
		files[fmt.Sprintf("many/%d/%d", i%7, i)] = noise(i * 37)
	}
	var inBatch, most atomic.Int64
	hook := func(_ context.Context, _ cairnv1.Method, req proto.Message) error {
		if r, ok := req.(*cairnv1.ExecuteRequest); ok {
			size := 0
			for _, op := range r.Then {
				size += len(op.GetSet().GetValue().GetBytesValue())
			}
			if len(r.Then) > 257 || size > 1<<20 && len(r.Then) > 2 {
				t.Errorf("a batch of %d keys and %d bytes", len(r.Then), size)
			}
			most.Store(max(most.Load(), int64(len(r.Then))))
			inBatch.Add(1)
		}
		return nil
	}
	s := serve(t, clienttest.Options{Hook: hook})
	dir, journal := tree(t, files), filepath.Join(t.TempDir(), "journal")
	code, out, errs := cairn(t.Context(), s, "import", dir, "--prefix", "p/", "--journal", journal)
	if code != 0 || !strings.HasPrefix(out, fmt.Sprintf("imported %d files, ", len(files))) {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	if inBatch.Load() < 5 || most.Load() < 3 {
		t.Errorf("%d batches, the largest of %d", inBatch.Load(), most.Load())
	}
	checkLists(t, s, len(files))
	lines, err := os.ReadFile(journal)
	if err != nil || bytes.Count(lines, []byte("\n")) != len(files) {
		t.Errorf("%d lines in the journal, %v", bytes.Count(lines, []byte("\n")), err)
	}
	back := filepath.Join(t.TempDir(), "new", "out")
	if code, _, errs := cairn(t.Context(), s, "export", back, "--prefix", "p/"); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	compare(t, back, files)
}

// checkLists reads the lists: every file is in exactly one.
func checkLists(t *testing.T, s *clienttest.Server, want int) {
	t.Helper()
	db, err := client.Dial(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	seen := make(map[string]bool)
	for e, err := range db.Scan(t.Context(), client.Prefix("import/p/")) {
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		if err := json.Unmarshal(e.Value.Data, &keys); err != nil || e.Value.Type != client.TypeJSON {
			t.Fatalf("list %s: %v", e.Key, err)
		}
		for _, key := range keys {
			if seen[key] {
				t.Errorf("%q is in two lists", key)
			}
			seen[key] = true
		}
	}
	if len(seen) != want {
		t.Errorf("the lists name %d files, want %d", len(seen), want)
	}
}

func compare(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(name))
			data, err := os.ReadFile(path)
			if want, ok := files[names[len(names)-1]]; err != nil || !ok || !bytes.Equal(data, want) {
				t.Errorf("%q differs: %v", name, err)
			}
		}
		return err
	})
	if err != nil || len(names) != len(files) {
		t.Errorf("%d files came back, want %d: %v", len(names), len(files), err)
	}
}

// A file that is too large stops the import before anything is written.
func TestImportTooLarge(t *testing.T) {
	s := serve(t, clienttest.Options{Hook: func(context.Context, cairnv1.Method, proto.Message) error {
		t.Error("something was sent")
		return nil
	}})
	dir := tree(t, map[string][]byte{"a": nil, "z/large": make([]byte, 4_000_001)})
	code, out, errs := cairn(t.Context(), s, "import", dir, "--prefix", "p/")
	const want = "cairn: failure: z/large has 4000001 bytes, the limit of a value is 4000000; nothing was imported\n"
	if code != 1 || out != "" || errs != want {
		t.Errorf("exit code %d: %q %q", code, out, errs)
	}
	long := tree(t, map[string][]byte{"f": nil})
	code, _, errs = cairn(t.Context(), s, "import", long, "--prefix", strings.Repeat("p", 4096))
	if code != 1 || !strings.Contains(errs, "the key of f has 4097 bytes") {
		t.Errorf("exit code %d: %q", code, errs)
	}
}

// What the journal names is there, and nothing that no list names, wherever the connection breaks.
func TestImportBreaks(t *testing.T) {
	files := make(map[string][]byte)
	for i := range 2000 {
		files[fmt.Sprintf("%04d", i)] = []byte("x")
	}
	dir := tree(t, files)
	var calls atomic.Int32
	s := serve(t, clienttest.Options{After: func(_ context.Context, m cairnv1.Method, _ proto.Message) error {
		if m == cairnv1.Method_METHOD_TXN_EXECUTE && calls.Add(1) >= 4 {
			return clienttest.Lose()
		}
		return nil
	}})
	journal := filepath.Join(t.TempDir(), "journal")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	code, out, errs := cairn(ctx, s, "import", dir, "--prefix", "p/", "--journal", journal, "--in-flight", "2")
	if code != 6 || out != "" || !strings.Contains(errs, "run the same import again") {
		t.Fatalf("exit code %d: %q %q", code, out, errs)
	}
	_, listing, _ := cairn(t.Context(), s, "scan", "by", "prefix", "p/", "--keys-only")
	there := strings.Fields(listing)
	acknowledged, err := os.ReadFile(journal)
	if err != nil || len(acknowledged) == 0 {
		t.Fatalf("journal: %q, %v", acknowledged, err)
	}
	for name := range strings.FieldsSeq(string(acknowledged)) {
		if !slices.Contains(there, "p/"+name) {
			t.Errorf("%s was acknowledged and is not there", name)
		}
	}
	calls.Store(-100)
	if code, out, errs := cairn(t.Context(), s, "import", dir, "--prefix", "p/"); code != 0 {
		t.Errorf("again: exit code %d: %q %q", code, out, errs)
	}
	calls.Store(3) // an answer lost in between is asked for again
	s2 := serve(t, clienttest.Options{After: func(_ context.Context, m cairnv1.Method, _ proto.Message) error {
		if m == cairnv1.Method_METHOD_TXN_EXECUTE && calls.Add(1) == 4 {
			return clienttest.Lose()
		}
		return nil
	}})
	if code, out, errs := cairn(t.Context(), s2, "import", dir, "--prefix", "p/"); code != 0 {
		t.Errorf("one lost answer: exit code %d: %q %q", code, out, errs)
	}
}

// An interrupted command says so with its exit code.
func TestInterrupt(t *testing.T) {
	waiting := make(chan struct{})
	s := serve(t, clienttest.Options{Hook: func(ctx context.Context, _ cairnv1.Method, _ proto.Message) error {
		close(waiting)
		<-ctx.Done()
		return ctx.Err()
	}})
	ctx, interrupt := context.WithCancelCause(t.Context())
	go func() {
		<-waiting
		interrupt(cli.ErrInterrupted)
	}()
	code, out, errs := cairn(ctx, s, "get", "k")
	if code != 130 || out != "" || !strings.HasPrefix(errs, "cairn: interrupted: ") {
		t.Errorf("exit code %d: %q %q", code, out, errs)
	}
}
