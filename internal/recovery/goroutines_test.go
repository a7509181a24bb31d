package recovery

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// reviewed are goroutines that do not recover by themselves, by file and what they start, with the reason.
var reviewed = map[string]string{
	"filter/pipeline/workers.go func":                            "it does nothing",
	"filter/pipeline/workers.go p.worker":                        "it enters the batch, and recovers from all it does there before it leaves",
	"filter/pipeline/async.go func":                              "it wakes those who wait",
	"filter/delivery/delivery.go cancel":                         "a function of package context",
	"filter/delivery/stream.go func":                             "it sets a deadline",
	"filter/receive/connections.go g.changed.Broadcast":          "a function of package sync",
	"cmd/wafctl/collect/collect.go stop":                         "a function of package os/signal",
	"cmd/wafctl/collect/collect.go o.Run":                        "it recovers from all it does",
	"cmd/wafctl/internal/inline/inline.go o.Run":                 "it recovers from all it does",
	"cmd/wafctl/internal/inline/server/server.go s.Requests.Run": "it recovers from all it does",
	"build/demo/main.go receive":                                 "a demonstration, not in a host",
	"build/demo/main.go func":                                    "a demonstration, not in a host",
	"internal/recorded/server.go func":                           "a recording for tests, not in a host",
	"test/ftw/contestant.go func":                                "a tool for tests, not in a host",
	"test/ftw/contestant.go server.Serve":                        "a tool for tests, not in a host",
	"bench/proxy/load.go loopback.Accept":                        "a tool for measurements, not in a host",
	"internal/loopback/accept.go func":                           "connections of tests and measurements, not in a host",
	"bench/proxy/load.go func":                                   "a tool for measurements, not in a host",
	"bench/fluentbit/run.go func":                                "a tool for measurements, not in a host",
}

// Nothing recovers a goroutine but itself: a panic in one ends the process, which is a Fluent Bit with everybody's logs.
func TestEveryGoroutineRecovers(t *testing.T) {
	found := 0
	for folder, files := range packages(t) {
		p := &pkg{functions: map[string]*ast.FuncDecl{}}
		for _, file := range files {
			for _, d := range file.Decls {
				if f, is := d.(*ast.FuncDecl); is {
					p.functions[f.Name.Name] = f
				}
			}
		}
		for name, file := range files {
			ast.Inspect(file, func(n ast.Node) bool {
				started := startedBy(n)
				if started == nil {
					return true
				}
				found++
				key := fmt.Sprintf("%s %s", name, nameOf(started))
				if reviewed[key] == "" && !p.recovers(started, 0) {
					t.Errorf("%s: a goroutine that does not recover: start it with recovery.Once or recovery.Loop (%s)", key, folder)
				}
				return true
			})
		}
	}
	require.Greater(t, found, 25, "goroutines are found")
}

func TestGoroutinesAreToldFromThoseThatRecover(t *testing.T) {
	for text, want := range map[string]bool{
		`go func() { work() }()`: false,
		`go work()`:              false,
		`go covered()`:           true,
		`go s.covered()`:         true,
		`go func() { defer s.guarded(); work() }()`:                  true,
		`go func() { defer func() { recover() }(); work() }()`:       true,
		`go func() { defer func() { work() }(); work() }()`:          false,
		`go recovery.Once(nil, work)`:                                true,
		`go func() { defer close(c); recovery.Loop(nil, nil, f) }()`: true,
		`go func() { recovery.Once(nil, f); work() }()`:              false,
		`group.Go(func() { work() })`:                                false,
		`group.Go(func() { s.covered() })`:                           true,
		`group.Go(work)`:                                             false,
		`time.AfterFunc(1, work)`:                                    false,
		`context.AfterFunc(c, func() { recovery.Once(nil, f) })`:     true,
		`go func() { for { recovery.Once(nil, f) } }()`:              false,
	} {
		source := `package p
func work() { for {} }
func covered() { defer s.guarded(); work() }
func (s *t) guarded() { if cause := recover(); cause != nil { count() } }
func f() { ` + text + ` }`
		file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, 0)
		require.NoError(t, err)
		p := &pkg{functions: map[string]*ast.FuncDecl{}}
		for _, d := range file.Decls {
			if f, is := d.(*ast.FuncDecl); is {
				p.functions[f.Name.Name] = f
			}
		}
		found := false
		ast.Inspect(file, func(n ast.Node) bool {
			if started := startedBy(n); started != nil {
				found = true
				require.Equal(t, want, p.recovers(started, 0), text)
			}
			return true
		})
		require.True(t, found, text)
	}
}

