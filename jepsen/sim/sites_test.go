package sim

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// sitePackages are the ones whose calls of Point are sites: what a coordinator
// and a participant run, and here the driver of a replica.
var sitePackages = []string{"coordinator", "shard", "shard/meta", "locks", "mvcc", "txn", "jepsen/sim"}

// findSites is the names of all failpoints that the source has, with their places.
func findSites(root fs.FS, packages []string) (map[string]string, error) {
	sites := map[string]string{}
	for _, dir := range packages {
		p := &sourcePackage{fset: token.NewFileSet(), sites: sites}
		if err := p.load(root, dir); err != nil {
			return nil, err
		}
		for _, f := range p.files {
			if err := p.findIn(f); err != nil {
				return nil, err
			}
		}
	}
	return sites, nil
}

// sourcePackage is the files of one package, with objects resolved in each.
type sourcePackage struct {
	fset  *token.FileSet
	files []*ast.File
	sites map[string]string
}

func (p *sourcePackage) load(root fs.FS, dir string) error {
	entries, err := fs.ReadDir(root, dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(p.fset, name, text, 0)
		if err != nil {
			return err
		}
		p.files = append(p.files, f)
	}
	return nil
}

// findIn adds the sites of one file: the calls of a method Point that are not
// there for a planted bug alone.
func (p *sourcePackage) findIn(f *ast.File) error {
	var err error
	var inside []ast.Node
	ast.Inspect(f, func(n ast.Node) bool {
		if n == nil {
			inside = inside[:len(inside)-1]
			return true
		}
		inside = append(inside, n)
		call, ok := n.(*ast.CallExpr)
		if !ok || err != nil || calledName(call) != "Point" || len(call.Args) != 1 || planted(inside) {
			return true
		}
		names, e := p.values(call.Args[0], nil)
		if e != nil {
			err = fmt.Errorf("%v: the name of this point is not known from the source: %w",
				p.fset.Position(call.Pos()), e)
		}
		for _, name := range names {
			p.sites[name] = p.fset.Position(call.Pos()).String()
		}
		return true
	})
	return err
}

// calledName is the last part of what is called.
func calledName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.Ident:
		return f.Name
	default:
		return ""
	}
}

// planted reports whether the innermost node is in the body of an if that asks
// for a mutant.
func planted(inside []ast.Node) bool {
	for i, n := range inside[:len(inside)-1] {
		cond, ok := n.(*ast.IfStmt)
		if !ok || inside[i+1] != cond.Body {
			continue
		}
		if asksForMutant(cond.Cond) {
			return true
		}
	}
	return false
}

// asksForMutant reports whether e holds only with a mutant.
func asksForMutant(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BinaryExpr:
		return e.Op == token.LAND && (asksForMutant(e.X) || asksForMutant(e.Y))
	case *ast.CallExpr:
		s, ok := e.Fun.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		of, ok := s.X.(*ast.Ident)
		return ok && of.Name == "mutant" && s.Sel.Name == "On"
	default:
		return false
	}
}

// values is what e can be: a literal, a constant, a variable of one of its
// assignments, a parameter of one of the calls, what a function returns, or two
// of those put together.
// seen are the variables on the way here.
func (p *sourcePackage) values(e ast.Expr, seen []*ast.Object) ([]string, error) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return []string{s}, err
	case *ast.ParenExpr:
		return p.values(e.X, seen)
	case *ast.BinaryExpr:
		left, err := p.values(e.X, seen)
		if err != nil || e.Op != token.ADD {
			return nil, fmt.Errorf("%s is not known: %w", e.Op, err)
		}
		right, err := p.values(e.Y, seen)
		var all []string
		for _, l := range left {
			for _, r := range right {
				all = append(all, l+r)
			}
		}
		return all, err
	case *ast.Ident:
		return p.valuesOf(e, seen)
	case *ast.CallExpr:
		return p.valuesFrom(p.returned(e), e, seen)
	default:
		return nil, fmt.Errorf("%v: %T", p.fset.Position(e.Pos()), e)
	}
}

func (p *sourcePackage) valuesOf(id *ast.Ident, seen []*ast.Object) ([]string, error) {
	obj := id.Obj
	for _, f := range p.files {
		if obj == nil {
			obj = f.Scope.Lookup(id.Name)
		}
	}
	if obj == nil || slices.Contains(seen, obj) {
		return nil, fmt.Errorf("%v: %s", p.fset.Position(id.Pos()), id.Name)
	}
	seen = append(seen, obj)
	var from []ast.Expr
	if field, ok := obj.Decl.(*ast.Field); ok {
		from = p.arguments(field, obj.Name)
	} else {
		from = p.assigned(obj)
	}
	return p.valuesFrom(from, id, seen)
}

