package cairn_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	functionLinesMax    = 70
	fileLinesMax        = 500
	lineColumnsMax      = 100 // a tab is one column
	testLineColumnsMax  = 120
	parametersMax       = 5
	interfaceMethodsMax = 3
)

// exception lets one finding pass. An exception that nothing needs any more fails the test, so
// the table only gets shorter. Where is the finding's place without the line: "file.go: name".
type exception struct{ rule, where, reason string }

var exceptions = []exception{
	{"interface", "internal/env: Env", "the seam between the core and the world is one type"},
	{"interface", "mvcc: Engine", "two engines meet one contract, tested by one metamorphic test"},
	{"interface", "mvcc: Iterator", "part of Engine"},
	{"interface", "mvcc: Batch", "part of Engine"},
	{"interface", "coordinator: Shards", "all that a coordinator may ask of shards"},
}

// corePackages are state machines: they block only through env.Env (docs/architecture.md).
// In mvcc the files pebble*.go are an engine, not the core.
var corePackages = []string{"txn", "locks", "mvcc", "shard", "shard/meta", "coordinator"}

// bannedPackageNames say nothing about what is inside.
var bannedPackageNames = []string{
	"util", "utils", "common", "base", "helper", "helpers", "types", "manager",
}

// bannedInCore are things that wait, tell the time or start something behind the simulator's back.
var bannedInCore = map[string][]string{
	"sync": {"Cond", "NewCond", "WaitGroup"},
	"time": {
		"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "NewTimer", "NewTicker", "Tick",
	},
	"context": {
		"WithTimeout", "WithTimeoutCause", "WithDeadline", "WithDeadlineCause", "AfterFunc",
	},
	"golang.org/x/sync/errgroup":     nil, // nil bans all of it
	"golang.org/x/sync/singleflight": nil,
}

// pureConstructors make values that nothing changes afterwards.
var pureConstructors = []string{
	"errors.New", "errors.Join", "fmt.Errorf", "regexp.MustCompile", "strings.NewReplacer",
	"crc32.MakeTable", "crc64.MakeTable", "big.NewInt", "netip.MustParsePrefix", "netip.MustParseAddr",
	"base64.RawURLEncoding.Strict", "base64.StdEncoding.Strict", "reflect.TypeFor",
}

var (
	unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)
	orderNote  = regexp.MustCompile(`// order: \S+`)
)

// finding is something to repair. Line is 0 where the whole file or package is meant.
type finding struct {
	rule, where, message string
	line                 int
}

// tidyFile is a parsed file with its text.
type tidyFile struct {
	path  string // slash-separated, from the root
	test  bool
	lines []string
	ast   *ast.File
}

func (f *tidyFile) dir() string { return path.Dir(f.path) }

func (f *tidyFile) core() bool {
	engine := f.dir() == "mvcc" && strings.HasPrefix(path.Base(f.path), "pebble")
	return !f.test && !engine && slices.Contains(corePackages, f.dir())
}

// tidy collects findings over all files.
type tidy struct {
	fset  *token.FileSet
	files []*tidyFile
	found []finding
}

func (c *tidy) add(rule, where string, pos token.Pos, format string, args ...any) {
	at := finding{rule: rule, where: where, message: fmt.Sprintf(format, args...)}
	if pos.IsValid() {
		at.line = c.fset.Position(pos).Line
	}
	c.found = append(c.found, at)
}

func (c *tidy) line(n ast.Node) int { return c.fset.Position(n.Pos()).Line }

func TestTidy(t *testing.T) {
	c := &tidy{fset: token.NewFileSet()}
	if err := c.load(os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	if len(c.files) == 0 {
		t.Fatal("no Go file found")
	}
	c.check()
	used := make(map[exception]bool)
	for _, f := range c.found {
		i := slices.IndexFunc(exceptions, func(e exception) bool {
			return e.rule == f.rule && e.where == f.where
		})
		if i >= 0 {
			used[exceptions[i]] = true
			continue
		}
		t.Errorf("%s:%d: %s (%s)", f.where, f.line, f.message, f.rule)
	}
	for _, e := range exceptions {
		if !used[e] && c.exists(e) {
			t.Errorf("exception {%s, %s} is not needed any more: delete it", e.rule, e.where)
		}
	}
}

// exists reports whether what the exception is about is there at all.
func (c *tidy) exists(e exception) bool {
	place, name, _ := strings.Cut(e.where, ": ")
	return slices.ContainsFunc(c.files, func(f *tidyFile) bool {
		in := !f.test && (f.path == place || f.dir() == place)
		return in && (name == "" || f.ast.Scope.Lookup(name) != nil)
	})
}

// load parses every file of the module that people write.
func (c *tidy) load(root fs.FS) error {
	return fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			base := d.Name()
			skip := base == "testdata" || base == "node_modules" || base == "cairn-data" ||
				name == "tools" || name == "proto/gen" ||
				name != "." && (base[0] == '.' || base[0] == '_')
			if skip {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		return c.parse(name, string(text))
	})
}

