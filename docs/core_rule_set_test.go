package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testtool"
)

// TestEachWayToAnotherCoreRuleSetLoads tries the values of rules in the page's table: for a release with one made of the embedded CRS, for
// Debian's package where it is installed.
func TestEachWayToAnotherCoreRuleSetLoads(t *testing.T) {
	rows := regexp.MustCompile("(?m)^\\| [^|]+ \\| `(/[^`]+)` \\|$").FindAllStringSubmatch(read(t, "core-rule-set.md"), -1)
	require.Len(t, rows, 4)
	dir := release(t)
	for _, row := range rows {
		t.Run(strings.NewReplacer("/", "_", ",", "_", "*", "_").Replace(row[1]), func(t *testing.T) {
			rules := strings.ReplaceAll(row[1], "/etc/crs", dir)
			rules = strings.ReplaceAll(rules, "/etc/nginx/modsec", dir)
			testtool.Path(t, strings.Split(rules, ",")[0], "modsecurity-crs")
			code, out := shell(t, t.TempDir(), "wafctl rules --check --rules-strict off --rules '"+rules+"'")
			require.LessOrEqual(t, code, 1, out)
			require.Regexp(t, `(?m)^7\d\d rules loaded, \d+ skipped: OWASP_CRS/\d`, out)
			if strings.HasPrefix(rules, dir) {
				require.Zero(t, code, out)
			}
		})
	}
}

// release returns a folder in the layout of a release of CRS.
func release(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "rules"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "plugins"), 0o755))
	names, err := fs.Glob(coreruleset.FS, "@owasp_crs/*")
	require.NoError(t, err)
	for _, name := range append(names, "@crs-setup.conf.example") {
		text, err := fs.ReadFile(coreruleset.FS, name)
		require.NoError(t, err)
		place := filepath.Join("rules", filepath.Base(name))
		if name == "@crs-setup.conf.example" {
			place = "crs-setup.conf"
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, place), text, 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "plugins", "empty-after.conf"), nil, 0o600))
	return dir
}
