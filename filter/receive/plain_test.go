package receive

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

func TestLinesOfAccessLogsAreRecords(t *testing.T) {
	for network, end := range map[string]string{"udp": "", "tcp": "\n"} {
		in := open(t, setting.Map{"source_address_key": "from", "invalid": "drop"}, network+"://127.0.0.1:0")
		conn := in.dial(0)
		var want []string
		for _, l := range accesslog.Lines() {
			line := l.Write(accesslog.Browser("GET", "/a"))
			in.send(conn, line+end)
			text, err := json.Marshal(map[string]string{"log": line})
			require.NoError(t, err)
			want = append(want, string(text[:len(text)-1])+`,"from":"127.0.0.1"}`)
		}
		in.send(conn, "started"+end)
		have := in.wait(len(want))
		for i := range have {
			require.JSONEq(t, want[i], have[i])
		}
		in.until("the other line", func(c Counts) bool { return c.Invalid == 1 })
	}
}

func TestColumnsAreThoseOfTheirOwnConnection(t *testing.T) {
	const attack = "192.0.2.1 GET /a\n"
	in := open(t, setting.Map{"invalid": "drop"}, "udp://127.0.0.1:0", "tcp://127.0.0.1:0")
	first, second, third := in.dial(1), in.dial(1), in.dial(0)
	in.send(first, "#Version: 1.0\n#Fields: c-ip cs-method cs-uri-stem\n"+attack)
	in.wait(1)
	in.send(first, attack) // in a block of its own
	in.wait(1)
	in.send(third, "#Fields: c-ip cs-method cs-uri-stem\n")
	in.send(third, attack)
	in.send(second, attack)
	in.until("both others", func(c Counts) bool { return c.Invalid == 2 })
	require.Empty(t, in.bodies())
}
