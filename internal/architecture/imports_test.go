package architecture

import (
	"go/build"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	root   = "../.."
	module = "github.com/fluent-bit-waf/fluent-bit-waf/"
)

// order is the order of imports: a package imports packages of its own folder and of folders below it here. Packages under rules/ have an
// order of their own, which a test there holds.
var order = []string{"tools", "filter", "rules", "internal"}

// tools are folders whose packages nothing else imports.
var tools = []string{"cmd", "plugin", "otel", "bench", "build", "docs", "test"}

// inFilter are the packages under filter/ with those of filter/ that they may import.
var inFilter = map[string][]string{
	"filter":          {"alert", "delivery", "fieldmap", "incident", "incident/digest", "metrics", "pipeline", "record", "redact", "ruleset", "telemetry"},
	"filter/pipeline": {"accesslog", "alert", "delivery", "fieldmap", "flood", "incident", "incident/digest", "metrics", "record", "redact", "ruleset", "telemetry"},

	"filter/ruleset":   {"metrics", "telemetry"},
	"filter/telemetry": {"alert", "delivery", "metrics", "record", "redact"},
	"filter/flood":     {"alert"},
	"filter/alert":     {"fieldmap", "incident", "record", "redact"},
	"filter/fieldmap":  {"accesslog", "intake", "record"},
	"filter/receive":   {"accesslog", "intake", "metrics"},
	"filter/intake":    {"accesslog"},
	"filter/redact":    {"record"},

	"filter/incident/digest": {"incident"},

	"filter/accesslog": {}, "filter/delivery": {}, "filter/incident": {}, "filter/metrics": {}, "filter/record": {},
	"filter/record/recordtest": {"record"},
}

// outside are what packages of other folders may import of rules/ and filter/ besides the façades: vocabulary and subjects. What loads, runs and
// caches rules, and what evaluates chunks, is reached through the façades.
var outside = []string{
	"rules", "rules/packs", "rules/presets", "rules/sensitive",
	"filter", "filter/accesslog", "filter/alert", "filter/delivery", "filter/fieldmap", "filter/incident", "filter/incident/digest", "filter/intake", "filter/metrics",
	"filter/receive",
	"filter/record", "filter/redact",
}

// exceptions are imports against the rules above, with the reason.
var exceptions = map[string]string{
	"internal/fluentbit filter":         "it checks the configuration of a pipeline against the properties of the filter",
	"internal/fluentbit filter/receive": "and of the input",
	"internal/report filter/alert":      "it draws alerts",
	"internal/report filter/incident":   "and incidents",
	"filter rules/prefilter":            "PrefilterReport shows how the prefilter reads rules",
	"filter/fieldmap rules/prefilter":   "it writes the identity of a record for the variables that rules read",
}

func TestImportsRunOneWay(t *testing.T) {
	used := map[string]bool{}
	for name, p := range packages(t) {
		for _, imported := range p.Imports {
			own, is := strings.CutPrefix(imported, module)
			if !is {
				continue
			}
			if edge := name + " " + own; exceptions[edge] != "" {
				used[edge] = true
				continue
			}
			assert.GreaterOrEqual(t, rank(own), rank(name), "%s imports %s, which is above it", name, own)
			switch folder := top(name); {
			case rank(own) == 0 && top(own) != folder:
				assert.Fail(t, "an import of a tool", "%s imports %s", name, own)
			case folder == "rules":
			case folder == "filter" && top(own) == "filter":
				allowed, known := inFilter[name]
				assert.True(t, known, "%s has no place in the order", name)
				assert.Contains(t, allowed, strings.TrimPrefix(own, "filter/"), "imports of %s", name)
			case folder == "cmd" && top(own) == "cmd":
				assert.True(t, mayImportCommand(name, own), "%s imports %s", name, own)
			case top(own) == "rules" || top(own) == "filter":
				assert.Contains(t, outside, own, "imports of %s", name)
			}
		}
	}
	for edge, why := range exceptions {
		require.True(t, used[edge], "no longer imported: %s (%s)", edge, why)
	}
}

func TestEveryPackageOfTheFilterHasAPlace(t *testing.T) {
	all := packages(t)
	for name := range inFilter {
		require.Contains(t, all, name, "a place without a package")
	}
	for name := range all {
		if top(name) == "filter" {
			require.Contains(t, inFilter, name)
		}
	}
}

// Only the plugin talks C: everything else can be tested, and built, without a C compiler.
func TestOnlyThePluginImportsC(t *testing.T) {
	found := 0
	for name, p := range packages(t) {
		if len(p.CgoFiles) > 0 {
			found++
			require.True(t, top(name) == "plugin", "%s imports C", name)
		}
	}
	require.NotZero(t, found)
}

// mayImportCommand: the command line imports its commands; commands share what is below internal/, and doctor builds on what setup and tune know.
func mayImportCommand(name, own string) bool {
	return name == "cmd/wafctl" || strings.HasPrefix(own, "cmd/wafctl/internal/") || name == "cmd/wafctl/doctor"
}

func top(name string) string {
	folder, _, _ := strings.Cut(name, "/")
	return folder
}

func rank(name string) int {
	folder := top(name)
	if slices.Contains(tools, folder) {
		folder = "tools"
	}
	return slices.Index(order, folder)
}

// packages returns the packages of the module by their folder.
func packages(t *testing.T) map[string]*build.Package {
	t.Helper()
	all := map[string]*build.Package{}
	context := build.Default
	context.BuildTags = []string{"no_fs_access", "e2e"}
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if name == "build/tools" || name == "build/out" || name == "build/work" || strings.HasPrefix(d.Name(), ".") && name != "." || d.Name() == "testdata" {
			return filepath.SkipDir // a module of its own, outputs and data
		}
		p, err := context.ImportDir(path, build.ImportComment)
		if err != nil {
			return nil // a folder without Go
		}
		all[name] = p
		return nil
	}))
	require.Greater(t, len(all), 50)
	for name := range all {
		require.NotEqual(t, -1, rank(name), "%s is in no folder of the order", name)
	}
	return all
}