// valuesFrom is the values of all expressions that e can stand for.
func (p *sourcePackage) valuesFrom(from []ast.Expr, e ast.Expr, seen []*ast.Object) ([]string, error) {
	if len(from) == 0 {
		return nil, fmt.Errorf("%v: it gets no value that the source tells", p.fset.Position(e.Pos()))
	}
	var all []string
	for _, e := range from {
		some, err := p.values(e, seen)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// assigned is what a variable or constant is set to.
func (p *sourcePackage) assigned(obj *ast.Object) (from []ast.Expr) {
	for _, f := range p.files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for i, left := range n.Lhs {
					if id, ok := left.(*ast.Ident); ok && id.Obj == obj && len(n.Lhs) == len(n.Rhs) {
						from = append(from, n.Rhs[i])
					}
				}
			case *ast.ValueSpec:
				for i, id := range n.Names {
					if id.Obj == obj && i < len(n.Values) {
						from = append(from, n.Values[i])
					}
				}
			}
			return true
		})
	}
	return from
}

// returned is what a function of the package, with one result, returns.
func (p *sourcePackage) returned(call *ast.CallExpr) (from []ast.Expr) {
	id, ok := call.Fun.(*ast.Ident)
	if !ok {
		return nil
	}
	for _, f := range p.files {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || fn.Name.Name != id.Name {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) == 1 {
					from = append(from, r.Results[0])
				}
				return true
			})
		}
	}
	return from
}

// arguments is what the calls of a function pass for a parameter.
func (p *sourcePackage) arguments(param *ast.Field, name string) (from []ast.Expr) {
	calls, at := p.takes(param, name)
	for _, f := range p.files {
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && at >= 0 && calls(call) {
				from = append(from, call.Args[at])
			}
			return true
		})
	}
	return from
}

// takes finds the function with a parameter: how to know its calls, and the
// place of the parameter.
func (p *sourcePackage) takes(param *ast.Field, name string) (calls func(*ast.CallExpr) bool, at int) {
	at = -1
	for _, f := range p.files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if i := placeOf(n.Type, param, name); i >= 0 {
					at = i
					calls = func(c *ast.CallExpr) bool { return calledName(c) == n.Name.Name }
				}
			case *ast.AssignStmt:
				for i, right := range n.Rhs {
					lit, ok := right.(*ast.FuncLit)
					if !ok || len(n.Lhs) != len(n.Rhs) {
						continue
					}
					id, ok := n.Lhs[i].(*ast.Ident)
					if place := placeOf(lit.Type, param, name); ok && place >= 0 {
						at = place
						calls = func(c *ast.CallExpr) bool {
							called, ok := c.Fun.(*ast.Ident)
							return ok && called.Obj == id.Obj
						}
					}
				}
			}
			return true
		})
	}
	return calls, at
}

func placeOf(t *ast.FuncType, param *ast.Field, name string) int {
	i := 0
	for _, field := range t.Params.List {
		for _, id := range field.Names {
			if field == param && id.Name == name {
				return i
			}
			i++
		}
	}
	return -1
}

// TestFindSites: names are found whichever way they are written, and one that
// cannot be known is an error.
func TestFindSites(t *testing.T) {
	const head = "package p\nimport \"internal/mutant\"\n"
	for _, c := range []struct{ name, source, want string }{
		{"literal", `func f(e env) { e.Point("a.b") }`, "a.b"},
		{"field", `func (t *T) f() { _ = t.c.env.Point("a.b") }`, "a.b"},
		{"constant", `const x = "a.b"; func f(e env) { e.Point(x) }`, "a.b"},
		{"variable", `func f(e env, b bool) { s := "a."; if b { s = "b." }; e.Point(s + "c") }`, "a.c b.c"},
		{"parameter", `func g(e env, s string) { e.Point(s) }; func f(e env) { g(e, "x"); g(e, "y") }`, "x y"},
		{"closure", `func f(e env) { g := func(s string) { e.Point("p." + s) }; g("x"); g("y") }`, "p.x p.y"},
		{"another of that name", `func f(e env) { g := func(s string) { e.Point(s) }; g("x"); e.g("y") }`, "x"},
		{"result", `func g(b bool) string { if b { return "a." }; return "b." }; func f(e env) { e.Point(g(e.b()) + "c") }`,
			"a.c b.c"},
		{"planted", `func f(e env) { if mutant.On(mutant.V3) && e.ok() { e.Point("x") }; e.Point("y") }`, "y"},
		{"not planted", `func f(e env) { if !mutant.On(mutant.V3) { e.Point("x") } else { e.Point("y") } }`, "x y"},
		{"unknown", `func f(e env) { e.Point(e.name()) }`, "error"},
		{"recursive", `func f(e env, s string) { e.Point(s); f(e, s) }`, "error"},
		{"never called", `func f(e env, s string) { e.Point(s) }`, "error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := fstest.MapFS{"p/p.go": {Data: []byte(head + c.source)}, "p/p_test.go": {Data: []byte("no go")}}
			sites, err := findSites(root, []string{"p"})
			got := strings.Join(sortedKeys(sites), " ")
			if err != nil {
				got = "error"
			}
			if got != c.want {
				t.Errorf("found %q, want %q (%v)", got, c.want, err)
			}
		})
	}
}

// allSites is those of this repository.
func allSites(t *testing.T) []string {
	t.Helper()
	sites, err := findSites(os.DirFS("../.."), sitePackages)
	if err != nil {
		t.Fatal(err)
	}
	return sortedKeys(sites)
}
