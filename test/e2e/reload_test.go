//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// reloading is a pipeline whose rules are in own.conf, and which lists both names of the plugin.
func reloading(t *testing.T, f fluentBit, port, httpPort int) *pipeline {
	t.Helper()
	dir := t.TempDir()
	writeRules(t, dir, "one")
	yaml := fmt.Sprintf(`
plugins:
  - %s
  - %s
`, plugin(), filepath.Join(filepath.Dir(plugin()), "flb-filter_waf.so")) + withUDP(port, `
    - name: waf
      match: nano.*
      rules: own.conf
      alert_on: match
      emit_tag: alert
      inspect_budget: off
`, toFile("alert", "alerts")+toFile("nano.*", "all")+`
    - name: waf
      match: nano.*
      rules: own.conf
      alert_on: match
      alert_to: file://`+dir+`/delivered
`)
	p := f.launch(t, dir, strings.Replace(yaml, "flush: 0.2", fmt.Sprintf(`flush: 0.2
  hot_reload: on
  http_server: on
  http_listen: 127.0.0.1
  http_port: %d`, httpPort), 1))
	p.waitReady(1)
	return p
}

// writeRules writes own.conf with a rule for a URL.
func writeRules(t *testing.T, dir, url string) {
	t.Helper()
	rule := fmt.Sprintf("SecRule REQUEST_URI \"@contains /%s\" \"id:1,phase:1,pass,severity:CRITICAL,msg:'%s'\"\n", url, url)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "own.conf"), []byte(rule), 0o644))
}

func withURL(t *testing.T, url string) []byte {
	t.Helper()
	return []byte(strings.ReplaceAll(string(sample(t)), "/?t=../../etc/passwd", url))
}

func TestHotReload(t *testing.T) {
	ways := map[string]func(t *testing.T, p *pipeline, httpPort, nth int){
		"by signal": func(_ *testing.T, p *pipeline, _, nth int) { p.reload(nth) },
		"over HTTP": func(t *testing.T, p *pipeline, httpPort, nth int) {
			client := http.Client{Timeout: patience}
			p.wait("a reload that is not refused", func() bool {
				answer, err := client.Post(fmt.Sprintf("http://127.0.0.1:%d/api/v2/reload", httpPort), "application/json", strings.NewReader("{}"))
				require.NoError(t, err)
				answer.Body.Close()
				return answer.StatusCode == http.StatusOK
			})
			p.waitReady(nth)
		},
	}
	for name, reload := range ways {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, f fluentBit) {
				port, httpPort := loopback.Port(t), loopback.Port(t)
				p := reloading(t, f, port, httpPort)
				both := func() { sendUDP(t, port, withURL(t, "/one"), withURL(t, "/two")) }
				alerts := func(n int, url string) {
					for _, file := range []string{"alerts", "delivered"} {
						require.Equal(t, url, p.records(file, n)[n-1]["msg"])
					}
				}
				both()
				alerts(1, "one")

				writeRules(t, p.dir, "two")
				reload(t, p, httpPort, 2)
				both()
				alerts(2, "two")

				require.NoError(t, os.WriteFile(filepath.Join(p.dir, "own.conf"), []byte("SecRule broken"), 0o644))
				time.Sleep(time.Second) // Fluent Bit refuses a reload while it believes in an earlier one
				reload(t, p, httpPort, 3)
				require.Contains(t, p.log(), "STAY IN USE")
				both()
				alerts(3, "two")
				p.records("all", 6)
				p.stop()
				for _, kind := range []string{"filter", "output"} {
					b := p.balance(kind)
					require.Equal(t, []int{6, 3}, []int{b.records, b.alerts}, "records and alerts of each %s in turn", kind)
				}
			})
		})
	}
}

// faulty builds the plugin that panics on chunks with certain tags, once.
var faulty = built("fault", "", "waf_fault")

// built returns what builds the plugin with an experiment of Go's and a further tag, once.
func built(name, experiment, tag string) func() (object string, err error) {
	return sync.OnceValues(func() (string, error) {
		dir := filepath.Join(root, "build", "work", name)
		object := filepath.Join(dir, "out_waf.so")
		build := exec.Command("go", "build", "-buildmode=c-shared", "-o", object, "-tags",
			"no_fs_access,coraza.disabled_operators.rbl,coraza.disabled_operators.inspectFile,"+tag, "./plugin")
		build.Dir = root
		build.Env = append(os.Environ(), "GOEXPERIMENT="+experiment)
		if out, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("building the plugin %s: %w\n%s", name, err, out)
		}
		link := filepath.Join(dir, "flb-filter_waf.so")
		if err := os.Symlink("out_waf.so", link); err != nil && !os.IsExist(err) {
			return "", err
		}
		return object, nil
	})
}

func TestPanicAfterFluentBitsOwnSignalsLetsRecordsPass(t *testing.T) {
	object, err := faulty()
	require.NoError(t, err)
	onEach(t, func(t *testing.T, f fluentBit) {
		port := loopback.Port(t)
		p := f.launch(t, t.TempDir(), strings.Replace(withUDP(port, `
    - name: waf
      match: '*'
      inspect_budget: off
`, toFile("'*'", "all")), "tag: nano.east", "tag: fault.nil", 1), "-e", object)
		p.waitReady(1)
		sendUDP(t, port, sample(t))
		p.records("all", 1)
		require.NoError(t, p.command.Process.Signal(syscall.SIGCONT))
		p.waitLog("caught signal (SIGCONT)")
		sendUDP(t, port, sample(t))
		for _, r := range p.records("all", 2) {
			require.Equal(t, decode(t, sample(t)), r)
		}
		p.waitLog("recovered from a panic")
		p.stop()
		require.Equal(t, 2, p.balance("filter").broken)
	})
}
