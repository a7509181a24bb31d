//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// installed is where the shipped configurations expect the plugin.
const installed = "/usr/lib/fluent-bit-waf/"

// shipped copies conf/ to a directory, with free ports in place of those of a real machine and the built plugin in place of
// the installed one.
func shipped(t *testing.T, dir string, nanoPort, syslogPort int) {
	t.Helper()
	change := strings.NewReplacer(
		"15155", fmt.Sprint(nanoPort),
		"514", fmt.Sprint(syslogPort),
		"2020", fmt.Sprint(loopback.Port(t)),
		installed, filepath.Dir(plugin())+"/",
	)
	files, err := os.ReadDir(filepath.Join(root, "conf"))
	require.NoError(t, err)
	for _, f := range files {
		if f.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, "conf", f.Name()))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, f.Name()), []byte(unhurried(change.Replace(string(text)))), 0o644))
	}
}

var wafName = regexp.MustCompile(`(?m)^([ -]*)[Nn]ame(:?) +waf$`)

// unhurried has a shipped configuration inspect everything, however busy the machine is. Outputs do so anyway.
func unhurried(text string) string {
	if strings.Contains(text, "alert_to:") {
		return text
	}
	return wafName.ReplaceAllStringFunc(text, func(line string) string {
		found := wafName.FindStringSubmatch(line)
		return line + "\n" + strings.Repeat(" ", len(found[1])) + "inspect_budget" + found[2] + " off"
	})
}

// pipelines are the configurations of conf/ that Fluent Bit is started with.
func pipelines(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.yaml", "*.conf"} {
		files, err := filepath.Glob(filepath.Join(root, "conf", pattern))
		require.NoError(t, err)
		for _, f := range files {
			if name := filepath.Base(f); name != "plugins.conf" {
				all = append(all, name)
			}
		}
	}
	require.NotEmpty(t, all)
	return all
}

func TestShippedPipelines(t *testing.T) {
	for _, name := range pipelines(t) {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, f fluentBit) {
				syslog, err := net.ListenPacket("udp", "127.0.0.1:0")
				require.NoError(t, err)
				defer syslog.Close()
				dir, port := t.TempDir(), loopback.Port(t)
				shipped(t, dir, port, syslog.LocalAddr().(*net.UDPAddr).Port)

				args := []string{"-e", plugin()}
				if text, _ := os.ReadFile(filepath.Join(dir, name)); strings.Contains(string(text), "plugins_file") {
					args = nil
				}
				p := f.run(t, dir, append(args, "-c", filepath.Join(dir, name))...)
				p.waitReady(1)
				sendUDP(t, port, clean(t, 1), sample(t))
				p.records("nano.jsonl", 2)
				alert := receive(t, syslog)
				p.stop()

				require.True(t, strings.HasPrefix(alert, "<162>1 "), alert)
				for _, part := range []string{" 10.64.1.254 fluent-bit-waf ", "Remote Command Execution: Unix Shell Code Found"} {
					require.Contains(t, alert, part)
				}
				if name == "nano-syslog.yaml" {
					require.Contains(t, alert, `rule_id="932160"`)
					require.Contains(t, alert, `src_ip="192.168.1.105"`)
				}
			})
		})
	}
}

func receive(t *testing.T, c net.PacketConn) string {
	t.Helper()
	buffer := make([]byte, 64<<10)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
	n, _, err := c.ReadFrom(buffer)
	require.NoError(t, err)
	return string(buffer[:n])
}
