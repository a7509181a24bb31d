package auth

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/syncbuffer"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testtool"
)

// ingress is a real program that asks an endpoint, with its configuration from conf/auth.
type ingress struct {
	t        *testing.T
	endpoint *running
	address  string
	backend  atomic.Int64 // requests that have arrived there
}

// ingressOf starts a program in front of a backend. Files are those of conf/auth that it is given, with ports of the test; the first
// one is its configuration.
func ingressOf(t *testing.T, program string, files []string, args func(g *ingress, dir string) []string) *ingress {
	t.Helper()
	packages := map[string]string{"nginx": "nginx-light", "caddy": "caddy", "haproxy": "haproxy"} // Debian has no Traefik
	path := testtool.Program(t, program, packages[program])
	g := &ingress{t: t, endpoint: run(t, setting.Map{"emit_format": "record"}), address: loopback.Address(t)}
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.backend.Add(1)
		body, _ := io.ReadAll(r.Body)                                               // a client that goes away is none of the test's
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.RequestURI, r.Host, string(body)) //nolint:errcheck // as above
	}))
	t.Cleanup(backend.Close)
	_, port, err := net.SplitHostPort(g.address)
	require.NoError(t, err)
	dir := t.TempDir()
	change := strings.NewReplacer("127.0.0.1:9000", g.endpoint.address, "127.0.0.1:3000", strings.TrimPrefix(backend.URL, "http://"),
		"listen 8080", "listen "+g.address, "bind :8080", "bind "+g.address, ":8080 {", "http://:"+port+" {\n\tbind 127.0.0.1",
		"lua-load ", "lua-load "+dir+"/",
		// Programs that give up the endpoint of a busy machine answer something else.
		"timeout: 2s", "timeout: 1m", "timeout connect 2s", "timeout connect 1m", "timeout = 2000", "timeout = 60000",
		"proxy_connect_timeout 1s", "proxy_connect_timeout 1m", "proxy_read_timeout 2s", "proxy_read_timeout 1m")
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join("../../../conf/auth", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(change.Replace(string(text))), 0o600))
	}
	cmd := exec.Command(path, args(g, dir)...)
	cmd.Dir = dir
	var log syncbuffer.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &log, &log, append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	cmd.WaitDelay = 10 * time.Second
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // nginx ends its workers then
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
		}
		if <-ended; t.Failed() {
			t.Log(log.String())
		}
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", g.address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, 30*time.Second, 20*time.Millisecond, "%s does not listen: %s", program, &log)
	return g
}

// ask sends a request through the ingress, and returns the answer. Headers are names and values in turn.
func (g *ingress) ask(method, target, body string, header ...string) (status int, text string) {
	g.t.Helper()
	request, err := http.NewRequest(method, "http://"+g.address, strings.NewReader(body))
	require.NoError(g.t, err)
	path, query, _ := strings.Cut(target, "?")
	request.URL.Opaque, request.URL.RawQuery, request.Host = path, query, "shop.example"
	if body == "" {
		request.Body = http.NoBody
	}
	request.Header.Set("User-Agent", "Mozilla/5.0")
	request.Header.Set("Accept", "*/*")
	for i := 0; i < len(header); i += 2 {
		request.Header.Add(header[i], header[i+1])
	}
	client := &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: 20 * time.Second}
	response, err := client.RoundTrip(request)
	require.NoError(g.t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(g.t, err)
	return response.StatusCode, string(answer)
}

// blocks asks what is true of all callers: attacks do not arrive, nothing else is held back, and a client cannot describe another
// request than its own.
func (g *ingress) blocks(caller string, withBodies bool) {
	t := g.t
	t.Helper()
	status, text := g.ask("GET", clean, "")
	require.Equal(t, 200, status, text)
	require.Equal(t, "GET /shoes?size=42 shop.example ", text)
	status, text = g.ask("POST", "/login", "user=jo", "Content-Type", form)
	require.Equal(t, 200, status, text)
	require.Equal(t, "POST /login shop.example user=jo", text)

	arrived := g.backend.Load()
	for name, c := range map[string][]string{
		"a target":          {"GET", attack, ""},
		"an encoded target": {"GET", "/?%64o=%27drop%20table%27", ""},
		"a header":          {"GET", "/", "", "Referer", "<script>alert(1)</script>"},
		"dots":              {"GET", "/a/b/.%2e/.%2e/etc/passwd", ""},
	} {
		status, text = g.ask(c[0], c[1], c[2], c[3:]...)
		if name == "dots" && (caller == "traefik" || caller == "crowdsec") { // Traefik resolves them first, for the endpoint as well
			require.Equal(t, "GET /etc/passwd shop.example ", text)
			arrived++
			continue
		}
		require.Equal(t, 403, status, "%s: %s", name, text)
	}
	for _, name := range []string{"X-Forwarded-Uri", "X-Original-Uri", "X-Original-Url", "X-Crowdsec-Appsec-Uri", "X_Forwarded_Uri", "X-Forwarded-Method"} {
		for _, value := range []string{"/", "http://shop.example/", "GET"} {
			status, _ = g.ask("GET", attack, "", name, value)
			require.NotEqual(t, 200, status, "%s: %s", name, value)
		}
	}
	status, _ = g.ask("GET", attack, "", "Connection", "X-Forwarded-Uri, X-Original-URL, X-Forwarded-Method")
	require.NotEqual(t, 200, status)
	require.Equal(t, arrived, g.backend.Load(), "nothing of this reaches the backend")

	status, _ = g.ask("POST", "/login", "do='drop table'", "Content-Type", form)
	require.Equal(t, map[bool]int{true: 403, false: 200}[withBodies], status, "a body")
	require.NotZero(t, g.endpoint.counts.asked[caller].Load())
	g.endpoint.end()
	alerts := g.endpoint.alerts.String()
	require.Contains(t, alerts, `"outcome":"blocked"`)
	require.Contains(t, alerts, `"inspected":"uri,headers"`)
	require.NotRegexp(t, `"id":920\d+`, alerts, "no rule is about how the caller describes requests")
}

