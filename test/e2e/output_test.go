//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testtool"
)

// rsyslog starts a real rsyslogd that writes what comes over TCP to a file, one message a line, and returns that file.
func rsyslog(t *testing.T, port int) (file string) {
	t.Helper()
	program := testtool.Program(t, "rsyslogd", "rsyslog")
	dir := t.TempDir()
	file = filepath.Join(dir, "received")
	config := filepath.Join(dir, "rsyslog.conf")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
global(workDirectory="%[1]s" maxMessageSize="64k")
module(load="imtcp")
input(type="imtcp" address="127.0.0.1" port="%[2]d")
template(name="whole" type="string" string="%%pri%% %%app-name%% %%msg%%\n")
action(type="omfile" file="%[3]s" template="whole" asyncWriting="off")
`, dir, port, file), 0o644))
	run := exec.Command(program, "-n", "-f", config, "-i", filepath.Join(dir, "pid"))
	run.Stdout, run.Stderr = os.Stdout, os.Stderr
	require.NoError(t, run.Start())
	t.Cleanup(func() {
		require.NoError(t, run.Process.Kill())
		_, err := run.Process.Wait()
		require.NoError(t, err)
	})
	return file
}

func TestOutputDeliversToRsyslogOnceItIsUp(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		port, syslogPort := loopback.Port(t), loopback.Port(t)
		p := f.start(t, withUDP(port, " []", fmt.Sprintf(`
    - name: waf
      match: nano.*
      alert_to: syslog+tcp://127.0.0.1:%d, file://DIR/alerts
      retry_limit: no_limits
`, syslogPort)+toFile("nano.*", "all")))
		sendUDP(t, port, clean(t, 1), sample(t))
		p.records("alerts", 1)
		p.waitLog("connection refused")

		received := rsyslog(t, syslogPort)
		p.wait("the alert in rsyslog's file", func() bool {
			data, _ := os.ReadFile(received)
			return strings.Contains(string(data), `"rule_id":"932160"`)
		})
		p.waitLog("succeeded at retry")
		p.records("alerts", 1) // the retry did not repeat it there
		p.records("all", 2)
		p.stop()
		data, err := os.ReadFile(received)
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(data), "\n"), "%s", data)
	})
}

func TestOutputFeedsFluentBitsForwardInput(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		port, forwardPort := loopback.Port(t), loopback.Port(t)
		p := f.start(t, strings.Replace(withUDP(port, " []", fmt.Sprintf(`
    - name: waf
      match: nano.*
      alert_to: forward://127.0.0.1:%d?tag=alert.web
`, forwardPort)+toFile("alert.web", "alerts")+toFile("nano.*", "all")), "  inputs:", fmt.Sprintf(`  inputs:
    - name: forward
      listen: 127.0.0.1
      port: %d`, forwardPort), 1))
		sendUDP(t, port, sample(t), clean(t, 1))
		alert := p.records("alerts", 1)[0]
		p.records("all", 2)
		p.stop()
		require.Equal(t, "932160", alert["rule_id"])
		require.Equal(t, "/?t=../../etc/passwd", alert["url"])
	})
}

func TestOutputRefusesBadSettings(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		p := f.launch(t, t.TempDir(), withUDP(loopback.Port(t), " []", `
    - name: waf
      match: '*'
      alert_to: pigeon://roof
      alert_on: sometimes
`), "-e", plugin())
		require.Error(t, p.end())
		for _, text := range []string{"alert_to", "pigeon", "alert_on", `"sometimes"`} {
			require.Contains(t, p.log(), text)
		}
	})
}

func TestOutputNamesItsProperties(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		if f.version < "5.1" {
			t.Skip("Fluent Bit takes property tables of Go outputs from 5.1 on")
		}
		help := f.launch(t, t.TempDir(), "", "-e", plugin(), "-o", "waf", "-h")
		require.NoError(t, help.end())
		require.Contains(t, help.log(), "trust_verdicts")

		p := f.launch(t, t.TempDir(), withUDP(loopback.Port(t), " []", `
    - name: waf
      match: '*'
      alert_to: stdout
      paranoia_level: 4
`), "-e", plugin())
		require.Error(t, p.end())
		require.Contains(t, p.log(), "unknown configuration property 'paranoia_level'")
	})
}

func TestFilterAndOutputInOnePipeline(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		port := loopback.Port(t)
		p := f.start(t, withUDP(port, `
    - name: waf
      match: nano.*
      inspect_budget: off
`, `
    - name: waf
      match: nano.*
      alert_to: file://DIR/alerts
      emit_format: record
      trust_verdicts: off
`+toFile("nano.*", "all")))
		sendUDP(t, port, sample(t), clean(t, 1))
		alert := p.records("alerts", 1)[0]
		all := p.records("all", 2)
		p.stop()
		require.Equal(t, all[0], alert)
	})
}

func TestDestinationThatHangsHoldsNothingElseUp(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
		require.NoError(t, err)
		defer silent.Close()
		port := loopback.Port(t)
		p := f.start(t, withUDP(port, " []", fmt.Sprintf(`
    - name: waf
      match: nano.*
      alert_to: forward://%s?tag=alert&timeout=10s
`, silent.Addr())+toFile("nano.*", "all")))
		sendUDP(t, port, sample(t))
		p.records("all", 1)
		begin := time.Now()
		for n := range 5 {
			sendUDP(t, port, clean(t, n))
			p.records("all", 2+n)
		}
		require.Less(t, time.Since(begin), 8*time.Second, "the pipeline goes on while a delivery waits")
		p.stop()
	})
}