func (c *tidy) parse(name, text string) error {
	// Objects are resolved within a file, which tells a package's variable from a local one.
	file, err := parser.ParseFile(c.fset, name, text, parser.ParseComments)
	if err != nil {
		return err
	}
	c.files = append(c.files, &tidyFile{
		path:  filepath.ToSlash(name),
		test:  strings.HasSuffix(name, "_test.go"),
		lines: strings.Split(strings.TrimSuffix(text, "\n"), "\n"),
		ast:   file,
	})
	return nil
}

func (c *tidy) check() {
	byDir := make(map[string][]*tidyFile)
	for _, f := range c.files {
		c.checkLines(f)
		if f.test {
			c.checkSleep(f)
			continue
		}
		byDir[f.dir()] = append(byDir[f.dir()], f)
		c.checkSizes(f)
		c.checkDecls(f)
		if f.core() {
			c.checkCore(f)
		}
	}
	for dir, files := range byDir {
		c.checkPackage(dir, files)
		c.checkWrites(files)
	}
	c.checkMapRanges(byDir)
	slices.SortFunc(c.found, func(a, b finding) int {
		if n := strings.Compare(a.where, b.where); n != 0 {
			return n
		}
		return a.line - b.line
	})
}

func (c *tidy) checkLines(f *tidyFile) {
	limit := lineColumnsMax
	if f.test {
		limit = testLineColumnsMax
	}
	for i, text := range f.lines {
		if n := utf8.RuneCountInString(text); n > limit {
			c.found = append(c.found, finding{
				"line", f.path, fmt.Sprintf("line of %d columns, at most %d", n, limit), i + 1,
			})
		}
	}
	if n := len(f.lines); n > fileLinesMax && !f.test {
		c.add("file", f.path, token.NoPos, "file of %d lines, at most %d", n, fileLinesMax)
	}
	if f.test {
		return
	}
	for _, group := range f.ast.Comments {
		for _, comment := range group.List {
			if word := unfinished.FindString(comment.Text); word != "" {
				c.add("unfinished", f.path, comment.Pos(), "%s: do it, or open an issue", word)
			}
		}
	}
}

func (c *tidy) checkSizes(f *tidyFile) {
	where := func(name string) string { return f.dir() + ": " + name }
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			from, to := c.line(n), c.fset.Position(n.End()).Line
			if lines := to - from + 1; lines > functionLinesMax {
				c.add("function", where(funcName(n)), n.Pos(), "function of %d lines, at most %d",
					lines, functionLinesMax)
			}
			c.checkParameters(where(funcName(n)), n.Type)
		case *ast.FuncLit:
			c.checkParameters(f.path, n.Type)
		case *ast.TypeSpec:
			if i, ok := n.Type.(*ast.InterfaceType); ok {
				if k := methodCount(i); k > interfaceMethodsMax {
					c.add("interface", where(n.Name.Name), n.Pos(), "interface of %d methods, at most %d",
						k, interfaceMethodsMax)
				}
			}
		}
		return true
	})
}

func (c *tidy) checkParameters(where string, typ *ast.FuncType) {
	if n := typ.Params.NumFields(); n > parametersMax {
		c.add("parameters", where, typ.Pos(), "%d parameters, at most %d", n, parametersMax)
	}
}

// funcName is "F", or "T.F" for a method.
func funcName(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return d.Name.Name
	}
	typ := d.Recv.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.IndexListExpr:
			typ = t.X
		case *ast.Ident:
			return t.Name + "." + d.Name.Name
		default:
			return d.Name.Name
		}
	}
}