// statusFor returns how an attack is answered whose host no client library sends.
func (g *ingress) statusFor(host string) int {
	g.t.Helper()
	conn, err := net.Dial("tcp", g.address)
	require.NoError(g.t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: x\r\n\r\n", attack, host)
	require.NoError(g.t, err)
	require.NoError(g.t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(g.t, err)
	require.NoError(g.t, answer.Body.Close())
	return answer.StatusCode
}

func TestNginxAsks(t *testing.T) {
	g := ingressOf(t, "nginx", []string{"nginx.conf"}, func(_ *ingress, dir string) []string {
		return []string{"-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", "stderr", "-g", fmt.Sprintf("daemon off; pid %s/pid; error_log stderr;", dir)}
	})
	status, text := g.ask("GET", attack, "")
	require.Equal(t, 403, status)
	require.Regexp(t, `give this ID: [0-9a-f]{32}`, text)
	for _, host := range []string{"shop.example#", "shop.example?a=", "x@shop.example"} {
		require.NotEqual(t, 200, g.statusFor(host), "a host that hides the target")
	}
	g.blocks("nginx", false)
}

func TestCaddyAsks(t *testing.T) {
	g := ingressOf(t, "caddy", []string{"Caddyfile"}, func(_ *ingress, dir string) []string {
		file := filepath.Join(dir, "Caddyfile")
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, append([]byte("{\n\tadmin off\n}\n"), text...), 0o600)) // its default port may be in use
		return []string{"run", "--config", file, "--adapter", "caddyfile"}
	})
	status, text := g.ask("GET", attack, "")
	require.Equal(t, 403, status)
	require.Contains(t, text, "give this ID", "the page of the endpoint")
	g.blocks("caddy", false)
}

func TestHAProxyAsks(t *testing.T) {
	g := ingressOf(t, "haproxy", []string{"haproxy.cfg", "haproxy.lua"}, func(_ *ingress, dir string) []string {
		return []string{"-db", "-f", filepath.Join(dir, "haproxy.cfg")}
	})
	status, text := g.ask("GET", attack, "")
	require.Equal(t, 403, status)
	require.Regexp(t, `give this ID: [0-9a-f]{32}`, text)
	g.blocks("haproxy", false)
}

func TestTraefikAsks(t *testing.T) {
	g := ingressOf(t, "traefik", []string{"traefik-dynamic.yaml"}, func(g *ingress, _ string) []string {
		return []string{"--providers.file.filename=traefik-dynamic.yaml", "--entrypoints.web.address=" + g.address}
	})
	g.waitForRoutes()
	g.blocks("traefik", true)
}

// CROWDSEC_BOUNCER is a directory with the source of Traefik's plugin.
func TestTheBouncerOfCrowdSecAsks(t *testing.T) {
	source := os.Getenv("CROWDSEC_BOUNCER")
	if source == "" {
		t.Skip("CROWDSEC_BOUNCER is not set")
	}
	const module = "github.com/maxlerebourg/crowdsec-bouncer-traefik-plugin"
	g := ingressOf(t, "traefik", []string{"traefik-crowdsec.yaml"}, func(g *ingress, dir string) []string {
		at := filepath.Join(dir, "plugins-local/src", module)
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o700))
		require.NoError(t, os.CopyFS(at, os.DirFS(source)))
		return []string{"--providers.file.filename=traefik-crowdsec.yaml", "--entrypoints.web.address=" + g.address, "--experimental.localPlugins.bouncer.modulename=" + module}
	})
	g.waitForRoutes()
	g.blocks("crowdsec", true)
}

// waitForRoutes waits for Traefik, which listens before it has any.
func (g *ingress) waitForRoutes() {
	g.t.Helper()
	require.Eventually(g.t, func() bool { status, _ := g.ask("GET", clean, ""); return status != 404 }, 30*time.Second, 20*time.Millisecond)
}
