//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// recipe copies a pipeline of conf/logs to a directory, with changes for one machine.
func recipe(t *testing.T, dir, name string, changes ...string) (path string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "conf", "logs", name))
	require.NoError(t, err)
	for i := 0; i < len(changes); i += 2 {
		require.Contains(t, string(text), changes[i])
	}
	path = filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(strings.NewReplacer(changes...).Replace(string(text))), 0o644))
	return path
}

// attackOf returns the request that the recipes have to find.
func attackOf() *accesslog.Request {
	return accesslog.Browser("GET", "/search?q=1%27%20UNION%20SELECT%20password%20FROM%20users--")
}

// requireAlert requires that an alert in ECS tells what it has to tell whatever the source.
func requireAlert(t *testing.T, alert map[string]any) {
	t.Helper()
	require.Regexp(t, "^942", at(alert, "rule", "id"), "%v", alert)
	require.Equal(t, "198.51.100.23", at(alert, "source", "ip"), "%v", alert)
	require.Contains(t, at(alert, "url", "original"), "UNION", "%v", alert)
}

// at returns what stands in nested maps, nil when there is nothing.
func at(m any, keys ...string) any {
	for _, key := range keys {
		inside, _ := m.(map[string]any)
		m = inside[key]
	}
	return m
}

// logs returns a log of each format that needs no header line, with a clean request and an attack in it.
func logs(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, l := range accesslog.Lines() {
		if l.Directive == "" {
			all[l.Title] = l.Write(accesslog.Browser("GET", "/")) + "\n" + l.Write(attackOf()) + "\n"
		}
	}
	for _, s := range accesslog.Sources() {
		switch s.Title {
		case "nginx, JSON", "Envoy, Istio", "Traefik, headers kept", "Caddy", "ingress-nginx, JSON", "Envoy Gateway", "Kong Gateway", "AWS ALB":
			for _, r := range []*accesslog.Request{accesslog.Browser("GET", "/"), attackOf()} {
				line, err := json.Marshal(s.Record(r))
				require.NoError(t, err)
				all[s.Title] += string(line) + "\n"
			}
		}
	}
	require.Greater(t, len(all), 10)
	return all
}

func TestAccessLogsOfEveryFormatAlert(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		dir := t.TempDir()
		all := logs(t)
		file := func(title string) string { return filepath.Join(dir, strings.ReplaceAll(title, " ", "-")+".access") }
		for title := range all {
			require.NoError(t, os.WriteFile(file(title), nil, 0o644)) // tail looks for new files once a minute
		}
		p := f.run(t, dir, "-e", plugin(), "-c", recipe(t, dir, "access-log.yaml", "/var/log/nginx/access.log", filepath.Join(dir, "*.access")))
		p.waitReady(1)
		for title, text := range all {
			require.NoError(t, os.WriteFile(file(title), []byte(text), 0o644))
		}
		for _, alert := range p.records("alerts.ndjson", len(all)) {
			requireAlert(t, alert)
		}
		p.stop()
	})
}

func TestALongLineDoesNotHideWhatFollows(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		dir := t.TempDir()
		file := filepath.Join(dir, "access.log")
		require.NoError(t, os.WriteFile(file, nil, 0o644))
		p := f.run(t, dir, "-e", plugin(), "-c", recipe(t, dir, "access-log.yaml", "/var/log/nginx/access.log", file))
		p.waitReady(1)
		write := accesslog.Lines()[0].Write
		text := write(accesslog.Browser("GET", "/?"+strings.Repeat("a", 2<<20))) + "\n" + write(accesslog.Browser("GET", "/?"+strings.Repeat("a", 100<<10))) + "\n" + write(attackOf()) + "\n"
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		p.wait("the attack", func() bool { return strings.Contains(p.read("alerts.ndjson"), "UNION") })
		p.stop()
	})
}

func TestIngressLogsAlertWithTheirPod(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		dir := t.TempDir()
		const pod = "web-ingress-7d9c"
		require.NoError(t, os.WriteFile(filepath.Join(dir, "shop_"+pod+".meta"), []byte(`{"metadata":{"name":"`+pod+`","namespace":"shop","uid":"u-1"},"spec":{"nodeName":"node-1"}}`), 0o644))
		logs := filepath.Join(dir, "containers")
		require.NoError(t, os.Mkdir(logs, 0o755))
		file := filepath.Join(logs, pod+"_shop_controller-"+strings.Repeat("0", 64)+".log")
		require.NoError(t, os.WriteFile(file, nil, 0o644)) // tail looks for new files once a minute
		p := f.run(t, dir, "-e", plugin(), "-c", recipe(t, dir, "kubernetes-ingress.yaml",
			"/var/log/containers/", logs+"/", "merge_log: false", "merge_log: false\n      kube_meta_preload_cache_dir: "+dir+"\n      kube_tag_prefix: kube."+
				strings.ReplaceAll(strings.TrimPrefix(logs, "/"), "/", ".")+"."))
		p.waitReady(1)
		text := ""
		for _, r := range []*accesslog.Request{accesslog.Browser("GET", "/"), attackOf()} {
			line := accesslog.Lines()[0].Write(r)
			text += "2024-05-30T07:16:48.917000000Z stdout F " + line + "\n"
		}
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		a := p.records("alerts.ndjson", 1)[0]
		p.stop()
		requireAlert(t, a)
		require.Equal(t, []any{"shop", pod}, []any{at(a, "orchestrator", "namespace"), at(a, "orchestrator", "resource", "name")})
	})
}

func TestOpenTelemetryLogsAlert(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		dir, port := t.TempDir(), loopback.Port(t)
		p := f.run(t, dir, "-e", plugin(), "-c", recipe(t, dir, "opentelemetry.yaml", "4318", fmt.Sprint(port)))
		p.waitReady(1)
		for _, target := range []string{"/", attackOf().Target} {
			path, query, _ := strings.Cut(target, "?")
			body := fmt.Sprintf(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1717053408917000000","body":{"stringValue":"request"},"attributes":[`+
				`{"key":"http.request.method","value":{"stringValue":"GET"}},{"key":"url.path","value":{"stringValue":%q}},`+
				`{"key":"url.query","value":{"stringValue":%q}},{"key":"client.address","value":{"stringValue":"198.51.100.23"}},`+
				`{"key":"http.response.status_code","value":{"intValue":"200"}}]}]}]}]}`, path, query)
			require.Eventually(t, func() bool {
				answer, err := http.Post(fmt.Sprintf("http://127.0.0.1:%d/v1/logs", port), "application/json", strings.NewReader(body)) //nolint:noctx // bounded by the test
				if err != nil {
					return false
				}
				defer answer.Body.Close()
				return answer.StatusCode < 300
			}, patience, 50*time.Millisecond)
		}
		requireAlert(t, p.records("alerts.ndjson", 1)[0])
		p.stop()
	})
}
