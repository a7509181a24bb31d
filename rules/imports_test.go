package rules

import (
	"go/build"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/fluent-bit-waf/fluent-bit-waf/"

// layers are the packages below rules/ with those of the project that they may import.
var layers = map[string][]string{
	"rules":          {"rules/cache", "rules/coverage", "rules/engine", "rules/prefilter", "rules/load", "rules/model", "rules/seclang", "internal/setting"},
	"rules/engine":   {"internal/corazalink", "internal/recovery", "rules/backtrack", "rules/prefilter", "rules/prefilter/regex", "rules/load", "rules/model", "rules/seclang", "rules/sensitive", "internal/setting"},
	"rules/coverage": {"rules/model", "rules/seclang"},
	"rules/prefilter": {"internal/corazalink", "rules/model", "rules/prefilter/ascii", "rules/prefilter/literalset", "rules/prefilter/regex",
		"rules/prefilter/transform", "rules/prefilter/variables"},
	"rules/prefilter/variables":  {"internal/corazalink", "rules/model", "rules/prefilter/arena", "rules/seclang"},
	"rules/prefilter/transform":  {"internal/corazalink", "rules/prefilter/arena", "rules/prefilter/ascii", "rules/sensitive"},
	"rules/prefilter/regex":      {"rules/prefilter/literalset"},
	"rules/prefilter/literalset": {"rules/prefilter/ascii"},
	"rules/prefilter/arena":      {"rules/prefilter/ascii"},
	"rules/prefilter/ascii":      {},
	"rules/cache":                {"rules/model"},
	"rules/load":                 {"rules/packs", "rules/presets", "rules/seclang", "internal/setting"},
	"rules/model":                {},
	"rules/seclang":              {"rules/backtrack"},
	"rules/packs":                {},
	"rules/presets":              {},
	"rules/sensitive":            {},
	"rules/backtrack":            {},
}

// ofCoraza are the packages that may import Coraza.
var ofCoraza = []string{"rules/engine", "rules/prefilter"}

func TestImportsRunOneWay(t *testing.T) {
	seen := 0
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		p, err := build.Default.ImportDir(path, 0)
		if err != nil {
			return nil // a folder without Go
		}
		seen++
		name := filepath.ToSlash(filepath.Join("rules", path))
		allowed, known := layers[name]
		require.True(t, known, "%s has no layer", name)
		for _, imported := range p.Imports {
			if own, is := strings.CutPrefix(imported, module); is {
				require.Contains(t, allowed, own, "imports of %s", name)
			}
			if imported == "github.com/corazawaf/coraza/v3" || strings.HasPrefix(imported, "github.com/corazawaf/coraza/v3/") {
				require.True(t, slices.ContainsFunc(ofCoraza, func(under string) bool { return name == under || strings.HasPrefix(name, under+"/") }),
					"%s imports %s", name, imported)
			}
		}
		return nil
	}))
	require.Len(t, layers, seen, "a layer without a package")
}
