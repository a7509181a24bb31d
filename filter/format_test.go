package filter

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// emitted returns the alerts of a chunk as destinations get them.
func emitted(t testing.TB, settings setting.Map, chunk []byte) (texts []string) {
	t.Helper()
	f := newFilter(t, settings)
	out := process(f, chunk, "nano")
	for i := range out.Emits {
		texts = append(texts, string(out.Emits[i].Message().JSON))
	}
	return texts
}

// schemas are those that were compiled, by name.
var schemas sync.Map

// schema returns what a file of testdata/schema demands.
func schema(t testing.TB, name string) *jsonschema.Schema {
	t.Helper()
	if known, found := schemas.Load(name); found {
		return known.(*jsonschema.Schema)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiled, err := compiler.Compile(filepath.Join("testdata", "schema", name+".json"))
	require.NoError(t, err)
	schemas.Store(name, compiled)
	return compiled
}

// requireValid checks a text in a format with what is published of it. MSA and records have no schema.
func requireValid(t testing.TB, format alert.Format, text string) {
	t.Helper()
	switch format {
	case alert.CEF:
		parseCEF(t, text)
	case alert.MSA:
		var flat map[string]string
		require.NoError(t, json.Unmarshal([]byte(text), &flat), text)
	case alert.Record:
		require.True(t, json.Valid([]byte(text)), text)
	default:
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		require.NoError(t, err, text)
		require.NoError(t, schema(t, string(format)).Validate(value), text)
	}
}

// golden compares a text with a file, which UPDATE_GOLDEN=1 writes anew.
func golden(t *testing.T, file, text string) {
	t.Helper()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), text)
}

// indented is JSON as people read it; other text stays as it is.
func indented(t *testing.T, text string) string {
	t.Helper()
	if !strings.HasPrefix(text, "{") {
		return text + "\n"
	}
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, []byte(text), "", "  "))
	return b.String() + "\n"
}

func TestTheSampleIsAnAlertInEveryFormat(t *testing.T) {
	for _, name := range alert.Formats() {
		if name == string(alert.MSA) {
			continue // TestSampleBecomesTheAlertOfModSecurityForAnylog
		}
		t.Run(name, func(t *testing.T) {
			texts := emitted(t, setting.Map{"emit_tag": "alert", "emit_format": name}, sample(t))
			require.Len(t, texts, 1)
			requireValid(t, alert.Format(name), texts[0])
			golden(t, "testdata/sample-"+name+".txt", indented(t, texts[0]))
		})
	}
}

// rich is a record with everything that an alert can have: a workload, a body, addresses of version 6, and text that formats have
// to escape.
func rich(t testing.TB) []byte {
	body := `{"q":"<script>alert(1)</script>","note":"a|b=c\\d` + "\u2028é\\n" + `"}`
	head := "POST /api/é?q=%3Cscript%3Ealert(1)%3C/script%3E&x=a|b=c%5C%0A HTTP/2.0\r\nHost: shop.example:8443\r\n" +
		"User-Agent: Mozilla/5.0 (|=\\)\r\nReferer: https://shop.example/?a=b|c\r\nContent-Type: application/json\r\nX-Two: 1\r\nx-two: 2\r\n\r\n"
	return event(t, map[string]any{
		"METHOD": "POST", "URL": "/api", "REQ_HEADER": head, "REQ_BODY": body, "RETCODE": "200", "SRC_IP": "2001:db8::1",
		"SRC_PORT": "40000", "DST_IP": "2001:db8::2", "DST_PORT": "8443", "FORWARD": "198.51.100.7", "L7_PROTOCOL": "http",
		"RSP_HEADER": "HTTP/2.0 200 OK\r\nContent-Type: text/html\r\nSet-Cookie: a=b; Path=/\r\n\r\n", "RSP_BODY": "<p>\x1b[2J\xff</p>",
		"host": "probe-1", "message": "label", "source": "east", "geoip": "NL", "CARD": "eth0", "CARD_IP": "192.0.2.1", "BYTES": "1171",
		"SRC_NET_DELAY": "0.01", "L4_PROTOCOL": "tcp",
		"kubernetes": map[string]any{
			"pod_name": "shop-5d9c", "namespace_name": "web", "host": "node-3", "pod_ip": "10.2.0.9", "pod_id": "4f1e",
			"container_name": "nginx", "container_image": "nginx:1.29", "docker_id": "abc123",
			"labels": map[string]any{"app": "shop", "tier": "front|end"},
		},
	})
}

