package delivery

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testtool"
)

// startRsyslog runs a real rsyslogd on a loopback port and returns its address and the file it writes.
func startRsyslog(t *testing.T, program string) (address, file string) {
	t.Helper()
	dir := t.TempDir()
	address, file = loopback.Address(t), filepath.Join(dir, "alerts.log")
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	config := filepath.Join(dir, "rsyslog.conf")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
global(workDirectory=%q)
module(load="imtcp")
input(type="imtcp" address="127.0.0.1" port=%q)
template(name="parts" type="string" string="%%pri%%|%%timereported:::date-rfc3339%%|%%hostname%%|%%app-name%%|%%procid%%|%%msgid%%|%%msg%%\n")
action(type="omfile" file=%q template="parts")
`, dir, port, file), 0o600))
	command := exec.CommandContext(t.Context(), program, "-n", "-f", config, "-i", filepath.Join(dir, "pid"))
	var output lockedBuffer
	command.Stdout, command.Stderr = &output, &output
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return address, file
		}
		require.Less(t, time.Since(start), 15*time.Second, "rsyslogd does not listen: %s", output.String())
	}
}

func TestRsyslogReadsWhatWeSend(t *testing.T) {
	program := testtool.Program(t, "rsyslogd", "rsyslog")
	address, file := startRsyslog(t, program)
	d := mustOpen(t, "syslog+tcp://"+address+"?facility=local5&app-name=waf&procid=7", Options{})
	msgs := alerts(0, 200)
	msgs[7].JSON = []byte("{\"n\":7,\"matched\":\"x\r\n<0>forged \x1b[2J 100% %s é \\\\ \"}")
	msgs[8].JSON = fmt.Appendf(nil, `{"n":8,"req_body":%q}`, strings.Repeat("x", 20_000))
	require.NoError(t, d.Deliver(t.Context(), "a", msgs))

	var lines []string
	for start := time.Now(); len(lines) < 200; time.Sleep(20 * time.Millisecond) {
		require.Less(t, time.Since(start), 15*time.Second, "%d lines arrived", len(lines))
		text, _ := os.ReadFile(file)
		lines = strings.Split(string(text), "\n")
		lines = lines[:len(lines)-1] // what is behind the last end of a line is not whole yet
	}
	require.Equal(t, 200, len(lines), "a message that is too long would make two")
	for n, line := range lines {
		parts := strings.SplitN(line, "|", 7)
		require.Len(t, parts, 7, line)
		assert.Equal(t, []string{fmt.Sprint(21*8 + 2), "probe-1", "waf", "7", "alert"}, append(parts[:1:1], parts[2:6]...))
		at, err := time.Parse(time.RFC3339Nano, parts[1])
		require.NoError(t, err)
		assert.WithinDuration(t, alert(n).Time, at, 0)
		assert.Equal(t, n, number(t, parts[6]))
	}
	assert.Contains(t, lines[7], `"matched":"x  <0>forged  [2J 100% %s é \\ "`)
	assert.Contains(t, lines[8], `"shortened":true}`)
	assert.Greater(t, len(lines[8]), 8000, "rsyslog takes this much as it is")
}
