package images

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const playground = "../../playground"

func playgroundProject(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{playground + "/compose.yaml"})
	require.NoError(t, err)
	project, err := options.LoadProject(t.Context())
	require.NoError(t, err)
	return project
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(playground, file))
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, into))
}

// TestThePlaygroundIsWholeAndForThisMachineOnly: what is mounted is there, images have versions, and nobody else reaches a port.
func TestThePlaygroundIsWholeAndForThisMachineOnly(t *testing.T) {
	project := playgroundProject(t)
	for name, service := range project.Services {
		assert.Regexp(t, `:(latest|v?\d+\.\d+[\w.-]*)$`, service.Image, name)
		assert.False(t, service.Privileged, name)
		for _, port := range service.Ports {
			assert.Equal(t, "127.0.0.1", port.HostIP, name)
		}
		for _, v := range service.Volumes {
			if v.Type == types.VolumeTypeBind {
				assert.FileExists(t, filepath.Clean(v.Source)+onlyFor(v.Source))
				assert.True(t, v.ReadOnly, v.Target)
			}
		}
	}
	waf := project.Services["waf"]
	assert.Equal(t, "fluent-bit-waf", waf.Build.Target)
	assert.FileExists(t, filepath.Join(waf.Build.Context, waf.Build.Dockerfile))
}

// onlyFor returns a file that has to be in a directory, "" for a file.
func onlyFor(source string) string {
	if filepath.Base(source) == "page" {
		return "/index.html"
	}
	return ""
}

// TestThePartsOfThePlaygroundMeet: each part calls the others by the names of their services and the ports at which they are.
func TestThePartsOfThePlaygroundMeet(t *testing.T) {
	project := playgroundProject(t)
	var pipeline struct{ Pipeline map[string][]map[string]any }
	readYAML(t, "pipeline.yaml", &pipeline)
	loki := pipeline.Pipeline["outputs"][0]
	require.Contains(t, project.Services, loki["host"])
	var sources struct {
		Datasources []struct{ Type, URL string }
	}
	readYAML(t, "grafana/datasources.yaml", &sources)
	urls := map[string]string{}
	for _, s := range sources.Datasources {
		urls[s.Type] = s.URL
	}
	assert.Equal(t, map[string]string{"loki": "http://loki:3100", "prometheus": "http://prometheus:9090"}, urls)
	assert.EqualValues(t, 3100, loki["port"])
	var prometheus struct {
		Scrape []struct {
			Static []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	readYAML(t, "prometheus.yml", &prometheus)
	_, port, _ := strings.Cut(pipeline.Pipeline["filters"][0]["metrics_listen"].(string), ":")
	assert.Equal(t, []string{"waf:" + port}, prometheus.Scrape[0].Static[0].Targets)

	page, err := os.ReadFile(playground + "/page/index.html")
	require.NoError(t, err)
	mounted := map[string]bool{}
	for _, v := range project.Services["grafana"].Volumes {
		if filepath.Ext(v.Source) == ".json" {
			text, err := os.ReadFile(v.Source)
			require.NoError(t, err)
			var dashboard struct{ UID string }
			require.NoError(t, json.Unmarshal(text, &dashboard))
			mounted[dashboard.UID] = true
			assert.Contains(t, string(page), "http://localhost:3000/d/"+dashboard.UID+"?", "the page leads to each dashboard")
		}
	}
	assert.Len(t, mounted, 2)
	var provider struct {
		Providers []struct{ Options struct{ Path string } }
	}
	readYAML(t, "grafana/dashboards.yaml", &provider)
	assert.Equal(t, "/dashboards", provider.Providers[0].Options.Path)
}

// TestPrometheusTakesThePlayground has promtool read the configuration and its rules as they are mounted.
func TestPrometheusTakesThePlayground(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil && os.Getenv("TEST_TOOLS") != "required" {
		t.Skip("promtool is not installed (Debian: apt-get install prometheus)")
	}
	require.NoError(t, err)
	dir := t.TempDir()
	for _, v := range playgroundProject(t).Services["prometheus"].Volumes {
		text, err := os.ReadFile(v.Source)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(v.Target)), text, 0o600))
	}
	out, err := exec.Command(promtool, "check", "config", filepath.Join(dir, "prometheus.yml")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Regexp(t, regexp.MustCompile(`SUCCESS: \d+ rules found`), string(out))
}
