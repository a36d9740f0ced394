package cairn_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/cairnkv/cairn"

// importRule says what a package may import of this module, and what must not even be reached
// through others. A pattern that ends in "/..." also matches everything below; "..." matches all.
type importRule struct {
	pkg     string
	imports []string // direct imports of this module
	never   []string // not among all dependencies, either; outside this module a full path
}

var (
	// Storage and consensus are the business of shards alone.
	storage = []string{
		"github.com/cockroachdb/pebble/...", "go.etcd.io/raft/...",
		"shard/...", "mvcc/...", "locks/...",
	}
	// What runs on a user's machine has nothing of the server.
	server     = append(storage, "coordinator", "gateway", "script", "internal/run")
	publicOnly = []string{"client/...", "proto/...", "txn"}

	// The first rule that matches a package holds for it. Arrows point down only.
	importRules = []importRule{
		{pkg: ".", imports: nil},
		{pkg: "txn", imports: nil},
		{pkg: "internal/env/...", imports: []string{"internal/fault"}}, // in a debug build
		{pkg: "internal/fault", imports: nil, never: storage},
		{pkg: "internal/fault/disk", imports: []string{"internal/fault"}},
		{pkg: "internal/release", imports: nil},
		{pkg: "internal/loopback", imports: nil},
		{pkg: "internal/mutant", imports: nil},
		{pkg: "proto/transport", imports: []string{"internal/fault"}}, // in a debug build
		{pkg: "proto/...", imports: []string{"proto/...", "txn"}},
		{pkg: "locks", imports: []string{"txn", "proto/...", "internal/mutant"}, never: storageBut("locks/...")},
		{
			pkg:     "mvcc/...",
			imports: []string{"mvcc/...", "txn", "proto/...", "internal/mutant"},
			never:   []string{"shard/...", "locks/...", "go.etcd.io/raft/..."},
		},
		{
			pkg: "shard/...",
			imports: []string{
				"shard/...", "mvcc/...", "locks", "proto/...", "txn", "internal/env", "internal/mutant",
			},
			never: []string{"coordinator", "gateway/...", "client/..."},
		},
		{
			pkg:     "coordinator",
			imports: []string{"txn", "proto/...", "internal/env", "internal/mutant"},
			never:   storage,
		},
		{
			pkg:     "script",
			imports: []string{"txn", "proto/...", "internal/env", "internal/mutant"},
			never:   storage,
		},
		{
			pkg:     "gateway",
			imports: []string{"script", "coordinator", "txn", "proto/...", "internal/env"},
			never:   storage,
		},
		{pkg: "client/...", imports: publicOnly, never: server},
		{
			pkg:     "internal/cli/...",
			imports: append(slices.Clone(publicOnly), "internal/release"), never: server,
		},
		{
			pkg: "internal/run",
			imports: []string{
				"gateway", "script", "coordinator", "shard/...", "mvcc/...", "locks", "proto/...", "txn",
				"internal/env", "internal/mutant", "internal/release", "internal/fault/...",
			},
			never: []string{"jepsen/...", "bench/...", "cmd/..."},
		},
		{pkg: "internal/launch", imports: nil},
		{ // it only starts programs
			pkg: "internal/demo", imports: []string{"txn", "internal/launch", "internal/loopback"}, never: server,
		},
		{pkg: "cmd/gateway", imports: []string{"internal/run"}},
		{pkg: "cmd/shard", imports: []string{"internal/run"}},
		{pkg: "cmd/cairn", imports: append(publicOnly, "internal/run", "internal/cli", "internal/demo")},
		{
			pkg:     "bench",
			imports: append(slices.Clone(publicOnly), "bench/..."), never: server,
		},
		{pkg: "bench/report", imports: []string{"bench/load"}, never: server},
		{
			pkg: "bench/cairn",
			imports: append(slices.Clone(publicOnly),
				"bench/load", "bench/driver", "internal/launch", "internal/loopback"), never: server,
		},
		{pkg: "bench/load", imports: nil},
		{pkg: "bench/driver", imports: []string{"bench/load"}},
		{pkg: "conformance", imports: []string{"proto/...", "txn"}}, // the cases; its tests send them
		{pkg: "conformance/reference", imports: []string{"conformance", "proto/...", "txn"}},
		{
			pkg:     "jepsen",
			imports: append(slices.Clone(publicOnly), "jepsen/cell", "jepsen/check", "internal/loopback"),
			never:   server,
		},
		{pkg: "jepsen/cell", imports: append(slices.Clone(publicOnly), "jepsen/..."), never: server},
		{
			pkg: "jepsen/cluster",
			imports: append(slices.Clone(publicOnly), "internal/fault", "internal/launch",
				"internal/loopback"), never: server,
		},
		{pkg: "jepsen/workload", imports: []string{"client", "txn", "jepsen/history"}, never: server},
		{pkg: "jepsen/check/depend", imports: nil},
		{pkg: "jepsen/check/cycle", imports: []string{"jepsen/check/...", "jepsen/history"}},
		{
			pkg:     "jepsen/nemesis",
			imports: append(slices.Clone(publicOnly), "internal/fault", "jepsen/cluster"), never: server,
		},
		{pkg: "jepsen/history", imports: nil},
		{pkg: "jepsen/check/...", imports: []string{"jepsen/history", "jepsen/check/..."}, never: server},
		{pkg: "jepsen/timeline", imports: nil},
		{pkg: "jepsen/sim", imports: []string{"..."}},
	}

	// Only these wire shards and coordinators together.
	wiring = []string{"internal/run", "jepsen/sim"}
)

