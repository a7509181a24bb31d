package filter

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testsize"
)

// parserErrorRules alert on everything that reports trouble with reading a request body.
const parserErrorRules = `
SecRule REQBODY_ERROR "!@eq 0" "id:10001,phase:2,deny,severity:2"
SecRule REQBODY_PROCESSOR_ERROR "!@eq 0" "id:10002,phase:2,deny,severity:2"
SecRule REQBODY_ERROR_MSG "@rx ." "id:10003,phase:2,deny,severity:2"
SecRule MULTIPART_STRICT_ERROR "!@eq 0" "id:10004,phase:2,deny,severity:2"
SecRule URLENCODED_ERROR "!@eq 0" "id:10005,phase:2,deny,severity:2"
SecRule INBOUND_DATA_ERROR "!@eq 0" "id:10006,phase:2,deny,severity:2"
SecRule REQUEST_BODY_LENGTH "@lt 2000" "id:10007,phase:2,deny,severity:2,chain"
    SecRule REQBODY_ERROR "@eq 1"`

func post(contentType, body string, length int) []byte {
	head := fmt.Sprintf("POST /api/items HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\n"+
		"Content-Type: %s\r\nContent-Length: %d\r\n\r\n", contentType, length)
	return pairs("METHOD", "POST", "URL", "/api/items", "REQ_HEADER", head, "REQ_BODY", body, "L7_PROTOCOL", "http")
}

// bodies have a place for an attack, and text of all kinds around it.
var bodies = map[string]struct{ contentType, text string }{
	"JSON": {"application/json", `{"user":{"name":"Zo\u00eb Ångström","id":4711},"search":"ATTACK","tags":["a \"b\"",[],{}],"ok":true,` +
		`"price":-12.5e+3,"note":"it's 5 o'clock - see you \ud83d\ude00 (bring $5 & a pen); thanks -- Tom","nothing":null}`},
	"GraphQL in JSON": {"application/json", `{"operationName":"Cart","variables":{"id":"ATTACK","perPage":20},` +
		`"query":"query Cart($id: ID!, $perPage: Int) { cart(id: $id) { lines(first: $perPage) { id quantity } total } }"}`},
	"XML": {"text/xml; charset=utf-8", `<?xml version="1.0" encoding="utf-8"?><order xmlns="urn:shop" id="4711"><search>ATTACK</search>` +
		`<line sku="A-1" text='it is "5" o&apos;clock'>Ångström &lt; 1 &amp; more</line><![CDATA[a < b & c]]><empty/><!-- done --></order>`},
	"multipart": {"multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW", strings.ReplaceAll(
		`------WebKitFormBoundary7MA4YWxkTrZu0gW
Content-Disposition: form-data; name="search"

ATTACK
------WebKitFormBoundary7MA4YWxkTrZu0gW
Content-Disposition: form-data; name="upload"; filename="report.txt"
Content-Type: text/plain

First line of the report.
Second line - with a dash.
------WebKitFormBoundary7MA4YWxkTrZu0gW
Content-Disposition: form-data; name="note"

see you at 5
------WebKitFormBoundary7MA4YWxkTrZu0gW--
`, "\n", "\r\n")},
	"form": {"application/x-www-form-urlencoded", "user=Zo%C3%AB+%C3%85ngstr%C3%B6m&search=ATTACK&tags=a%20b&price=12%2C50&note=see+you+at+5"},
}

const attack = "../../../../etc/passwd"

// eachCut inspects the body in all lengths, or in every seventh, on all cores, and calls check with what was found.
func eachCut(f *Filter, contentType, body string, check func(at int, found Finding)) {
	step := testsize.Of(7, 1)
	findings := make([]Finding, len(body)/step+1)
	var group sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		group.Go(func() {
			for i := w; i < len(findings); i += workers {
				findings[i] = f.Check(post(contentType, body[:i*step], len(body)))[0]
			}
		})
	}
	group.Wait()
	for i := range findings {
		check(i*step, findings[i])
	}
}

func TestBodyCutAnywhereIsInspectedAsFarAsItGoes(t *testing.T) {
	f := newFilter(t, setting.Map{"directives": parserErrorRules, "alert_on": "match"})
	for name, b := range bodies {
		t.Run(name, func(t *testing.T) {
			body := strings.Replace(b.text, "ATTACK", attack, 1)
			complete := strings.Index(body, attack) + len(attack)
			eachCut(f, b.contentType, body, func(at int, found Finding) {
				require.NotNil(t, found.Verdict)
				for _, m := range found.Verdict.Matches {
					id := m.Rule.ID
					require.False(t, id > 10000 && id < 10100 || id > 200000 && id < 200100, "rule %d, cut behind %q", id, body[:at])
				}
				if at >= complete {
					require.Contains(t, matched(found), 930120, "cut behind %q", body[:at])
				}
			})
		})
	}
}

