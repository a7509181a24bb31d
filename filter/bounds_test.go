package filter

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// longRecord is an attack with long heads and bodies, and as many rules as match it.
func longRecord() []byte {
	attack := url.QueryEscape("<script>alert(1)</script>' UNION SELECT 1,2 FROM users; cat /etc/passwd |= ")
	query := "/?" + strings.Repeat("q="+attack+"&", 30)
	head := "POST " + query + " HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: sqlmap/1 " + strings.Repeat("é", 900) + "\r\nX-Long: " +
		strings.Repeat("x y ", 2000) + "\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"
	return pairs("L7_PROTOCOL", "http", "SRC_IP", "192.0.2.7", "DST_IP", "192.0.2.80", "METHOD", "POST", "URL", query, "REQ_HEADER", head,
		"REQ_BODY", strings.Repeat("p="+attack+"&", 200), "RSP_HEADER", "HTTP/1.1 500 Oops\r\n\r\n", "RSP_BODY", strings.Repeat("<p>\"ü\"</p>", 2000))
}

// What every destination does with an alert that is too long: syslog over UDP takes 2,048 bytes, over TCP 8,096.
func TestAlertsOfEveryFormatKeepTheBoundsOfDestinations(t *testing.T) {
	var flat map[string]string
	require.NoError(t, json.Unmarshal([]byte(emitted(t, setting.Map{"emit_tag": "alert", "alert_name": "worst", "inspect_budget": "off"}, longRecord())[0]), &flat))
	for _, format := range alert.Formats() {
		settings := setting.Map{"emit_tag": "alert", "emit_format": format, "alert_name": "worst", "inspect_budget": "off"}
		text := emitted(t, settings, longRecord())[0]
		for _, limit := range []int{1024, 2048, 8096, 65507} {
			short, shortened := delivery.Shorten([]byte(text), limit)
			require.Equal(t, len(text) > limit, shortened, "%s %d", format, limit)
			require.LessOrEqual(t, len(short), limit)
			if format == string(alert.CEF) {
				parseCEF(t, string(short))
				continue
			}
			require.True(t, json.Valid(short), "%s %d: %s", format, limit, short)
			if limit > 1024 && shortened {
				require.Contains(t, string(short), flat["rule_id"], "%s %d: the rule is told: %s", format, limit, short)
				require.Contains(t, string(short), "192.0.2.7", "%s %d", format, limit)
				require.Contains(t, string(short), `"shortened":true`)
			}
		}
	}
}
