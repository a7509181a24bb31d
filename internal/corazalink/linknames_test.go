package corazalink

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A version of Coraza that names a function differently does not link. One that gives it other parameters links, and crashes.
func TestLinknamesAreDeclaredAsInTheirSource(t *testing.T) {
	fileSet := token.NewFileSet()
	file, err := parser.ParseFile(fileSet, "linknames.go", nil, parser.ParseComments)
	require.NoError(t, err)
	found := 0
	for _, decl := range file.Decls {
		local, target := linkname(decl)
		if target == "" {
			continue
		}
		found++
		pkg, name := target[:strings.LastIndexByte(target, '.')], target[strings.LastIndexByte(target, '.')+1:]
		require.Equal(t, sourceOf(t, pkg, name), signature(t, fileSet, decl), "%s is declared differently in %s", local, target)
	}
	require.Equal(t, 6, found)
}

// linkname returns the names in the go:linkname above a declaration.
func linkname(decl ast.Decl) (local, target string) {
	var doc *ast.CommentGroup
	switch d := decl.(type) {
	case *ast.FuncDecl:
		doc = d.Doc
	case *ast.GenDecl:
		doc = d.Doc
	}
	if doc == nil {
		return "", ""
	}
	for _, line := range doc.List {
		if words := strings.Fields(line.Text); len(words) == 3 && words[0] == "//go:linkname" {
			return words[1], words[2]
		}
	}
	return "", ""
}

// sourceOf returns the signature of a function or variable in the source of a package.
func sourceOf(t *testing.T, pkg, name string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "go", "list", "-json=Dir,GoFiles", pkg).Output()
	require.NoError(t, err)
	var listed struct {
		Dir     string
		GoFiles []string
	}
	require.NoError(t, json.Unmarshal(output, &listed))
	for _, base := range listed.GoFiles {
		fileSet := token.NewFileSet()
		file, err := parser.ParseFile(fileSet, filepath.Join(listed.Dir, base), nil, 0)
		require.NoError(t, err)
		if object := file.Scope.Lookup(name); object != nil {
			for _, decl := range file.Decls {
				if declares(decl, name) {
					return signature(t, fileSet, decl)
				}
			}
		}
	}
	t.Fatalf("%s has no %s", pkg, name)
	return ""
}

func declares(decl ast.Decl, name string) bool {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		return d.Recv == nil && d.Name.Name == name
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if v, is := spec.(*ast.ValueSpec); is && v.Names[0].Name == name {
				return true
			}
		}
	}
	return false
}

// signature returns the types of a function's parameters and results, or the type of a variable.
func signature(t *testing.T, fileSet *token.FileSet, decl ast.Decl) string {
	t.Helper()
	var node ast.Node
	switch d := decl.(type) {
	case *ast.FuncDecl:
		for _, list := range []*ast.FieldList{d.Type.Params, d.Type.Results} {
			for _, field := range list.List {
				for _, name := range field.Names {
					name.Name = "_"
				}
			}
		}
		node = d.Type
	case *ast.GenDecl:
		v := d.Specs[0].(*ast.ValueSpec)
		if node = v.Type; v.Type == nil {
			node = v.Values[0].(*ast.CompositeLit).Type
		}
	}
	var b strings.Builder
	require.NoError(t, printer.Fprint(&b, fileSet, node))
	return b.String()
}

// Only this package has linknames and reads private fields, so that one place has to follow Coraza.
func TestNoOtherPackageHasLinknames(t *testing.T) {
	output, err := exec.CommandContext(t.Context(), "git", "grep", "-lE", "^//go:linkname", "--", path.Join("..", "..", "*.go")).Output()
	if err != nil {
		t.Skip("not a git checkout: ", err)
	}
	require.Equal(t, "linknames.go\n", string(output))
}
