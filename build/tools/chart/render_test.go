// Package chart tests the Helm chart: what it renders is what Kubernetes takes, needs no rights, and is what the repository
// ships as plain manifests.
package chart

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	chartDir  = "../../helm/fluent-bit-waf"
	manifests = "../../kubernetes/fluent-bit-waf.yaml"
	release   = "fluent-bit-waf" // name of the release and of the namespace
	// kubeVersion is what the chart is rendered for; helm without a cluster assumes an old one.
	kubeVersion = "1.33.0"
)

var update = flag.Bool("update", false, "write the rendered manifests anew")

// helmPath builds helm in the version of this module, and tells where it is.
var helmPath = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "tool", "-n", "helm").Output()
	return strings.TrimSpace(string(out)), err
})

func helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path, err := helmPath()
	require.NoError(t, err)
	var out, problems bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err = cmd.Run(); err != nil {
		err = fmt.Errorf("helm %s: %w\n%s%s", strings.Join(args, " "), err, out.String(), problems.String())
	}
	return out.String(), err
}

// template renders the chart with what args say.
func template(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return helm(t, append([]string{"template", release, chartDir, "--namespace", release, "--kube-version", kubeVersion}, args...)...)
}

func mustTemplate(t *testing.T, args ...string) string {
	t.Helper()
	text, err := template(t, args...)
	require.NoError(t, err)
	return text
}

// valueSets are the values that tests render with: the defaults, and each file of ci/.
func valueSets(t *testing.T) map[string][]string {
	t.Helper()
	sets := map[string][]string{"defaults": nil}
	files, err := filepath.Glob(filepath.Join(chartDir, "ci", "*-values.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		sets[strings.TrimSuffix(filepath.Base(file), "-values.yaml")] = []string{"--values", file}
	}
	return sets
}

func TestHelmLintHasNothingToSay(t *testing.T) {
	for name, args := range valueSets(t) {
		t.Run(name, func(t *testing.T) {
			out, err := helm(t, append([]string{"lint", "--strict", "--quiet", "--kube-version", kubeVersion, chartDir}, args...)...)
			require.NoError(t, err, out)
		})
	}
}

// plain is a rendered chart as a file to apply without Helm: with its namespace, and without Helm's labels.
func plain(rendered string) string {
	var b strings.Builder
	b.WriteString(`# Made of the chart build/helm/fluent-bit-waf with its default values by "make manifests".
#
#   kubectl apply -f fluent-bit-waf.yaml
---
apiVersion: v1
kind: Namespace
metadata:
  name: ` + release + `
  labels:
    # The pod would meet "restricted" but for its port on the node, which only "privileged" allows.
    pod-security.kubernetes.io/enforce: privileged
    pod-security.kubernetes.io/warn: privileged
`)
	for line := range strings.Lines(rendered) {
		label := strings.TrimSpace(line)
		if strings.HasPrefix(label, "helm.sh/chart:") || strings.HasPrefix(label, "app.kubernetes.io/managed-by:") ||
			strings.HasPrefix(line, "# Source:") {
			continue
		}
		b.WriteString(line)
	}
	return b.String()
}

// A chart can only take files that are in its folder.
func TestFilesOfTheChartAreThoseOfTheProject(t *testing.T) {
	for copied, original := range map[string]string{"alerts.yaml": "prometheus/alerts.yaml", "metrics.json": "grafana/metrics.json"} {
		want, err := os.ReadFile(filepath.Join("../..", original))
		require.NoError(t, err)
		file := filepath.Join(chartDir, "files", copied)
		if *update {
			require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
			require.NoError(t, os.WriteFile(file, want, 0o644))
		}
		got, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), `"make manifests" copies it`)
	}
}

func TestShippedManifestsAreCurrent(t *testing.T) {
	files := map[string]string{manifests: plain(mustTemplate(t, "--skip-tests"))}
	for name, args := range valueSets(t) {
		if name != "defaults" {
			files[filepath.Join("testdata", name+".yaml")] = mustTemplate(t, args...)
		}
	}
	for file, want := range files {
		if *update {
			require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
			require.NoError(t, os.WriteFile(file, []byte(want), 0o644))
		}
		got, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, want, string(got), `"make manifests" writes it anew`)
	}
}

func TestWrongValuesAreRefused(t *testing.T) {
	for set, want := range map[string]string{
		"input=tcp":                           "at '/input': value must be one of 'udp', 'nano'",
		"listen.port=80":                      "at '/listen/port': minimum: got 80, want 1,024",
		"destination.syslog=siem":             "additional properties 'destination' not allowed",
		"destinations.syslog[0].port=514":     "missing property 'host'",
		"destinations.gelf[0].protocol=quic":  "value must be one of 'udp', 'tcp', 'tls'",
		"rules.own\\.txt=x":                   "invalid propertyName 'own.txt'",
		"fieldMaps.own\\.txt=x":               "invalid propertyName 'own.txt'",
		"goMemoryLimit=1G":                    "at '/goMemoryLimit'",
		"mode=sidecar":                        "at '/mode': value must be one of 'nano', 'logs', 'gateway'",
		"properties.blocking_level=2":         "at '/properties': additional properties 'blocking_level' not allowed",
		"properties.alert_to=stdout":          "at '/properties': additional properties 'alert_to' not allowed",
		"properties.emit_format=esc":          "at '/properties/emit_format': value must be one of 'msa', 'record', 'ecs'",
		"properties.keep=alerts":              "at '/properties': additional properties 'keep' not allowed",
		"filterProperties.kep=alerts":         "at '/filterProperties': additional properties 'kep' not allowed",
		"outputProperties.emit_tag=alert":     "at '/outputProperties': additional properties 'emit_tag' not allowed",
		"logs.positions=relative":             "at '/logs/positions'",
		"gateway.inputs[0].name=http":         "missing property 'port'",
		"extraPorts[0].port=514":              "at '/extraPorts/0'",
		"mode=gateway,inputProperties.a=b":    "inputProperties: in mode gateway, properties belong to an input of gateway.inputs",
		"incidents.aggregator=host":           "at '/incidents/aggregator'",
		"mode=gateway,incidents.enabled=true": "incidents.enabled: in mode gateway, one pod finds the incidents of all records",
		"destinations.syslog[0].host=a,destinations.syslog[0].ca=ca.crt": "destinations.syslog: ca needs tls.secret",
	} {
		t.Run(set, func(t *testing.T) {
			_, err := template(t, "--set", set)
			require.ErrorContains(t, err, want)
		})
	}
}