func TestCleanBodyCutAnywhereIsClean(t *testing.T) {
	f := newFilter(t, setting.Map{"directives": parserErrorRules, "alert_on": "match"})
	for name, b := range bodies {
		t.Run(name, func(t *testing.T) {
			body := strings.Replace(b.text, "ATTACK", "blue shoes, size 42", 1)
			eachCut(f, b.contentType, body, func(at int, found Finding) {
				require.Equal(t, Clean, found.Kind, "%v, cut behind %q", matched(found), body[:at])
			})
		})
	}
}

func TestWholeBodiesThatAreMalformedGiveParserErrors(t *testing.T) {
	f := newFilter(t, setting.Map{"directives": parserErrorRules})
	for contentType, body := range map[string]string{
		"application/json":                 `{"a":"b"`,
		"application/xml":                  `<a b="1"></c><d`,
		"multipart/form-data; boundary=ab": "--ab\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb",
	} {
		found := f.Check(post(contentType, body, len(body)))[0]
		require.Equal(t, Alert, found.Kind, contentType)
		found = f.Check(post(contentType, body, len(body)+1))[0]
		require.Equal(t, Clean, found.Kind, contentType)
	}
}

func TestAlertOnACutBodySaysSo(t *testing.T) {
	f := newFilter(t, nil)
	text := `{"search":"` + attack + `","text":"` + strings.Repeat("x", 2000) + `"}`
	form := "search=" + attack + "&text=" + strings.Repeat("x", 1024)
	for name, c := range map[string]struct {
		record    []byte
		truncated bool
	}{
		"whole":                    {post("application/json", text, len(text)), false},
		"cut by Content-Length":    {post("application/json", text[:1024], len(text)), true},
		"cut at the probe's limit": {pairs("METHOD", "POST", "URL", "/", "DOMAIN", "shop.example", "REQ_BODY", form[:1024]), true},
	} {
		t.Run(name, func(t *testing.T) {
			out := process(f, c.record, "nano")
			require.True(t, out.Changed)
			waf := body(t, out.Data)["waf"].(map[string]any)
			require.Equal(t, c.truncated, waf["truncated"])
			require.Contains(t, waf["rule_ids"], "930120")
		})
	}
}

func TestRawBytesReachTheRulesUnchanged(t *testing.T) {
	f := newFilter(t, setting.Map{"rules": writeRules(t, `
SecRule REQUEST_URI_RAW "@unconditionalMatch" "id:1,phase:2,pass,severity:2"
SecRule REQUEST_HEADERS:X-Raw "@unconditionalMatch" "id:2,phase:2,pass,severity:2"
SecRule ARGS:raw "@unconditionalMatch" "id:3,phase:2,pass,severity:2"
SecRule RESPONSE_BODY "@unconditionalMatch" "id:4,phase:4,pass,severity:2"`)})
	const raw = "\xa0\xff\x00\x01\xc3\x28"
	want := []string{"/\xe4" + raw, raw + "x", raw, raw + "\r\n"}
	fields := []string{
		"METHOD", "POST", "URL", "/",
		"REQ_HEADER", "POST " + want[0] + " HTTP/1.1\r\nHost: a\r\nX-Raw: " + want[1] + "\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n",
		"REQ_BODY", "raw=" + want[2],
		"RSP_HEADER", "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n", "RSP_BODY", want[3],
	}
	binary := msgp.AppendMapHeader([]byte{0x92, 0x92, 0x01, 0x80}, uint32(len(fields)/2))
	for _, field := range fields {
		binary = msgp.AppendBytes(binary, []byte(field))
	}
	for name, record := range map[string][]byte{"texts": pairs(fields...), "binary values": binary} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, m := range f.Check(record)[0].Verdict.Matches {
				got = append(got, m.Value)
			}
			require.Equal(t, want, got)
		})
	}
}

func writeRules(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rules.conf")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// What closes a cut body must not look like an attack: fewer than one alert in 1,000 clean records whose bodies are cut.
func TestCleanTrafficWithCutBodiesIsClean(t *testing.T) {
	f := newFilter(t, corpus.Settings)
	alerts, records := 0, 0
	for i := range uint64(testsize.Of(3_000, 12_000)) {
		r := corpus.Clean(i)
		if len(r.RequestBody) < 2 {
			continue
		}
		at := 1 + rand.New(rand.NewPCG(5, i)).IntN(len(r.RequestBody)-1)
		found := f.Check(pairs("METHOD", r.Method, "URL", r.Target, "REQ_HEADER", r.RequestHead, "REQ_BODY", r.RequestBody[:at]))[0]
		records++
		if found.Kind != Clean {
			alerts++
			t.Logf("%v, cut behind %q", matched(found), r.RequestBody[:at])
		}
	}
	t.Logf("%d of %d records alert", alerts, records)
	require.Greater(t, records, testsize.Of(1000, 4000))
	require.Less(t, 1000*alerts, records)
}