func TestARichRecordIsAValidAlertInEveryFormat(t *testing.T) {
	for _, name := range alert.Formats() {
		for _, payload := range []string{"on", "off"} {
			t.Run(name+" payload "+payload, func(t *testing.T) {
				texts := emitted(t, setting.Map{"emit_tag": "alert", "emit_format": name, "include_payload": payload}, rich(t))
				require.Len(t, texts, 1)
				requireValid(t, alert.Format(name), texts[0])
				if name != string(alert.MSA) {
					require.Contains(t, texts[0], "shop-5d9c")
					require.Contains(t, texts[0], "eth0")
				}
				require.NotContains(t, texts[0], "\x1b")
			})
		}
	}
}

// Access logs have no addresses of servers, heads or times, and logs that are not HTTP no request at all.
func TestPoorRecordsAreValidAlertsInEveryFormat(t *testing.T) {
	apache := pairs("host", "gateway", "user", "-", "method", "GET", "path", "/?a=../../etc/passwd", "code", "403", "size", "1",
		"referer", "-", "agent", "curl/8")
	other := t.TempDir() + "/other.yaml"
	require.NoError(t, os.WriteFile(other, []byte("name: other\nfields:\n  args.query: statement\n"), 0o600))
	for _, name := range alert.Formats() {
		for source, c := range map[string]struct {
			settings setting.Map
			record   []byte
		}{
			"access log": {setting.Map{"field_map": "apache"}, apache},
			"other log":  {setting.Map{"field_map": other}, pairs("statement", "x' UNION SELECT password FROM users--")},
		} {
			t.Run(name+" "+source, func(t *testing.T) {
				c.settings["emit_tag"], c.settings["emit_format"] = "alert", name
				texts := emitted(t, c.settings, c.record)
				require.Len(t, texts, 1)
				requireValid(t, alert.Format(name), texts[0])
			})
		}
	}
}

func TestAnEntryOfLibmodsecurityHasTheSameShape(t *testing.T) {
	theirs, err := os.ReadFile("testdata/libmodsecurity-audit.json")
	require.NoError(t, err)
	requireValid(t, alert.ModSecurity, string(theirs))
	ours := emitted(t, setting.Map{"emit_tag": "alert", "emit_format": "modsecurity"}, sample(t))[0]
	require.Equal(t, keys(t, string(theirs), "transaction"), keys(t, ours, "transaction"))
}

// keys returns the paths of all members of an object in order; lists count with their first element, headers not at all.
func keys(t *testing.T, text, member string) (all []string) {
	t.Helper()
	var document map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &document))
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch value := value.(type) {
		case map[string]any:
			all = append(all, path)
			if strings.HasSuffix(path, "headers") {
				return
			}
			for key, inner := range value {
				walk(path+"."+key, inner)
			}
		case []any:
			if len(value) > 0 {
				walk(path+"[]", value[0])
			}
		default:
			all = append(all, path)
		}
	}
	walk(member, document[member])
	return sorted(all)
}

func TestAnErrorOfADatabaseInASuccessfulResponseIsALikelySuccess(t *testing.T) {
	record := pairs("L7_PROTOCOL", "http", "METHOD", "GET", "URL", "/?id=1%27%20UNION%20SELECT%201,2--", "RETCODE", "200",
		"RSP_HEADER", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n",
		"RSP_BODY", "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version")
	waf := body(t, process(newFilter(t, nil), record, "nano").Data)["waf"].(map[string]any)
	require.Equal(t, "likely succeeded", waf["outcome"])
	require.Regexp(t, `^status 200, and rule 951\d+ matched in the response$`, waf["reason"])
}