// packages are the files of the repository that are no tests, by folder and path.
func packages(t *testing.T) map[string]map[string]*ast.File {
	t.Helper()
	all := map[string]map[string]*ast.File{}
	root := filepath.Join("..", "..")
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() && (name == "build/tools" || name == "build/out" || name == "build/work" || d.Name() == "testdata" || d.Name() == ".git") {
			return filepath.SkipDir // another module, or not ours
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		folder := filepath.Dir(name)
		if all[folder] == nil {
			all[folder] = map[string]*ast.File{}
		}
		all[folder][filepath.ToSlash(name)] = file
		return err
	}))
	return all
}

// startedBy returns what a node starts on a goroutine, nil when it starts none: a go statement, the Go of a group, and timers.
func startedBy(n ast.Node) ast.Expr {
	switch n := n.(type) {
	case *ast.GoStmt:
		if isRecovery(n.Call) {
			return n.Call
		}
		return n.Call.Fun
	case *ast.CallExpr:
		method, is := n.Fun.(*ast.SelectorExpr)
		switch {
		case is && method.Sel.Name == "Go" && len(n.Args) == 1:
			return n.Args[0]
		case is && method.Sel.Name == "AfterFunc" && len(n.Args) == 2:
			return n.Args[1]
		}
	}
	return nil
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return nameOf(e.X) + "." + e.Sel.Name
	case *ast.CallExpr:
		return nameOf(e.Fun)
	}
	return "func"
}

// pkg is a package with its functions and methods by name.
type pkg struct{ functions map[string]*ast.FuncDecl }

// recovers reports whether a function recovers from whatever it does.
func (p *pkg) recovers(started ast.Expr, depth int) bool {
	switch e := started.(type) {
	case *ast.CallExpr:
		return isRecovery(e)
	case *ast.FuncLit:
		return p.bodyRecovers(e.Body, depth)
	case *ast.Ident, *ast.SelectorExpr:
		name := nameOf(e)
		f := p.functions[name[strings.LastIndexByte(name, '.')+1:]]
		return f != nil && f.Body != nil && p.bodyRecovers(f.Body, depth)
	}
	return false
}

// bodyRecovers reports whether a body defers a recovery before anything else, or calls only what recovers.
func (p *pkg) bodyRecovers(body *ast.BlockStmt, depth int) bool {
	recovered := false
	for _, statement := range body.List {
		switch s := statement.(type) {
		case *ast.DeferStmt:
			if p.isRecoverer(s.Call.Fun) {
				return true
			}
			continue // what it defers releases something
		case *ast.ExprStmt:
			call, is := s.X.(*ast.CallExpr)
			if is && (isRecovery(call) || depth < 2 && p.recovers(call.Fun, depth+1)) {
				recovered = true
				continue
			}
		}
		if calls(statement) {
			return false
		}
	}
	return recovered
}

// isRecoverer reports whether a deferred function calls recover.
func (p *pkg) isRecoverer(deferred ast.Expr) (is bool) {
	var body ast.Node
	switch e := deferred.(type) {
	case *ast.FuncLit:
		body = e.Body
	case *ast.Ident, *ast.SelectorExpr:
		name := nameOf(e)
		if f := p.functions[name[strings.LastIndexByte(name, '.')+1:]]; f != nil {
			body = f.Body
		}
	}
	if body == nil {
		return false
	}
	ast.Inspect(body, func(n ast.Node) bool {
		call, isCall := n.(*ast.CallExpr)
		is = is || isCall && nameOf(call.Fun) == "recover"
		return !is
	})
	return is
}

// isRecovery reports whether a call is one of recovery.Once or recovery.Loop.
func isRecovery(call *ast.CallExpr) bool {
	name := nameOf(call.Fun)
	return name == "recovery.Once" || name == "recovery.Loop"
}

// calls reports whether a statement calls anything when it is executed; what makes the functions of Caught calls nothing else.
func calls(statement ast.Stmt) (any bool) {
	ast.Inspect(statement, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.CallExpr:
			name := nameOf(n.Fun)
			any = any || !isRecovery(n) && !strings.HasSuffix(name, ".Caught") && !strings.HasSuffix(name, ".caught")
			return !isRecovery(n)
		}
		return !any
	})
	return any
}
