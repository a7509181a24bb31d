package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestArchitectureNamesEveryPackage compares the page for contributors with the folders of the module.
func TestArchitectureNamesEveryPackage(t *testing.T) {
	page := read(t, "architecture.md")
	all := packagesOfModule(t)
	require.Greater(t, len(all), 50)
	for _, name := range all {
		assert.True(t, strings.Contains(page, "`"+name+"`"), "the table of packages lacks %s", name)
	}
}

// named is a path on the page.
var named = regexp.MustCompile("`((?:bench|build|cmd|filter|internal|otel|plugin|rules|test)/[\\w./-]+)`")

func TestArchitectureNamesNothingElse(t *testing.T) {
	found := named.FindAllStringSubmatch(read(t, "architecture.md"), -1)
	require.Greater(t, len(found), 50)
	for _, m := range found {
		_, err := os.Stat(filepath.Join("..", m[1]))
		assert.NoError(t, err, m[1])
	}
}

// packagesOfModule returns the folders of the root module that have Go files besides tests.
func packagesOfModule(t *testing.T) (all []string) {
	t.Helper()
	seen := map[string]bool{}
	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			_, err := os.Stat(filepath.Join(path, "go.mod"))
			if isModule := err == nil && path != ".."; isModule || entry.Name() == "testdata" || len(entry.Name()) > 2 && entry.Name()[0] == '.' {
				return fs.SkipDir
			}
			return nil
		}
		name := filepath.ToSlash(strings.TrimPrefix(filepath.Dir(path), ".."+string(filepath.Separator)))
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") && !seen[name] {
			seen[name] = true
			all = append(all, name)
		}
		return nil
	}))
	return all
}
