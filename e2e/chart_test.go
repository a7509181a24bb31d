//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// configMaps returns the data of the ConfigMaps of a rendered chart by the last part of their names.
func configMaps(t *testing.T, file string) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "build", file))
	require.NoError(t, err)
	all := map[string]map[string]string{}
	for documents := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var object struct {
			Kind     string
			Metadata struct{ Name string }
			Data     map[string]string
		}
		err := documents.Decode(&object)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		if object.Kind == "ConfigMap" {
			all[strings.TrimPrefix(object.Metadata.Name, "fluent-bit-waf-")] = object.Data
		}
	}
}

// mount lays files down as Kubernetes mounts a ConfigMap: behind links, so that they can change together.
func mount(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	version := filepath.Join(dir, "..2026_11_22_16_00_00.1")
	require.NoError(t, os.MkdirAll(version, 0o755))
	require.NoError(t, os.Symlink(filepath.Base(version), filepath.Join(dir, "..data")))
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(version, name), []byte(text), 0o644))
		require.NoError(t, os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)))
	}
}

// shippedPipeline returns the pipeline in a rendered chart, or that of the image.
func shippedPipeline(t *testing.T, file string) (pipeline string, mounts map[string]map[string]string) {
	t.Helper()
	if filepath.Dir(file) != "docker" {
		maps := configMaps(t, file)
		return maps["pipeline"]["pipeline.yaml"], maps
	}
	text, err := os.ReadFile(filepath.Join(root, "build", file))
	require.NoError(t, err)
	return string(text), nil
}

// TestChartPipelines runs what the chart makes of values, as a pod does, and what the image runs by itself, with free ports and a receiver of this machine.
func TestChartPipelines(t *testing.T) {
	for _, file := range []string{"kubernetes/fluent-bit-waf.yaml", "tools/chart/testdata/destinations.yaml", "docker/pipeline.yaml"} {
		t.Run(file, func(t *testing.T) {
			text, maps := shippedPipeline(t, file)
			onEach(t, func(t *testing.T, f fluentBit) {
				syslog, err := net.ListenPacket("udp", "127.0.0.1:0")
				require.NoError(t, err)
				defer syslog.Close()
				dir, nanoPort, httpPort := t.TempDir(), loopback.Port(t), loopback.Port(t)
				for _, name := range []string{"rules", "field-maps"} {
					if maps[name] != nil {
						mount(t, filepath.Join(dir, name), maps[name])
					}
				}
				var config map[string]map[string]any
				require.NoError(t, yaml.Unmarshal([]byte(text), &config))
				config["service"]["http_port"] = httpPort
				config["service"]["http_listen"] = "127.0.0.1"
				input := config["pipeline"]["inputs"].([]any)[0].(map[string]any)
				args := []string{"-e", plugin()}
				if input["name"] == "nano" {
					args = append(args, "-e", intakeObject())
					input["listen_on"] = fmt.Sprintf("udp://127.0.0.1:%d", nanoPort)
				} else {
					input["port"], input["listen"] = nanoPort, "127.0.0.1"
				}
				output := config["pipeline"]["outputs"].([]any)[0].(map[string]any)
				output["alert_to"] = "syslog+udp://" + syslog.LocalAddr().String()
				if output["metrics_listen"] != nil {
					output["metrics_listen"] = fmt.Sprintf("127.0.0.1:%d", loopback.Port(t))
				}
				changed, err := yaml.Marshal(config)
				require.NoError(t, err)

				p := f.launch(t, dir, strings.ReplaceAll(string(changed), "/etc/fluent-bit-waf", dir), args...)
				p.waitReady(1)
				sendUDP(t, nanoPort, clean(t, 1), sample(t))
				assert.Contains(t, receive(t, syslog), `"rule_id":"932`)
				for _, probe := range []string{"/", "/api/v1/health", "/api/v2/metrics/prometheus"} {
					p.wait(probe, func() bool {
						answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", httpPort, probe))
						if err != nil {
							return false // Kubernetes asks again, too
						}
						answer.Body.Close()
						return answer.StatusCode == http.StatusOK
					})
				}
				p.stop()
			})
		})
	}
}