func methodCount(i *ast.InterfaceType) int {
	n := 0
	for _, field := range i.Methods.List {
		n += len(field.Names) // embedded interfaces and unions have none
	}
	return n
}

func (c *tidy) checkDecls(f *tidyFile) {
	for _, decl := range f.ast.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name == "init" {
				c.add("init", f.path, d.Pos(), "func init: call it where it is wired")
			}
		case *ast.GenDecl:
			if d.Tok != token.VAR {
				continue
			}
			for _, spec := range d.Specs {
				c.checkVar(f, d, spec.(*ast.ValueSpec))
			}
		}
	}
}

func (c *tidy) checkVar(f *tidyFile, d *ast.GenDecl, spec *ast.ValueSpec) {
	for i, name := range spec.Names {
		embedded := d.Doc != nil && strings.Contains(docText(d.Doc), "//go:embed") ||
			spec.Doc != nil && strings.Contains(docText(spec.Doc), "//go:embed")
		if name.Name == "_" || embedded {
			continue
		}
		if i < len(spec.Values) && constantValue(spec.Values[i]) {
			continue
		}
		c.add("global", f.dir()+": "+name.Name, name.Pos(),
			"package-level var %s is neither an error nor a table: pass it in", name.Name)
	}
}

// docText keeps directives, which CommentGroup.Text drops.
func docText(g *ast.CommentGroup) string {
	var b strings.Builder
	for _, comment := range g.List {
		b.WriteString(comment.Text + "\n")
	}
	return b.String()
}

// constantValue reports whether an expression makes a table or calls a pure constructor.
func constantValue(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.CompositeLit:
		return !strings.HasPrefix(types.ExprString(typeOf(e)), "sync.") &&
			!strings.HasPrefix(types.ExprString(typeOf(e)), "atomic.")
	case *ast.UnaryExpr:
		return e.Op == token.AND && constantValue(e.X)
	case *ast.ParenExpr:
		return constantValue(e.X)
	case *ast.CallExpr:
		if a, ok := e.Fun.(*ast.ArrayType); ok { // []byte("magic")
			return a.Len == nil && len(e.Args) == 1
		}
		name, _, _ := strings.Cut(types.ExprString(e.Fun), "[")
		return slices.Contains(pureConstructors, name)
	}
	return false
}

func typeOf(e *ast.CompositeLit) ast.Expr {
	if e.Type == nil {
		return ast.NewIdent("implied")
	}
	return e.Type
}

// checkWrites finds writes to the package-level variables of one package.
func (c *tidy) checkWrites(files []*tidyFile) {
	vars := make(map[string]*ast.ValueSpec)
	for _, f := range files {
		for _, decl := range f.ast.Decls {
			d, ok := decl.(*ast.GenDecl)
			if !ok || d.Tok != token.VAR {
				continue
			}
			for _, spec := range d.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if name.Name != "_" { // a compile-time assert
						vars[name.Name] = spec.(*ast.ValueSpec)
					}
				}
			}
		}
	}
	for _, f := range files {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			for _, target := range writtenTo(n) {
				id := rootIdent(target)
				if id == nil || vars[id.Name] == nil {
					continue
				}
				if id.Obj == nil || id.Obj.Decl == vars[id.Name] { // else a local of that name
					c.add("global", f.dir()+": "+id.Name, n.Pos(), "write to package-level var %s", id.Name)
				}
			}
			return true
		})
	}
}

func writtenTo(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			return []ast.Expr{n.Key, n.Value}
		}
	case *ast.CallExpr:
		id, ok := n.Fun.(*ast.Ident)
		if ok && len(n.Args) > 0 && slices.Contains([]string{"delete", "clear", "copy"}, id.Name) {
			return n.Args[:1]
		}
	}
	return nil
}

func rootIdent(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

func (c *tidy) checkPackage(dir string, files []*tidyFile) {
	name := files[0].ast.Name.Name
	if slices.Contains(bannedPackageNames, name) {
		c.add("package", dir, token.NoPos, "package %s: name the idea instead", name)
	}
	documented := slices.ContainsFunc(files, func(f *tidyFile) bool {
		if f.ast.Doc == nil {
			return false
		}
		return name == "main" || strings.HasPrefix(f.ast.Doc.Text(), "Package "+name+" ")
	})
	if !documented {
		c.add("doc", dir, token.NoPos, "package %s has no comment that begins with \"Package %s \"", name, name)
	}
}

// selectors calls visit for each mention of an imported package's name.
func selectors(f *tidyFile, visit func(n *ast.SelectorExpr, importPath, name string)) {
	names := make(map[string]string)
	for _, spec := range f.ast.Imports {
		importPath := strings.Trim(spec.Path.Value, `"`)
		name := path.Base(importPath)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = importPath
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); ok && id.Obj == nil && names[id.Name] != "" {
			visit(sel, names[id.Name], sel.Sel.Name)
		}
		return true
	})
}

