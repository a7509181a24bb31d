//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
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

// requireAlert requires that an alert in ECS is complete, whatever the source.
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

// fileRecipes are the recipes for log files: what their path is, and the logs that they read, by title in package accesslog.
var fileRecipes = map[string]struct {
	path   string
	titles []string
}{
	"nginx.yaml":      {"/var/log/nginx/access.log", []string{"plain line, nginx combined"}},
	"nginx-json.yaml": {"/var/log/nginx/access.json", []string{"nginx, JSON"}},
	"apache.yaml":     {"/var/log/apache2/*access.log", []string{"plain line, Apache vhost_combined", "plain line, Apache common"}},
	"traefik.yaml":    {"/var/log/traefik/access.log", []string{"Traefik, headers kept", "plain line, nginx combined"}},
	"haproxy.yaml":    {"/var/log/haproxy.log", []string{"plain line, HAProxy, Host, User-Agent and Referer captured"}},
	"envoy.yaml":      {"/var/log/envoy/access.log", []string{"Envoy, Istio", "Envoy Gateway", "plain line, Envoy", "plain line, Istio"}},
	"aws-alb.yaml":    {"/var/log/alb/*.log", []string{"plain line, AWS ALB"}},
}

// otherRecipes are the recipes with a test of their own.
var otherRecipes = []string{"kubernetes-ingress.yaml", "opentelemetry.yaml", "syslog.yaml"}

func TestEveryRecipeIsTried(t *testing.T) {
	files, err := os.ReadDir(filepath.Join(root, "conf", "logs"))
	require.NoError(t, err)
	require.Len(t, files, len(fileRecipes)+len(otherRecipes))
	for _, f := range files {
		_, found := fileRecipes[f.Name()]
		require.True(t, found || slices.Contains(otherRecipes, f.Name()), f.Name())
	}
}

// logOf returns a log with a clean request and an attack in it, as a program writes it.
func logOf(t *testing.T, title string) (text string) {
	t.Helper()
	for _, r := range []*accesslog.Request{accesslog.Browser("GET", "/"), attackOf()} {
		text += lineOf(t, title, r) + "\n"
	}
	return text
}

func lineOf(t *testing.T, title string, r *accesslog.Request) string {
	t.Helper()
	for _, l := range accesslog.Lines() {
		if l.Title == title {
			return l.Write(r)
		}
	}
	for _, s := range accesslog.Sources() {
		if s.Title == title {
			line, err := json.Marshal(s.Record(r))
			require.NoError(t, err)
			return string(line)
		}
	}
	require.FailNow(t, "no log", title)
	return ""
}

func TestLogFilesAlert(t *testing.T) {
	for name, r := range fileRecipes {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, f fluentBit) {
				dir := t.TempDir()
				file := func(i int) string { return filepath.Join(dir, fmt.Sprintf("%d.access", i)) }
				for i := range r.titles {
					require.NoError(t, os.WriteFile(file(i), nil, 0o644)) // tail looks for new files once a minute
				}
				p := f.run(t, dir, "-e", plugin(), "-c", recipe(t, dir, name, r.path, filepath.Join(dir, "*.access")))
				p.waitReady(1)
				for i, title := range r.titles {
					require.NoError(t, os.WriteFile(file(i), []byte(logOf(t, title)), 0o644))
				}
				for _, alert := range p.records("alerts.ndjson", len(r.titles)) {
					requireAlert(t, alert)
				}
				p.stop()
			})
		})
	}
}

func TestSyslogMessagesAlert(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		dir, port := t.TempDir(), loopback.Port(t)
		p := f.run(t, dir, "-e", plugin(), "-c", recipe(t, dir, "syslog.yaml", "5140", fmt.Sprint(port)))
		p.waitReady(1)
		haproxy := lineOf(t, "plain line, HAProxy, Host, User-Agent and Referer captured", attackOf())
		nginx := "<190>May 30 07:16:48 web1 nginx: " + lineOf(t, "plain line, nginx combined", attackOf())
		json := "<190>1 2024-05-30T07:16:48.917Z web1 nginx - - - " + lineOf(t, "nginx, JSON", attackOf())
		sendUDP(t, port, []byte(haproxy), []byte(nginx), []byte(json))
		for _, alert := range p.records("alerts.ndjson", 3) {
			requireAlert(t, alert)
		}
		p.stop()
	})
}

// ingressPod is the pod of the ingress controller.
const ingressPod = "web-ingress-7d9c"

// containerLog makes the log of a container on a node whose metadata is known without an API server. It returns the changes that the
// pipeline needs.
func containerLog(t *testing.T, dir string) (file string, changes []string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "shop_"+ingressPod+".meta"),
		[]byte(`{"metadata":{"name":"`+ingressPod+`","namespace":"shop","uid":"u-1"},"spec":{"nodeName":"node-1"}}`), 0o644))
	logs := filepath.Join(dir, "containers")
	require.NoError(t, os.Mkdir(logs, 0o755))
	file = filepath.Join(logs, ingressPod+"_shop_controller-"+strings.Repeat("0", 64)+".log")
	require.NoError(t, os.WriteFile(file, nil, 0o644)) // tail looks for new files once a minute
	return file, []string{
		"/var/log/containers/", logs + "/", "merge_log: false", "merge_log: false\n      kube_meta_preload_cache_dir: " + dir +
			"\n      kube_tag_prefix: kube." + strings.ReplaceAll(strings.TrimPrefix(logs, "/"), "/", ".") + ".",
	}
}

// containerLines are a clean request and an attack as a container runtime writes them.
func containerLines(t *testing.T) (text string) {
	t.Helper()
	for line := range strings.Lines(logOf(t, "plain line, nginx combined")) {
		text += "2024-05-30T07:16:48.917000000Z stdout F " + line
	}
	return text
}

func TestIngressLogsAlertWithTheirPod(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		dir := t.TempDir()
		file, changes := containerLog(t, dir)
		p := f.run(t, dir, "-e", plugin(), "-c", recipe(t, dir, "kubernetes-ingress.yaml", changes...))
		p.waitReady(1)
		require.NoError(t, os.WriteFile(file, []byte(containerLines(t)), 0o644))
		a := p.records("alerts.ndjson", 1)[0]
		p.stop()
		requireAlert(t, a)
		require.Equal(t, []any{"shop", ingressPod}, []any{at(a, "orchestrator", "namespace"), at(a, "orchestrator", "resource", "name")})
	})
}

func TestALongLineDoesNotHideWhatFollows(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		dir := t.TempDir()
		file := filepath.Join(dir, "access.log")
		require.NoError(t, os.WriteFile(file, nil, 0o644))
		p := f.run(t, dir, "-e", plugin(), "-c", recipe(t, dir, "nginx.yaml", "/var/log/nginx/access.log", file))
		p.waitReady(1)
		write := accesslog.Lines()[0].Write
		text := write(accesslog.Browser("GET", "/?"+strings.Repeat("a", 2<<20))) + "\n" + write(accesslog.Browser("GET", "/?"+strings.Repeat("a", 100<<10))) + "\n" + write(attackOf()) + "\n"
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		p.wait("the attack", func() bool { return strings.Contains(p.read("alerts.ndjson"), "UNION") })
		p.stop()
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
