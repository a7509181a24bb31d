package filter

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/redact"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// quoteAll is a rule that quotes everything a transaction has, so that nothing leaves because no rule happens to quote it.
const quoteAll = `
SecRequestBodyAccess On
SecResponseBodyAccess On
SecAction "id:9000001,phase:1,pass,nolog,ctl:forceRequestBodyVariable=On"
SecRule ARGS|ARGS_NAMES|REQUEST_HEADERS|REQUEST_COOKIES|REQUEST_COOKIES_NAMES|REQUEST_URI|REQUEST_BODY|XML:/*|RESPONSE_HEADERS|RESPONSE_BODY "@rx (?s)^(.*)$" "id:9000002,phase:4,pass,log,capture,multiMatch,t:none,t:urlDecodeUni,t:lowercase,t:removeWhitespace,msg:'%{MATCHED_VAR_NAME} %{TX.1}',logdata:'%{MATCHED_VAR}',severity:CRITICAL"
SecRule REQUEST_LINE|ARGS "@rx (?s)^(.*)$" "id:9000003,phase:2,pass,log,capture,t:base64Decode,msg:'all',logdata:'%{TX.1}',severity:CRITICAL"
`

// secretCase is one secret in one place.
type secretCase struct {
	name   string
	secret string
	chunk  []byte
}

var loneS = regexp.MustCompile(`(?:\b|x22)S\b`)

// placed returns an example with a secret in its place.
func placed(example, secret string) string {
	at := loneS.FindStringIndex(example)
	return example[:at[1]-1] + secret + example[at[1]:]
}