func (c *tidy) checkSleep(f *tidyFile) {
	selectors(f, func(n *ast.SelectorExpr, importPath, name string) {
		if importPath == "time" && name == "Sleep" {
			c.add("sleep", f.path, n.Pos(), "time.Sleep in a test: wait for the event itself")
		}
	})
}

func (c *tidy) checkCore(f *tidyFile) {
	ban := func(n ast.Node, what string) {
		c.add("core", f.path, n.Pos(), "%s in the core: it blocks only through env.Env", what)
	}
	for _, spec := range f.ast.Imports {
		importPath := strings.Trim(spec.Path.Value, `"`)
		if banned, ok := bannedInCore[importPath]; ok && banned == nil {
			ban(spec, importPath)
		}
		if spec.Name != nil && spec.Name.Name == "." {
			ban(spec, "dot import")
		}
	}
	selectors(f, func(n *ast.SelectorExpr, importPath, name string) {
		if slices.Contains(bannedInCore[importPath], name) {
			ban(n, importPath+"."+name)
		}
	})
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			ban(n, "go statement")
		case *ast.SelectStmt:
			ban(n, "select")
		case *ast.ChanType:
			ban(n, "channel")
		case *ast.SendStmt:
			ban(n, "send")
		case *ast.UnaryExpr:
			if n.Op == token.ARROW {
				ban(n, "receive")
			}
		}
		return true
	})
}

// checkMapRanges needs types. It checks only the core, whose own packages are read from source;
// of other modules nothing is known, and what comes from there is not seen to be a map.
func (c *tidy) checkMapRanges(byDir map[string][]*tidyFile) {
	imp := &sourceImporter{
		fset: c.fset, byDir: byDir, done: make(map[string]*types.Package), std: importer.Default(),
		info: &types.Info{Types: make(map[ast.Expr]types.TypeAndValue)},
	}
	for _, dir := range corePackages {
		if len(byDir[dir]) > 0 {
			_, _ = imp.Import(module + "/" + dir) // incomplete packages are for the compiler to report
		}
	}
	for _, f := range c.files {
		if !f.core() {
			continue
		}
		sorted := make(map[ast.Expr]bool)
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.RangeStmt:
				typ := imp.info.Types[n.X].Type
				if typ == nil {
					return true
				}
				if _, ok := typ.Underlying().(*types.Map); ok {
					c.checkOrderNote(f, n)
				}
			case *ast.CallExpr:
				name := types.ExprString(n.Fun)
				if strings.HasPrefix(name, "slices.Sorted") && len(n.Args) > 0 {
					sorted[n.Args[0]] = true
				}
				unordered := name == "maps.Keys" || name == "maps.Values" || name == "maps.All"
				if unordered && !sorted[n] {
					c.checkOrderNote(f, n)
				}
			}
			return true
		})
	}
}

func (c *tidy) checkOrderNote(f *tidyFile, n ast.Node) {
	if !orderNote.MatchString(f.lines[c.line(n)-1]) {
		c.add("order", f.path, n.Pos(),
			"range over a map: sort, or say on this line why nobody sees the order: // order: …")
	}
}

// sourceImporter checks packages of this module from the parsed files, and asks the go command
// for those of the standard library. Other modules are empty packages.
type sourceImporter struct {
	fset  *token.FileSet
	byDir map[string][]*tidyFile
	done  map[string]*types.Package
	std   types.Importer
	info  *types.Info
}

