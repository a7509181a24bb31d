package survive

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// forgery are texts that would end a line and begin another one, steer a terminal, or be taken for a format.
var forgery = []string{
	"\r\n<0>1 - - forged - - - {}", "\n[2026/01/01 00:00:00] [error] forged", "\x1b[2J\x1b]0;forged\a", "\u009b31mforged", "\u2028forged",
	"%s%n%d forged", `"},{"forged":"1`, `\" forged`, "|forged=1 cs1=forged\\", "\x00forged\x7f", "\xff\xfe forged", "\u202eforged",
}

// forged is a record that has a forgery wherever an attacker can bring one, and is sure to alert.
func forged(text string) []byte {
	head := "GET /?a=../../etc/passwd" + text + " HTTP/1.1\r\nHost: shop.example" + text + "\r\nUser-Agent: sqlmap" + text + "\r\n\r\n"
	return event("METHOD", "GET"+text, "URL", "/?a=../../etc/passwd"+text, "REQ_HEADER", head, "REQ_BODY", text, "RSP_HEADER",
		"HTTP/1.1 200 OK"+text+"\r\n\r\n", "RSP_BODY", text, "DOMAIN", text, "AGENT", text, "SRC_IP", text, "host", text, "message", text,
		"source", text, "BEGIN_TIME", text, "FORWARD", text, "RETCODE", "200", "L7_PROTOCOL", "http")
}

// oneLine requires that a text can neither be taken for two lines nor steer a terminal.
func oneLine(t *testing.T, text string) {
	t.Helper()
	require.True(t, utf8.ValidString(text), "%q", text)
	for _, r := range text {
		require.False(t, unicode.IsControl(r) || r == '\u2028' || r == '\u2029', "%q in %q", r, text)
	}
}

// packets receives datagrams until the test ends.
func packets(t *testing.T) (address string, received func() []string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return conn.LocalAddr().String(), func() (all []string) {
		buffer := make([]byte, 65536)
		for len(all) < len(forgery) {
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
			n, _, err := conn.ReadFrom(buffer)
			require.NoError(t, err, "after %d datagrams", len(all))
			all = append(all, string(buffer[:n]))
		}
		return all
	}
}

func TestForgeriesReachNoLine(t *testing.T) {
	var chunk []byte
	for _, text := range forgery {
		chunk = append(chunk, forged(text)...)
	}
	hold := open(t, nil) // compiled once
	addsUp(t, hold, 0)
	for _, format := range alert.Formats() {
		t.Run(format, func(t *testing.T) {
			address, received := packets(t)
			file := filepath.Join(t.TempDir(), "alerts")
			var stdout, log bytes.Buffer
			o, err := filter.NewOutput("", host, setting.Map{"emit_format": format, "alert_to": "syslog+udp://" + address + ",stdout,file://" + file},
				func(_ filter.Level, line string) { log.WriteString(line + "\n") }, &stdout)
			require.NoError(t, err)
			require.NoError(t, o.Flush(context.Background(), chunk, "nano"))
			c := o.Counts()
			require.NoError(t, o.Close())
			require.EqualValues(t, len(forgery), c.Alerts)
			require.Equal(t, c.Alerts, c.Emitted)

			for _, datagram := range received() {
				require.True(t, strings.HasPrefix(datagram, "<16"), "%q", datagram)
				oneLine(t, datagram)
			}
			written, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, text := range []string{string(written), stdout.String()} {
				lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
				require.Len(t, lines, len(forgery))
				for _, line := range lines {
					oneLine(t, line)
				}
			}
			for line := range strings.Lines(log.String()) {
				oneLine(t, strings.TrimSuffix(line, "\n"))
				require.NotContains(t, line, "forged")
			}
		})
	}
}