func allEscaped(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

func jsonEscaped(text string) string {
	var b strings.Builder
	for _, c := range text {
		fmt.Fprintf(&b, `\u%04x`, c)
	}
	return b.String()
}

var quotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", `\r`, "\n", `\n`, "/", `\/`)

// wrappers put a text into another part of a transaction, escaped.
var wrappers = []struct {
	name string
	in   redact.Part
	wrap func(text string) string
}{
	{"an argument", redact.Query, func(s string) string { return "u=" + url.QueryEscape(s) + "&z=9" }},
	{"an argument, all escaped", redact.Query, func(s string) string { return "u=" + allEscaped(s) + "&z=9" }},
	{"an argument, escaped twice", redact.Query, func(s string) string { return "u=" + url.QueryEscape(url.QueryEscape(s)) + "&z=9" }},
	{"a URL in an argument", redact.Query, func(s string) string { return "u=" + url.QueryEscape("https://h.example/a?x="+url.QueryEscape(s)) }},
	{"base64 in an argument", redact.Query, func(s string) string { return "d=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(s))) }},
	{"base64url in an argument", redact.Query, func(s string) string { return "d=" + base64.RawURLEncoding.EncodeToString([]byte(s)) }},
	{"hexadecimal digits in an argument", redact.Query, func(s string) string { return "d=" + hex.EncodeToString([]byte(s)) }},
	{"a string of JSON", redact.Body, func(s string) string { return `{"a":1,"v":"` + quotes.Replace(s) + `","z":9}` }},
	{"a string of JSON, all escaped", redact.Body, func(s string) string { return `{"v":"` + jsonEscaped(s) + `"}` }},
	{"a string of JSON in one of JSON", redact.Body, func(s string) string { return `{"w":"` + quotes.Replace(`{"v":"`+quotes.Replace(s)+`"}`) + `"}` }},
	{"an attribute", redact.ReplyBody, func(s string) string { return `<p data-x="` + html.EscapeString(s) + `">x</p>` }},
	{"a form in a page", redact.ReplyBody, func(s string) string { return "<pre>" + html.EscapeString(s) + "</pre>" }},
	{"a record key", redact.Key, func(s string) string { return "note=seen " + s }},
}

// secretCases puts each place where it belongs, and into each wrapper.
func secretCases() (cases []secretCase) {
	for i, place := range redact.Places {
		add := func(how string, in redact.Part, wrap func(string) string) {
			secret := fmt.Sprintf("Zq7Xy9Wv2Kp4Lm6%03d", len(cases))
			cases = append(cases, secretCase{
				fmt.Sprintf("%s (%d) in %s: %s", place.What, i, how, place.Example), secret,
				transactionWith(in, wrap(placed(place.Example, secret)), secret),
			})
		}
		add("its place", place.In, func(s string) string { return s })
		if place.In == redact.Key {
			continue
		}
		for _, w := range wrappers {
			if how := w.name; place.In != redact.Query || !strings.Contains(place.Example, "+") && !strings.Contains(place.Example, "%") {
				add(how, w.in, w.wrap)
			}
		}
	}
	return cases
}

// transactionWith returns a record with a text in one of its parts, and the secret again where nothing tells that it is one.
func transactionWith(in redact.Part, text, secret string) []byte {
	query, head, body, replyHead, page := "q=1", "", "", "", "ok"
	var more []string
	switch in {
	case redact.Query:
		query = text
	case redact.Head:
		head = text + "\r\n"
	case redact.Body:
		body = text
	case redact.ReplyHead:
		replyHead = text + "\r\n"
	case redact.ReplyBody:
		page = text
	case redact.Key:
		key, value, _ := strings.Cut(text, "=")
		more = append(more, key, value)
	}
	if in != redact.Key && in != redact.ReplyHead {
		more = append(more, "again", secret, "shout", strings.ToUpper(secret), "b64", base64.StdEncoding.EncodeToString([]byte("x "+secret+" y")),
			"hex", hex.EncodeToString([]byte(secret)), "percent", allEscaped(secret), "unicode", jsonEscaped(secret))
	}
	kind := "text/plain"
	switch {
	case strings.HasPrefix(body, "{"):
		kind = "application/json"
	case strings.HasPrefix(body, "<"):
		kind = "text/xml"
	case strings.HasPrefix(body, "--b"):
		kind = "multipart/form-data; boundary=b"
	case strings.Contains(body, "=") && !strings.Contains(body, "\n"):
		kind = "application/x-www-form-urlencoded"
	}
	uri := "/p?" + query
	return pairs(append([]string{
		"L7_PROTOCOL", "http", "SRC_IP", "192.0.2.7", "DST_IP", "192.0.2.80", "METHOD", "POST", "URL", uri, "DOMAIN", "shop.example",
		"REQ_HEADER", "POST " + uri + " HTTP/1.1\r\nHost: shop.example\r\n" + head + "Content-Type: " + kind + "\r\n\r\n", "REQ_BODY", body,
		"RSP_HEADER", "HTTP/1.1 200 OK\r\n" + replyHead + "Content-Type: text/html\r\n\r\n", "RSP_BODY", page, "RETCODE", "200",
	}, more...)...)
}

// traces are the ways in which a secret may still be read from a text.
func traces(secret string) []string {
	references := ""
	for _, c := range secret {
		references += fmt.Sprintf("&#%d;", c)
	}
	all := []string{secret[:12], allEscaped(secret), jsonEscaped(secret), hex.EncodeToString([]byte(secret)), references}
	for before := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", before) + secret))
		all = append(all, encoded[4:len(encoded)-2])
	}
	return all
}

func TestNoPlaceLeaksInAnyFormat(t *testing.T) {
	cases := secretCases()
	require.Greater(t, len(cases), 700)
	for _, format := range alert.Formats() {
		t.Run(format, func(t *testing.T) {
			f := newFilter(t, setting.Map{
				"rules": writeRules(t, quoteAll), "rule_packs": "off", "alert_on": "match", "emit_tag": "alert", "emit_format": format, "inspect_budget": "off",
			})
			for i := range cases {
				c := &cases[i]
				out := process(f, c.chunk, "nano")
				require.Len(t, out.Emits, 1, c.name)
				texts := strings.ToLower(string(out.Emits[0].Message().JSON) + string(out.Emits[0].Event))
				for _, trace := range traces(c.secret) {
					if at := strings.Index(texts, strings.ToLower(trace)); at >= 0 {
						t.Errorf("%s: leaks: …%.300s", c.name, texts[max(0, at-150):])
						break
					}
				}
			}
		})
	}
}
