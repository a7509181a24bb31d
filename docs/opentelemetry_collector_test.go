package docs

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheCollectorPage compares the page with the files that it shows: the end-to-end tests of otel run the configuration.
func TestTheCollectorPage(t *testing.T) {
	page := read(t, "opentelemetry-collector.md")
	shown := regexp.MustCompile("(?s)<!-- otel/config.yaml -->\n```yaml\n(.*?)```").FindStringSubmatch(page)
	require.NotNil(t, shown)
	_, config, _ := strings.Cut(read(t, "../otel/config.yaml"), "\n\n") // behind the comment
	require.Equal(t, config, shown[1])

	manifest := read(t, "../otel/builder-config.yaml")
	for _, line := range []string{"build_tags: ", "import: "} {
		at := strings.Index(page, line)
		require.Positive(t, at)
		text, _, _ := strings.Cut(page[at:], "\n")
		require.Contains(t, manifest, text+"\n")
	}
	version := regexp.MustCompile(`for the collector ([\d.]+[0-9])`).FindStringSubmatch(page)
	require.NotNil(t, version)
	require.Contains(t, manifest, "\n  version: "+version[1]+"\n")

	var schema struct{ Properties map[string]any }
	require.NoError(t, json.Unmarshal([]byte(read(t, "../otel/wafprocessor/config.schema.json")), &schema))
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*) \\| (.*) \\|$").FindAllStringSubmatch(page, -1) {
		for _, name := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[1], -1) {
			_, is := schema.Properties[name[1]]
			require.Equal(t, !strings.HasPrefix(row[2], "Not available"), is, name[1])
		}
	}
}
