package rules

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testsize"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testtool"
)

// otherReleases are directories with releases of the Core Rule Set other than the embedded one: from the module proxy, from Debian's package
// modsecurity-crs, and from the environment variable CRS_RELEASES, a list of directories with crs-setup.conf and rules.
func otherReleases(t *testing.T) (sources []string) {
	t.Helper()
	const module = "github.com/corazawaf/coraza-coreruleset/v4@v4.22.0"
	command := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module)
	command.Dir = t.TempDir()
	var downloaded struct{ Dir string }
	if output, err := command.Output(); err != nil || json.Unmarshal(output, &downloaded) != nil {
		t.Logf("without %s: %v", module, err)
	} else {
		sources = append(sources, filepath.Join(downloaded.Dir, "rules/@crs-setup.conf.example")+","+filepath.Join(downloaded.Dir, "rules/@owasp_crs/*.conf"))
	}
	if _, err := os.Stat("/usr/share/modsecurity-crs/rules"); err != nil {
		t.Logf("without CRS 3.3: %v", err)
	} else {
		sources = append(sources, "/etc/modsecurity/crs/crs-setup.conf,/usr/share/modsecurity-crs/rules/*.conf")
	}
	for _, dir := range filepath.SplitList(os.Getenv("CRS_RELEASES")) {
		setup, err := filepath.Glob(filepath.Join(dir, "crs-setup.conf*"))
		require.NoError(t, err)
		require.NotEmpty(t, setup, dir)
		sources = append(sources, setup[0]+","+filepath.Join(dir, "rules/*.conf"))
	}
	return sources
}

// paranoiaLevels are the first and the last, and all of them in make equality.
func paranoiaLevels() []int {
	if testsize.Full() {
		return []int{1, 2, 3, 4}
	}
	return []int{1, 4}
}

func TestThePrefilterSupportsReleasesOfTheCoreRuleSet(t *testing.T) {
	for _, source := range append([]string{"crs"}, otherReleases(t)...) {
		for _, paranoia := range paranoiaLevels() {
			set := open(t, setting.Map{"rules": source, "rules_strict": "on", "rule_packs": "off", "blocking_paranoia": fmt.Sprint(paranoia)})
			require.Empty(t, set.Notes(), "%s at paranoia %d", set.Name(), paranoia)
			require.NotContains(t, strings.Join(set.Warnings(), "\n"), "pattern", set.Name())
		}
	}
}

// A directory in the layout of ModSecurity for Anylog, with Debian's CRS 3.3 and ModSecurity's configuration, loads as it is.
func TestDirectoriesOfModSecurityWithCRS3Load(t *testing.T) {
	testtool.Path(t, "/usr/share/modsecurity-crs/rules", "modsecurity-crs")
	dir := t.TempDir()
	write(t, dir, map[string]string{"main.conf": mainText, "modsecurity.conf": oldStyle, "unicode.mapping": "(MAC - Roman)\n"})
	require.NoError(t, os.CopyFS(filepath.Join(dir, "rules"), os.DirFS("/usr/share/modsecurity-crs/rules")))
	setup, err := os.ReadFile("/etc/modsecurity/crs/crs-setup.conf")
	require.NoError(t, err)
	write(t, dir, map[string]string{"crs-setup.conf": string(setup)})
	set := open(t, setting.Map{"rules": dir, "rules_strict": "on"})
	require.Contains(t, set.Name(), "OWASP_CRS/3.3")
	require.Empty(t, set.Notes())
	for _, target := range []string{"/?t=../../etc/passwd", "/?id=1'%20or%20'cat'='cat'", "/?q=%3Cscript%3Ealert(1)%3C/script%3E"} {
		attack := sample()
		attack.URI = target
		v, err := set.Inspect(attack)
		require.NoError(t, err)
		require.True(t, v.Blocked, target)
		require.Zero(t, v.Partial)
	}
}
