package main

import (
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3"
	corazahttp "github.com/corazawaf/coraza/v3/http"
	"github.com/corazawaf/coraza/v3/types"

	"github.com/fluent-bit-waf/fluent-bit-waf/bench/ruleset"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

const oursName = "wafctl"

// contestant is a proxy in a process of its own.
type contestant struct {
	name, title, address string
	command              *exec.Cmd
	workers              bool // the work is done by a child of the process
	clean                func()
}

// start starts all contestants that are wanted and there.
func (p *plan) start(backend string) (all []*contestant, err error) {
	own, err := os.Executable()
	if err != nil {
		return nil, err
	}
	for _, c := range []struct {
		name, title string
		command     func(address string) (*exec.Cmd, func(), error)
	}{
		{"plain", "no WAF", func(at string) (*exec.Cmd, func(), error) {
			return exec.Command(own, "-serve", "plain", "-listen", at, "-backend", backend), nil, nil
		}},
		{"off", "wafctl proxy, engine off", func(at string) (*exec.Cmd, func(), error) { return p.wafctlProxy(at, backend, "--engine", "off") }},
		{oursName, "wafctl proxy", func(at string) (*exec.Cmd, func(), error) { return p.wafctlProxy(at, backend) }},
		{"coraza", "Coraza's handler", func(at string) (*exec.Cmd, func(), error) {
			return exec.Command(own, "-serve", "coraza", "-listen", at, "-backend", backend), nil, nil
		}},
		{"nginx", "nginx with libmodsecurity", func(at string) (*exec.Cmd, func(), error) { return nginx(at, backend) }},
	} {
		if !p.wants(c.name) {
			continue
		}
		port, err := loopback.FreePort()
		if err != nil {
			return all, err
		}
		one := &contestant{name: c.name, title: c.title, address: fmt.Sprintf("127.0.0.1:%d", port), workers: c.name == "nginx"}
		command, clean, err := c.command(one.address)
		if errors.Is(err, exec.ErrNotFound) {
			fmt.Fprintf(os.Stderr, "without %s: it is not installed\n", c.title)
			continue
		}
		if err != nil {
			return all, err
		}
		one.clean = clean
		all = append(all, one)
		if err := one.begin(command); err != nil {
			return all, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return all, nil
}

// begin starts the process on the first core, and waits until it answers.
func (c *contestant) begin(command *exec.Cmd) error {
	c.command = exec.Command("taskset", append([]string{"-c", "0", command.Path}, command.Args[1:]...)...)
	c.command.Env = append(os.Environ(), "GOMAXPROCS=1")
	c.command.Stderr = os.Stderr
	if err := c.command.Start(); err != nil {
		return err
	}
	for range 600 {
		conn, err := net.Dial("tcp", c.address)
		if err == nil {
			return conn.Close()
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("does not listen within a minute")
}

func (c *contestant) stop() {
	if c.command != nil && c.command.Process != nil {
		if c.command.Process.Signal(syscall.SIGTERM) == nil {
			_ = c.command.Wait() // nginx and the proxies of Go do not end with 0
		}
	}
	if c.clean != nil {
		c.clean()
	}
}

// cpu returns the processor time of the process, or of its child.
func (c *contestant) cpu() time.Duration {
	pid := c.command.Process.Pid
	if c.workers {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
		if fields := strings.Fields(string(text)); err == nil && len(fields) > 0 {
			pid, _ = strconv.Atoi(fields[0])
		}
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text)[strings.LastIndexByte(string(text), ')')+1:])
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// wafctlProxy has the same limits as the others, and writes its alerts to a file.
func (p *plan) wafctlProxy(at, backend string, more ...string) (*exec.Cmd, func(), error) {
	dir, err := os.MkdirTemp("", "wafctl-")
	if err != nil {
		return nil, nil, err
	}
	args := []string{"proxy", "--quiet", "--backend", "http://" + backend, "--listen", at, "--alert-to", "file://" + filepath.Join(dir, "alerts")}
	for name, value := range corpus.Settings {
		args = append(args, "--"+strings.ReplaceAll(name, "_", "-"), value)
	}
	return exec.Command(p.wafctl, append(args, more...)...), func() { _ = os.RemoveAll(dir) }, nil
}

// nginx is one worker with the rules as files.
func nginx(at, backend string) (*exec.Cmd, func(), error) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		return nil, nil, err
	}
	module := "/usr/lib/nginx/modules/ngx_http_modsecurity_module.so"
	if _, err := os.Stat(module); err != nil {
		return nil, nil, exec.ErrNotFound
	}
	dir, err := os.MkdirTemp("", "nginx-")
	if err != nil {
		return nil, nil, err
	}
	files, err := ruleset.Write(dir)
	if err != nil {
		return nil, nil, err
	}
	var includes strings.Builder
	for i, file := range files {
		fmt.Fprintf(&includes, "Include %s\n", file)
		if i == 0 {
			includes.WriteString("SecRuleEngine On\n")
		}
	}
	rules, config := filepath.Join(dir, "main.conf"), filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`load_module %s;
daemon off;
user root;
worker_processes 1;
error_log %s/error.log error;
pid %[2]s/pid;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path %[2]s/body;
  proxy_temp_path %[2]s/proxy;
  keepalive_requests 100000000;
  client_body_buffer_size 128k;
  upstream backend { server %[3]s; keepalive 64; keepalive_requests 100000000; }
  server {
    listen %[4]s;
    modsecurity on;
    modsecurity_rules_file %[5]s;
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
    }
  }
}
`, module, dir, backend, at, rules)
	err = errors.Join(os.WriteFile(rules, []byte(includes.String()), 0o600), os.WriteFile(config, []byte(text), 0o600))
	return exec.Command(program, "-c", config, "-p", dir), func() { _ = os.RemoveAll(dir) }, err
}

// serveAs is a contestant of Go: the standard library's reverse proxy, alone or behind Coraza's handler.
func serveAs(kind, listen, backend string) error {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: backend})
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		Transport: &http.Transport{MaxIdleConns: 512, MaxIdleConnsPerHost: 512, DisableCompression: true},
	}
	var handler http.Handler = proxy
	if kind == "coraza" {
		waf, err := newCoraza()
		if err != nil {
			return err
		}
		handler = corazahttp.WrapHandler(waf, proxy)
	}
	server := &http.Server{Addr: listen, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}

func newCoraza() (coraza.WAF, error) {
	file, err := os.CreateTemp("", "coraza-*.log")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, err
	}
	lines := log.New(file, "", 0)
	directives := []string{
		"Include " + ruleset.Recommended, "SecRuleEngine On", "Include " + ruleset.Setup, ruleset.SiteSettings(), "Include " + ruleset.Rules + ".conf",
		ruleset.SiteExceptions(),
	}
	return coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(coreruleset.FS).WithDirectives(strings.Join(directives, "\n")).
		WithErrorCallback(func(m types.MatchedRule) { lines.Print(m.ErrorLog()) }))
}
