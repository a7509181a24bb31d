//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// officialChart are the values for the official chart of Fluent Bit, as far as they say what runs.
type officialChart struct {
	InitContainers []struct{ Command []string } `yaml:"initContainers"`
	Config         struct{ Service, Filters, Outputs string }
}

// TestOfficialChart installs the plugin as the init container does, and runs the sections of the values with an input of this machine: what the
// chart's own input reads, and the outputs of the values, which are only checked, would need a cluster.
func TestOfficialChart(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "build", "helm", "official-chart", "values.yaml"))
	require.NoError(t, err)
	var values officialChart
	require.NoError(t, yaml.Unmarshal(text, &values))
	page, err := os.ReadFile(filepath.Join(root, "docs", "official-chart.md"))
	require.NoError(t, err)
	_, shown, _ := strings.Cut(string(page), "```yaml\n")
	shown, _, _ = strings.Cut(shown, "```")
	require.True(t, bytes.Contains(text, []byte(shown)), "the page shows what the file has")

	onEach(t, func(t *testing.T, f fluentBit) {
		dir := t.TempDir()
		install := values.InitContainers[0].Command
		require.Equal(t, []string{"/usr/bin/wafctl", "install", "/fluent-bit-waf"}, install)
		out, err := exec.Command(filepath.Join(root, "build", "out", "wafctl"), "install", "--from", filepath.Dir(plugin()), filepath.Join(dir, "fluent-bit-waf")).CombinedOutput()
		require.NoError(t, err, "%s", out)

		log := filepath.Join(dir, "container.log")
		require.NoError(t, os.WriteFile(log, nil, 0o644)) // tail looks for new files once a minute
		config, parsers := filepath.Join(dir, "fluent-bit.conf"), filepath.Join(dir, "parsers.conf")
		require.NoError(t, os.WriteFile(parsers, []byte("[PARSER]\n    Name json\n    Format json\n"), 0o644))
		input := "[INPUT]\n    Name tail\n    Path " + log + "\n    multiline.parser docker, cri\n    Tag kube.*\n"
		local := strings.NewReplacer("{{ .Values.flush }}", "1", "{{ .Values.logLevel }}", "info", "{{ .Values.metricsPort }}", strconv.Itoa(loopback.Port(t)),
			"    Parsers_File /fluent-bit/etc/conf/custom_parsers.conf\n", "", "/fluent-bit/etc/parsers.conf", parsers, "/fluent-bit-waf/", dir+"/fluent-bit-waf/",
			"Keep_Log Off", "Keep_Log Off\n    Dummy_Meta On", "Emit_Format ecs", "Emit_Format ecs\n    Inspect_Budget off")
		write := func(outputs string) {
			sections := strings.Join([]string{values.Config.Service, input, values.Config.Filters, outputs}, "\n")
			require.NoError(t, os.WriteFile(config, []byte(local.Replace(sections)), 0o644))
		}
		write(values.Config.Outputs)
		out, err = exec.Command(f.path, "-c", config, "--dry-run").CombinedOutput()
		require.NoError(t, err, "%s", out)

		require.Contains(t, values.Config.Outputs, "    Match alert.*\n")
		write("[OUTPUT]\n    Name file\n    Match alert.*\n    Path " + dir + "\n    File alerts.ndjson\n    Format plain\n")
		p := f.run(t, dir, "-c", config)
		p.waitReady(1)
		for _, line := range lines(t) {
			appendTo(t, log, "2024-05-30T07:16:48.917000000Z stdout F "+line+"\n")
		}
		for _, alert := range p.records("alerts.ndjson", 2) {
			requireAlert(t, alert)
		}
		p.stop()
	})
}

// lines returns an attack as a line of nginx, plain and JSON, between clean requests.
func lines(t *testing.T) (all []string) {
	t.Helper()
	for _, r := range []*accesslog.Request{accesslog.Browser("GET", "/"), attackOf()} {
		all = append(all, accesslog.Lines()[0].Write(r))
		for _, s := range accesslog.Sources() {
			if s.Title == "nginx, JSON" {
				line, err := json.Marshal(s.Record(r))
				require.NoError(t, err)
				all = append(all, string(line))
			}
		}
	}
	require.Len(t, all, 4)
	return all
}
