package filter

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/visible"
)

// directions are all characters that control the direction of text.
const directions = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"

// recordWithDirections returns a record with them in every text and in a key.
func recordWithDirections() []byte {
	d := directions
	return pairs(
		"L7_PROTOCOL", "http", "SRC_IP", "192.0.2.7", "DST_IP", "192.0.2.80", "METHOD", "POST", "URL", "/a"+d+"?t=../../etc/passwd&"+d+"=<script>"+d,
		"DOMAIN", "shop.example", "COOKIE", "a="+d, "REFERER", "http://h/"+d, "AGENT", "curl "+d, "host", "probe"+d, "message", "label "+d,
		"REQ_HEADER", "POST /a"+d+"?t=../../etc/passwd&"+d+"=<script>"+d+" HTTP/1.1\r\nHost: shop.example\r\nX"+d+": y\r\nX: "+d+"\r\n\r\n", "REQ_BODY", "q="+d,
		"RSP_HEADER", "HTTP/1.1 200 OK\r\nX: "+d+"\r\n\r\n", "RSP_BODY", d, "RETCODE", "200", "note"+d, d,
	)
}

func TestNothingControlsTheDirectionOfText(t *testing.T) {
	rules := writeRules(t, strings.ReplaceAll(quoteAll, "msg:'all'", "msg:'all "+directions+"'"))
	for _, format := range alert.Formats() {
		for _, redaction := range []string{"on", "off"} {
			t.Run(format+" redact "+redaction, func(t *testing.T) {
				var received lake
				var log logLines
				file := t.TempDir() + "/alerts"
				destinations := []string{
					"file://" + file, "syslog+udp://" + received.datagrams(t) + "?max=65507", "gelf+udp://" + received.datagrams(t) + "?compress=none&chunk=8K",
					"json+tcp://" + received.stream(t, received.drink), "forward://" + received.stream(t, received.acknowledge) + "?tag=x", "stdout",
				}
				o, err := NewOutput("", testHost, setting.Map{
					"rules": rules, "rule_packs": "off", "alert_on": "match", "alert_to": strings.Join(destinations, ","), "emit_format": format, "redact": redaction,
				}, log.add, &received)
				require.NoError(t, err)
				require.NoError(t, o.Flush(context.Background(), recordWithDirections(), "nano"))
				require.NoError(t, o.Close())
				written, err := os.ReadFile(file)
				require.NoError(t, err)
				require.Eventually(t, func() bool { return strings.Count(string(received.now()), "shop.example") >= 5 }, 10*time.Second, 10*time.Millisecond)
				for what, text := range map[string]string{"file": string(written), "receivers": string(received.now()), "log": log.text()} {
					at := strings.IndexFunc(text, visible.IsBidi)
					require.Negative(t, at, "%s: …%.80q", what, text[max(0, at-60):])
				}
			})
		}
	}
}
