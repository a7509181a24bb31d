//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testtool"
)

// TestPlayground runs the pipeline of build/playground behind a real nginx with the playground's site: each button of the page has to make an alert
// at a Loki, ordinary requests none.
func TestPlayground(t *testing.T) {
	nginx := testtool.Program(t, "nginx", "nginx-light")
	folder := filepath.Join(root, "build", "playground")
	page, err := os.ReadFile(filepath.Join(folder, "page", "index.html"))
	require.NoError(t, err)
	var attacks []string
	for _, m := range regexp.MustCompile(`data-target="([^"]+)"`).FindAllStringSubmatch(string(page), -1) {
		attacks = append(attacks, html.UnescapeString(m[1]))
	}
	require.GreaterOrEqual(t, len(attacks), 8)
	list := regexp.MustCompile(`const pages = (\[.*?\]);`).FindSubmatch(page)
	require.NotNil(t, list)
	var ordinary []string
	require.NoError(t, json.Unmarshal(list[1], &ordinary))

	onEach(t, func(t *testing.T, f fluentBit) {
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, "logs"), 0o755))
		site := serve(t, nginx, folder, dir)
		loki := newLoki(t)
		text, err := os.ReadFile(filepath.Join(folder, "pipeline.yaml"))
		require.NoError(t, err)
		metrics := loopback.Address(t)
		config := strings.NewReplacer("/logs/", dir+"/logs/", "host: loki", "host: "+loki.host, "port: 3100", "port: "+loki.port, "0.0.0.0:2021", metrics).Replace(string(text))
		p := f.launch(t, dir, config, "-e", plugin())
		p.waitReady(1)
		for _, target := range ordinary {
			require.Less(t, visit(t, site+target), 400, target)
		}
		for _, target := range attacks {
			status := visit(t, site+target)
			require.Equal(t, strings.HasPrefix(target, "/."), status == http.StatusForbidden, target)
		}
		for range attacks {
			alert := loki.next(p)
			assert.Equal(t, "203.0.113.7", at(alert, "source", "ip"))
			target, _ := at(alert, "url", "original").(string)
			assert.Contains(t, attacks, target)
			outcome, _ := at(alert, "event", "outcome").(string)
			assert.Equal(t, strings.HasPrefix(target, "/."), outcome == "failure", "a refused attack")
		}
		body := loopback.Get(t, "http://"+metrics+"/metrics")
		assert.Regexp(t, fmt.Sprintf(`waf_records_total\{[^}]*result="clean"[^}]*\} %d\n`, len(ordinary)), body)
		p.stop()
		assert.Empty(t, loki.alerts, "ordinary requests")
	})
}

// serve starts nginx with the playground's site and returns its URL.
func serve(t *testing.T, nginx, folder, dir string) string {
	t.Helper()
	site, err := os.ReadFile(filepath.Join(folder, "nginx.conf"))
	require.NoError(t, err)
	address := loopback.Address(t)
	local := strings.NewReplacer("listen 8080", "listen "+address, "/logs/", dir+"/logs/", "/usr/share/nginx/html", filepath.Join(folder, "page")).Replace(string(site))
	paths := ""
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		paths += fmt.Sprintf("%s_temp_path %s/%s;\n", name, dir, name)
	}
	main := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(main, []byte(fmt.Sprintf("daemon off;\nmaster_process off;\npid %s/nginx.pid;\nerror_log %s/error.log;\nevents {}\nhttp {\n%s%s}\n", dir, dir, paths, local)), 0o600))
	cmd := exec.Command(nginx, "-e", filepath.Join(dir, "error.log"), "-c", main, "-p", dir)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended
		cmd.Wait()                          //nolint:errcheck // a signal ends it
	})
	require.Eventually(t, func() bool {
		answer, err := http.Get("http://" + address + "/") //nolint:noctx // bounded by the test
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}, patience, glance)
	require.NoError(t, os.Truncate(filepath.Join(dir, "logs", "access.log"), 0))
	return "http://" + address
}

// visit sends a request as the page does, from an address of its choice.
func visit(t *testing.T, target string) (status int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	require.NoError(t, err)
	request.Header.Set("X-Forwarded-For", "203.0.113.7")
	request.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	answer.Body.Close()
	return answer.StatusCode
}

// loki takes what Fluent Bit's output loki pushes.
type loki struct {
	host, port string
	alerts     chan map[string]any
}

func newLoki(t *testing.T) *loki {
	t.Helper()
	l := &loki{alerts: make(chan map[string]any, 100)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var push struct {
			Streams []struct {
				Stream map[string]string
				Values [][]string
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&push); err != nil || r.URL.Path != "/loki/api/v1/push" {
			http.Error(w, "no push", http.StatusBadRequest)
			return
		}
		for _, stream := range push.Streams {
			for _, value := range stream.Values {
				alert := map[string]any{}
				if stream.Stream["job"] == "fluent-bit-waf" && json.Unmarshal([]byte(value[1]), &alert) == nil {
					l.alerts <- alert
				}
			}
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	require.NoError(t, err)
	l.host, l.port = address.Hostname(), address.Port()
	return l
}

// next waits for an alert.
func (l *loki) next(p *pipeline) (alert map[string]any) {
	p.t.Helper()
	p.wait("an alert at Loki", func() bool {
		select {
		case alert = <-l.alerts:
			return true
		default:
			return false
		}
	})
	return alert
}
