//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// pasted is a pipeline of the README under its name.
var pasted = regexp.MustCompile("(?s)<!-- pipeline: (\\w+) -->\n```yaml\n(.*?)```")

// TestPipelinesOfTheReadmeAlert runs the pipelines as they are pasted, but for places in the file system and ports.
func TestPipelinesOfTheReadmeAlert(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	pipelines := map[string]string{}
	for _, m := range pasted.FindAllStringSubmatch(string(text), -1) {
		pipelines[m[1]] = m[2]
	}
	require.Len(t, pipelines, 3)
	onEach(t, func(t *testing.T, f fluentBit) {
		for name, try := range map[string]func(*testing.T, fluentBit, string){
			"nginx": tryNginx, "ingress": tryIngress, "nano": tryNano,
		} {
			t.Run(name, func(t *testing.T) { try(t, f, pipelines[name]) })
		}
	})
}

func tryNginx(t *testing.T, f fluentBit, yaml string) {
	dir := t.TempDir()
	file := filepath.Join(dir, "access.log")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	p := f.paste(t, dir, yaml, "/var/log/nginx/access.log", file)
	require.NoError(t, os.WriteFile(file, []byte(logOf(t, "plain line, nginx combined")), 0o644))
	a := p.printed()
	requireAlert(t, a)
}

func tryIngress(t *testing.T, f fluentBit, yaml string) {
	dir := t.TempDir()
	file, changes := containerLog(t, dir)
	p := f.paste(t, dir, yaml, changes...)
	require.NoError(t, os.WriteFile(file, []byte(containerLines(t)), 0o644))
	a := p.printed()
	requireAlert(t, a)
	require.Equal(t, []any{"shop", ingressPod}, []any{at(a, "orchestrator", "namespace"), at(a, "orchestrator", "resource", "name")})
}

func tryNano(t *testing.T, f fluentBit, yaml string) {
	port := loopback.Port(t)
	p := f.paste(t, t.TempDir(), yaml, "0.0.0.0:15155", fmt.Sprintf("127.0.0.1:%d", port))
	sendUDP(t, port, clean(t, 1), sample(t))
	a := p.printed()
	require.Equal(t, []any{"192.168.1.105", "192.168.1.55", "/?t=../../etc/passwd"}, []any{a["src_ip"], a["domain"], a["url"]})
}

// paste starts a pipeline of a page with changes for one machine.
func (f fluentBit) paste(t *testing.T, dir, yaml string, changes ...string) *pipeline {
	t.Helper()
	for i := 0; i < len(changes); i += 2 {
		require.Contains(t, yaml, changes[i])
	}
	p := f.launch(t, dir, strings.NewReplacer(changes...).Replace(yaml), "-e", plugin())
	p.waitReady(1)
	t.Cleanup(p.stop)
	return p
}

// printed waits for the one alert on the standard output.
func (p *pipeline) printed() (alert map[string]any) {
	p.t.Helper()
	p.wait("an alert on the standard output", func() bool {
		for line := range strings.Lines(p.log()) {
			if strings.HasPrefix(line, "{") && strings.HasSuffix(line, "\n") {
				return json.Unmarshal([]byte(line), &alert) == nil
			}
		}
		return false
	})
	require.Equal(p.t, 1, strings.Count(p.log(), "\n{")+strings.Count(p.log()[:1], "{"), "one alert for one attack: %s", p.log())
	return alert
}