func storageBut(except string) []string {
	return slices.DeleteFunc(slices.Clone(storage), func(s string) bool { return s == except })
}

type listedPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

// local is the path below the module, "." for its root, and the full path outside of it.
func local(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

func isOurs(path string) bool { return path == module || strings.HasPrefix(path, module+"/") }

func matches(pattern, pkg string) bool {
	if pattern == "..." {
		return true
	}
	if parent, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == parent || strings.HasPrefix(pkg, parent+"/")
	}
	return pkg == pattern
}

func matchesAny(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, pkg) })
}

func listPackages(t *testing.T, tags string) []listedPackage {
	t.Helper()
	// -e: a package that does not build is for the compiler to complain about, not for this test.
	cmd := exec.Command("go", "list", "-e", "-deps", "-tags="+tags,
		"-json=ImportPath,Imports,Deps", "./...")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []listedPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listedPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("go list -json: %v", err)
		}
		if isOurs(p.ImportPath) {
			all = append(all, p)
		}
	}
}

func TestImports(t *testing.T) {
	for _, tags := range []string{"", "faults"} {
		pkgs := listPackages(t, tags)
		if len(pkgs) == 0 {
			t.Fatal("go list found no package of this module")
		}
		for _, p := range pkgs {
			for _, problem := range importProblems(p) {
				t.Errorf("%s (tags %q)", problem, tags)
			}
			if tags == "" && slices.ContainsFunc(p.Deps, isFault) && slices.Contains(released, local(p.ImportPath)) {
				t.Errorf("%s has faults in it without the tag", local(p.ImportPath))
			}
		}
	}
}

// released are the programs that users run: the tag alone puts faults into them.
var released = []string{"cmd/cairn", "cmd/gateway", "cmd/shard"}

func isFault(path string) bool { return matches("internal/fault/...", local(path)) }

func importProblems(p listedPackage) []string {
	name := local(p.ImportPath)
	i := slices.IndexFunc(importRules, func(r importRule) bool { return matches(r.pkg, name) })
	if i < 0 {
		return []string{name + " has no rule who may import whom: add it to the table"}
	}
	rule := importRules[i]
	var problems []string
	for _, path := range p.Imports {
		if isOurs(path) && !matchesAny(rule.imports, local(path)) {
			problems = append(problems, name+" must not import "+local(path))
		}
	}
	for _, path := range p.Deps {
		if matchesAny(rule.never, local(path)) {
			problems = append(problems, name+" must not depend on "+local(path)+", not even through others")
		}
	}
	imports := func(pattern string) bool {
		return slices.ContainsFunc(p.Imports, func(path string) bool {
			return matches(pattern, local(path))
		})
	}
	if imports("shard/...") && imports("coordinator") && !slices.Contains(wiring, name) {
		problems = append(problems, name+" must not wire shard and coordinator together")
	}
	return problems
}

// The rules must be able to fail: a table of what they refuse.
func TestImportRulesRefuse(t *testing.T) {
	for _, c := range []struct {
		pkg, imports, deps string
		refused            bool
	}{
		{"txn", "internal/env", "", true},
		{"locks", "mvcc", "", true},
		{"locks", "txn", "github.com/cockroachdb/pebble/v2", true},
		{"coordinator", "txn", "shard", true},
		{"coordinator", "txn", "go.etcd.io/raft/v3", true},
		{"coordinator", "proto/gen/cairn/v1", "txn", false},
		{"gateway", "coordinator", "shard/member", true},
		{"proto/remote", "coordinator", "", true},
		{"proto/remote", "proto/link", "txn", false},
		{"gateway", "coordinator", "txn", false},
		{"client", "gateway", "", true},
		{"shard/member", "coordinator", "", true},
		{"shard/member", "shard/meta", "go.etcd.io/raft/v3", false},
		{"mvcc", "txn", "github.com/cockroachdb/pebble/v2", false},
		{"internal/run", "coordinator", "shard/member", false},
		{"jepsen/sim", "coordinator", "shard", false},
		{"internal/fault", "", "github.com/cockroachdb/pebble/v2", true},
		{"internal/fault/disk", "internal/fault", "github.com/cockroachdb/pebble/v2", false},
		{"nobody/knows", "", "", true},
	} {
		p := listedPackage{ImportPath: module + "/" + c.pkg}
		full := func(path string) string {
			if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") {
				return path
			}
			return module + "/" + path
		}
		if c.imports != "" {
			p.Imports = []string{full(c.imports)}
			p.Deps = append(p.Deps, p.Imports...)
		}
		if c.deps != "" {
			p.Deps = append(p.Deps, full(c.deps))
		}
		if got := importProblems(p); (len(got) > 0) != c.refused {
			t.Errorf("%s -> %s %s: refused %v, want %v: %v", c.pkg, c.imports, c.deps, !c.refused, c.refused, got)
		}
	}
}