func (s *sourceImporter) Import(importPath string) (*types.Package, error) {
	if pkg := s.done[importPath]; pkg != nil {
		return pkg, nil
	}
	pkg := types.NewPackage(importPath, path.Base(importPath))
	s.done[importPath] = pkg
	files := s.byDir[local(importPath)]
	first, _, _ := strings.Cut(importPath, "/")
	switch {
	case isOurs(importPath) && len(files) > 0:
		conf := types.Config{
			Importer: s, FakeImportC: true, IgnoreFuncBodies: !slices.Contains(corePackages, local(importPath)),
			Error: func(error) {}, // go on: incomplete types are enough
		}
		var parsed []*ast.File
		for _, f := range files {
			parsed = append(parsed, f.ast)
		}
		pkg, _ = conf.Check(importPath, s.fset, parsed, s.info)
	case !strings.Contains(first, "."):
		if known, err := s.std.Import(importPath); err == nil {
			pkg = known
		}
	}
	pkg.MarkComplete()
	s.done[importPath] = pkg
	return pkg, nil
}

// The checks must be able to fail: each rule finds what it is for, and nothing else.
func TestTidyFinds(t *testing.T) {
	const doc = "// Package locks is a test.\npackage locks\n"
	for _, tc := range []struct{ rule, file, text string }{
		{"", "locks/a.go", doc + "var _ = 1\nvar ErrX = errors.New(\"x\")\nvar tab = []int{1}\n"},
		{"core", "locks/a.go", doc + "func f() { go f() }\n"},
		{"core", "locks/a.go", doc + "func f(c chan int) {}\n"},
		{"core", "locks/a.go", doc + "import \"time\"\nvar _ = time.Now()\n"},
		{"core", "locks/a.go", doc + "import t \"time\"\nvar _ = t.Now()\n"},
		{"core", "locks/a.go", doc + "import \"golang.org/x/sync/errgroup\"\n"},
		{"", "shard/member/a.go", "// Package member runs.\npackage member\nfunc f() { go f() }\n"},
		{"", "mvcc/pebble_engine.go", "// Package mvcc is.\npackage mvcc\nfunc f() { go f() }\n"},
		{"order", "locks/a.go", doc + "func f(m map[int]int) {\n\tfor range m {\n\t}\n}\n"},
		{"order", "locks/a.go", doc + "type t struct{ m map[int]x.Y }\nfunc (v t) f() {\n\tfor range v.m {\n\t}\n}\n"},
		{"", "locks/a.go", doc + "func f(m map[int]int) {\n\tfor range m { // order: counts only\n\t}\n}\n"},
		{"", "locks/a.go", doc + "import (\"maps\"\n\"slices\")\nvar _ = slices.Sorted(maps.Keys(map[int]int{}))\n"},
		{"order", "locks/a.go", doc + "import \"maps\"\nvar _ = maps.Keys(map[int]int{})\n"},
		{"global", "locks/a.go", doc + "var count int\n"},
		{"global", "locks/a.go", doc + "import \"sync\"\nvar mu = sync.Mutex{}\n"},
		{"global", "locks/a.go", doc + "var tab = []int{1}\nfunc f() { tab[0]++ }\n"},
		{"", "locks/a.go", doc + "var tab = []int{1}\nfunc f(tab []int) { tab[0]++ }\n"},
		{"init", "locks/a.go", doc + "func init() {}\n"},
		{"parameters", "locks/a.go", doc + "func f(a, b, c, d, e, f int) {}\n"},
		{"interface", "locks/a.go", doc + "type I interface { A(); B(); C(); D() }\n"},
		{"function", "locks/a.go", doc + "func f() {" + strings.Repeat("\n", 70) + "}\n"},
		{"file", "locks/a.go", doc + strings.Repeat("\n", 500)},
		{"line", "locks/a.go", doc + "// " + strings.Repeat("x", 98) + "\n"},
		{"unfinished", "locks/a.go", doc + "// TO" + "DO: later\n"},
		{"doc", "locks/a.go", "package locks\n"},
		{"package", "locks/a.go", "// Package util is.\npackage util\n"},
		{"sleep", "locks/a_test.go", "package locks\nimport \"time\"\nfunc f() { time.Sleep(1) }\n"},
	} {
		c := &tidy{fset: token.NewFileSet()}
		if err := c.parse(tc.file, tc.text); err != nil {
			t.Fatal(err)
		}
		c.check()
		var rules []string
		for _, f := range c.found {
			rules = append(rules, f.rule)
		}
		if got := strings.Join(slices.Compact(rules), " "); got != tc.rule {
			t.Errorf("found %q, want %q in\n%s", got, tc.rule, tc.text)
		}
	}
}
