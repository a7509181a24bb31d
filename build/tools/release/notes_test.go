// Package release tests what a release is made with: its notes, and the push of the chart.
package release

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile("../../../" + file)
	require.NoError(t, err)
	return string(text)
}

// versions returns the released versions in the change log, newest first.
func versions(t *testing.T) (all []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$`).FindAllStringSubmatch(read(t, "CHANGELOG.md"), -1) {
		all = append(all, m[1])
	}
	require.NotEmpty(t, all)
	return all
}

func notes(t *testing.T, version string) (string, error) {
	t.Helper()
	cmd := exec.Command("../../package/notes.sh")
	cmd.Env = append(os.Environ(), "VERSION="+version)
	out, err := cmd.Output()
	return string(out), err
}

func TestNotesAreTheReleasesPartOfTheChangeLog(t *testing.T) {
	log := read(t, "CHANGELOG.md")
	for _, version := range versions(t) {
		_, part, _ := strings.Cut(log, "\n## ["+version+"]")
		_, part, _ = strings.Cut(part, "\n\n") // behind the title
		part, _, _ = strings.Cut(part, "\n## [")
		for _, name := range []string{version, "v" + version, "v" + version + "-rc.1"} {
			got, err := notes(t, name)
			require.NoError(t, err, name)
			assert.True(t, strings.HasPrefix(got, strings.TrimSpace(part)+"\n\n### Files\n"), "%s:\n%s", name, got)
		}
	}
	_, err := notes(t, "99.0.0")
	require.Error(t, err, "a release without notes")
	_, err = notes(t, "0.0.0-dev+abc")
	require.NoError(t, err)
}

// TestTheChartHasTheNewestVersion keeps a chart that is installed from the repository from running an image that is not there.
func TestTheChartHasTheNewestVersion(t *testing.T) {
	chart := read(t, "build/helm/fluent-bit-waf/Chart.yaml")
	assert.Contains(t, chart, "\nversion: "+versions(t)[0]+"\n")
	assert.Contains(t, chart, "\nappVersion: "+versions(t)[0]+"\n")
	assert.Contains(t, read(t, "CHANGELOG.md"), "\n## [Unreleased]\n")
}

// TestTheCollectorsModuleTakesTheNewestVersion keeps the module of the collector's processor, which is tagged with each release, from
// running the filter of an older one.
func TestTheCollectorsModuleTakesTheNewestVersion(t *testing.T) {
	newest := "v" + versions(t)[0]
	assert.Contains(t, read(t, "otel/go.mod"), "\tgithub.com/fluent-bit-waf/fluent-bit-waf "+newest+"\n")
	assert.Contains(t, read(t, "otel/builder-config.yaml"), "gomod: github.com/fluent-bit-waf/fluent-bit-waf/otel "+newest+"\n")
}
