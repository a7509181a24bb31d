package accesslog

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	written "github.com/fluent-bit-waf/fluent-bit-waf/internal/accesslog"
)

// fields returns the record of a line, nil when it has none.
func fields(t testing.TB, line string, columns *Columns) (map[string]string, Reading) {
	t.Helper()
	record, reading := Append(nil, line, columns)
	if len(record) == 0 {
		return nil, reading
	}
	var text strings.Builder
	rest, err := msgp.UnmarshalAsJSON(&text, record)
	require.NoError(t, err)
	require.Empty(t, rest)
	all := map[string]string{}
	require.NoError(t, json.Unmarshal([]byte(text.String()), &all))
	return all, reading
}

const front = `192.0.2.1 - - [30/May/2024:07:16:48 +0000] `

func TestPartsOfCommonLines(t *testing.T) {
	for name, c := range map[string]struct {
		line string
		want map[string]string
		cut  bool
	}{
		"common": {front + `"GET /a HTTP/1.1" 200 5`, map[string]string{"request_line": "GET /a HTTP/1.1", "status": "200", "bytes": "5"}, false},
		"combined": {front + `"GET /a HTTP/1.1" 200 - "https://a.example/" "curl/8"`,
			map[string]string{"referer": "https://a.example/", "user_agent": "curl/8", "bytes": "-"}, false},
		"newline":          {front + "\"GET /a HTTP/1.1\" 200 5 \"-\" \"curl/8\"\r\n", map[string]string{"user_agent": "curl/8"}, false},
		"quotes of nginx":  {front + `"GET /a HTTP/1.1" 200 5 "-" "a \x22b\x22 \x5C"`, map[string]string{"user_agent": `a \x22b\x22 \x5C`}, false},
		"quotes of Apache": {front + `"GET /\"a\\ HTTP/1.1" 200 5 "-" "a \"b\" \\"`, map[string]string{"request_line": `GET /\"a\\ HTTP/1.1`, "user_agent": `a \"b\" \\`}, false},
		"user with spaces": {`192.0.2.1 - john [x] doe [30/May/2024:07:16:48 +0000] "GET /a HTTP/1.1" 200 5`,
			map[string]string{"remote_host": "192.0.2.1", "remote_user": "john [x] doe"}, false},
		"user that is a line of its own": {`192.0.2.1 - x [30/May/2024:07:16:48 +0000] \"GET /b HTTP/1.1\" 200 5 [31/May/2024:07:16:48 +0000] "GET /a HTTP/1.1" 200 5`,
			map[string]string{"request_line": "GET /a HTTP/1.1", "time": "31/May/2024:07:16:48 +0000"}, false},
		"name of the client":  {`client.example - - [30/May/2024:07:16:48 +0000] "GET /a HTTP/1.1" 200 5`, map[string]string{"remote_host": "client.example"}, false},
		"IPv6":                {`2001:db8::7 - - [30/May/2024:07:16:48 +0000] "GET /a HTTP/1.1" 200 5`, map[string]string{"remote_host": "2001:db8::7"}, false},
		"virtual host":        {`www.example:443 ` + front + `"GET /a HTTP/1.1" 200 5`, map[string]string{"virtual_host": "www.example", "server_port": "443", "remote_host": "192.0.2.1"}, false},
		"virtual host alone":  {`www.example ` + front + `"GET /a HTTP/1.1" 200 5`, map[string]string{"virtual_host": "www.example", "remote_host": "192.0.2.1"}, false},
		"both by name":        {`www.example:80 client.example - me [30/May/2024:07:16:48 +0000] "GET /a HTTP/1.1" 200 5`, map[string]string{"virtual_host": "www.example", "remote_host": "client.example"}, false},
		"virtual host, words": {`www.example:80 192.0.2.1 - john doe [30/May/2024:07:16:48 +0000] "GET /a HTTP/1.1" 200 5`, map[string]string{"virtual_host": "www.example", "remote_user": "john doe"}, false},
		"format main":         {front + `"GET /a HTTP/1.1" 200 5 "-" "curl/8" "203.0.113.9, 10.0.0.1"`, map[string]string{"x_forwarded_for": "203.0.113.9, 10.0.0.1"}, false},
		"format main, none":   {front + `"GET /a HTTP/1.1" 200 5 "-" "curl/8" "-"`, map[string]string{"user_agent": "curl/8"}, false},
		"ingress": {front + `"GET /a HTTP/1.1" 200 5 "-" "curl/8" 81 0.004 [shop-web-80] [] 10.1.2.3:80, 10.1.2.4:80 5, 5 0.000, 0.004 502, 200 1b2c`,
			map[string]string{"user_agent": "curl/8"}, false},
		"Traefik":     {front + `"GET /a HTTP/1.1" 200 5 "-" "curl/8" 7 "shop@docker" "http://10.1.2.3:80" 4ms`, map[string]string{"user_agent": "curl/8"}, false},
		"more behind": {front + `"GET /a HTTP/1.1" 200 5 "-" "curl/8" rt=0.004 uct="0.000" "-"  "x y"`, map[string]string{"user_agent": "curl/8"}, false},
		"HAProxy's imitation": {front + `"GET /a HTTP/1.1" 200 5 "" "" 33317 655 "www" "shop" "web1" 10 0 30 69 109 ---- 1 1 1 1 0 0 0 "" ""`,
			map[string]string{"status": "200"}, false},
		"both empty":        {front + `"GET /a HTTP/1.1" 200 5 "-" ""`, map[string]string{"user_agent": "", "referer": "-"}, false},
		"syslog":            {`<190>May  3 07:16:48 web1 nginx: ` + front + `"GET /a HTTP/1.1" 200 5`, map[string]string{"remote_host": "192.0.2.1"}, false},
		"rsyslog's file":    {`2024-05-30T07:16:48.917+02:00 web1 nginx[7]: ` + front + `"GET /a HTTP/1.1" 200 5`, map[string]string{"remote_host": "192.0.2.1"}, false},
		"RFC 5424":          {`<190>1 2024-05-30T07:16:48Z web1 nginx - - - ` + front + `"GET /a HTTP/1.1" 200 5`, map[string]string{"remote_host": "192.0.2.1"}, false},
		"container runtime": {`2024-05-30T07:16:48.917Z stdout F ` + front + `"GET /a HTTP/1.1" 200 5`, map[string]string{"remote_host": "192.0.2.1"}, false},
		"part of a line":    {`2024-05-30T07:16:48.917Z stdout P ` + front + `"GET /a HTTP/1.1" 200 5`, map[string]string{"remote_host": "192.0.2.1"}, true},

		"cut in the target":           {front + `"GET /a?b=%2`, map[string]string{"method": "GET", "target": "/a?b=%2"}, true},
		"cut in the version":          {front + `"GET /a?b=c HTT`, map[string]string{"method": "GET", "target": "/a?b=c"}, true},
		"cut behind the request":      {front + `"GET /a HTTP/1.1"`, map[string]string{"request_line": "GET /a HTTP/1.1"}, true},
		"cut in the status":           {front + `"GET /a HTTP/1.1" 20`, map[string]string{"request_line": "GET /a HTTP/1.1"}, true},
		"cut behind the status":       {front + `"GET /a HTTP/1.1" 200 `, map[string]string{"request_line": "GET /a HTTP/1.1"}, true},
		"cut in the referer":          {front + `"GET /a HTTP/1.1" 200 5 "https://a`, map[string]string{"referer": "https://a"}, true},
		"cut behind the referer":      {front + `"GET /a HTTP/1.1" 200 5 "https://a"`, map[string]string{"referer": "https://a"}, true},
		"cut in the user agent":       {front + `"GET /a HTTP/1.1" 200 5 "-" "curl/`, map[string]string{"user_agent": "curl/"}, true},
		"cut behind":                  {front + `"GET /a HTTP/1.1" 200 5 "-" "curl/8" "203.0.`, map[string]string{"user_agent": "curl/8"}, true},
		"quotes that are not escaped": {front + `"GET /a HTTP/1.1" 200 5 "-" "a "b" c"`, map[string]string{"request_line": "GET /a HTTP/1.1"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			have, reading := fields(t, c.line, nil)
			require.Equal(t, Reading{Common, c.cut}, reading)
			for key, want := range c.want {
				require.Equal(t, want, have[key], key)
			}
			if name == "HAProxy's imitation" {
				require.NotContains(t, have, "user_agent", "it is not logged")
			}
		})
	}
}

func TestOtherTextsHaveNoRecord(t *testing.T) {
	for _, line := range []string{
		"", " ", `"`, `""`, "[", "#", "#x", "#no: directive", "started", `{"a":1}`, "\x00\xff",
		`2024/05/30 07:16:48 [error] 7#7: *1 open() "/usr/share/nginx/html/a" failed (2: No such file), client: 192.0.2.1, request: "GET /a HTTP/1.1"`,
		`[Thu May 30 07:16:48.917 2024] [core:error] [pid 7] [client 192.0.2.1:33317] AH00126: Invalid URI in request "GET /a HTTP/1.1"`,
		`192.0.2.1 [30/May/2024:07:16:48 +0000] "GET /a HTTP/1.1" 200 5`,
		`192.0.2.1 - [30/May/2024:07:16:48 +0000] "GET /a HTTP/1.1" 200 5`,
		`192.0.2.1 - - 30/May/2024:07:16:48 +0000 "GET /a HTTP/1.1" 200 5`,
		`192.0.2.1 - - [30/Mai/2024:07:16:48 +0000] "GET /a HTTP/1.1" 200 5`,
		`192.0.2.1 - - [31/Feb/2024:07:16:48 +0000] "GET /a HTTP/1.1" 200 5`,
		`not an address - - x [30/May/2024:07:16:48 +0000] "GET /a HTTP/1.1" 200 5`,
		front + `GET /a HTTP/1.1 200 5`,
		front + `"GET /a HTTP/1.1" 2000 5`,
		front + `"GET /a HTTP/1.1" abc 5`,
		front + `"GET /a HTTP/1.1" 200 abc`,
		front + `"GET /a HTTP/1.1"200 5`,
		front + `"GET /a "x" HTTP/1.1" 200 5`,
		front + `"GE`,
		front + `"`,
		front + `"\x16\x03\x01\x02`,
		"192.0.2.1:33317 [30/May/2024:07:16:48.655] www shop/web1 10/0/30 512 -- 1/1/1/1/0 0/0", // HAProxy, TCP
		`192.0.2.1:33317 [30/May/2024:07:16:48.655] www/1: "SSL handshake failure"`,             //
		`192.0.2.1:33317 [30/May/2024:07:16:48.655] www shop 10/0/30/69/109 200 5 - - ---- 1/1/1/1/0 0/0 "GET / HTTP/1.1"`,
		`tcp 2024-05-30T07:16:48Z net/shop/x 192.0.2.1:33317 10.1.2.3:80 0.000 0.001 0.000 200 200 431 512 "GET / HTTP/1.1"`,
		`https 2024-05-30T07:16:48Z app/shop/x 192.0.2.1 10.1.2.3:80 0.000 0.001 0.000 200 200 431 512 "GET / HTTP/1.1"`,
		"2024-05-30 07:16:48 10.0.0.5 GET /a - 443 - 192.0.2.1 x",
		"2024-05-30 07:16:48 10.0.0.5 /a GET - 443 - 192.0.2.1 x - 200 0 0 15",
	} {
		have, reading := fields(t, line, nil)
		require.Nil(t, have, line)
		require.Equal(t, Reading{}, reading, line)
	}
}

func TestLinesOfTheExtendedFormatHaveTheirColumns(t *testing.T) {
	columns, is := ReadColumns("#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query sc-status cs(User-Agent)\r\n")
	require.True(t, is)
	for name, c := range map[string]struct {
		line string
		want map[string]string
		cut  bool
	}{
		"spaces":           {"2024-05-30 07:16:48 192.0.2.1 GET /a b=c 200 curl/8", map[string]string{"c-ip": "192.0.2.1", "cs(User-Agent)": "curl/8", "datetime": "2024-05-30T07:16:48Z"}, false},
		"tabs":             {"2024-05-30\t07:16:48\t192.0.2.1\tGET\t/a\tb=c\t200\tcurl 8 x", map[string]string{"cs(User-Agent)": "curl 8 x"}, false},
		"quotes":           {`2024-05-30 07:16:48 192.0.2.1 GET /a b=c 200 "curl 8 ""x"""`, map[string]string{"cs(User-Agent)": `curl 8 "x"`}, false},
		"quotes of client": {`2024-05-30 07:16:48 192.0.2.1 GET /a "b=c 200 "x`, map[string]string{"cs(User-Agent)": `"x`, "cs-uri-query": `"b=c`}, false},
		"cut":              {"2024-05-30 07:16:48 192.0.2.1 GET /a b=", map[string]string{"cs-uri-query": "b="}, true},
	} {
		have, reading := fields(t, c.line, columns)
		require.Equal(t, Reading{W3C, c.cut}, reading, name)
		for key, want := range c.want {
			require.Equal(t, want, have[key], name)
		}
	}
	for _, line := range []string{
		"2024-05-30 07:16:48 192.0.2.1 GET", "2024-05-30 07:16:48 192.0.2.1 GET /a b=c 200 curl 8", "2024-05-30 07:16:48 192.0.2.1 /a GET b=c 200 curl/8",
		"2024-05-30 07:16 192.0.2.1 GET /a b=c 200 curl/8", "2024-05-30 07:16:48 me GET /a b=c 200 curl/8", "2024-05-30 07:16:48 192.0.2.1 GET /a b=c OK curl/8",
		"2024-05-30 07:16:48 192.0.2.1 GET  b=c 200 curl/8",
	} {
		have, _ := fields(t, line, columns)
		require.Nil(t, have, line)
	}
	for _, line := range []string{"#Fields:", "#Fields: ", "#fields: a", "# Fields: a", "Fields: a", "#Fields:" + strings.Repeat(" a", maxColumns+1),
		"#Fields: " + strings.Repeat("x", maxColumnName+1), "#Fields:" + strings.Repeat(" ", maxDirective) + "a"} {
		_, is := ReadColumns(line)
		require.False(t, is, "%.40s", line)
	}
	for _, line := range []string{"#Software: x", "#Version: 1.0", "#Date: 2024-05-30 07:16:48", "#Fields: a", "#Remark: x"} {
		_, reading := fields(t, line, nil)
		require.Equal(t, Directive, reading.Format, line)
	}
	mail, is := ReadColumns("#Fields: date time c-ip cs-method cs-uri-query")
	require.True(t, is)
	have, _ := fields(t, "2024-05-30 07:16:48 192.0.2.1 EHLO -", mail)
	require.Nil(t, have, "a log without targets is none of HTTP")
}

func TestPartsOfHAProxyLines(t *testing.T) {
	const middle = ` [30/May/2024:07:16:48.655] www~ shop/web1 10/0/-1/69/+109 200 +512 - s=1 --VN 1/1/1/1/0 0/0 `
	for name, c := range map[string]struct {
		line string
		want map[string]string
		cut  bool
	}{
		"no captures":   {"192.0.2.1:33317" + middle + `"GET /a HTTP/1.1"`, map[string]string{"client_ip": "192.0.2.1", "client_port": "33317", "http_verb": "GET", "http_request": "/a", "http_version": "HTTP/1.1", "http_status_code": "200"}, false},
		"one capture":   {"192.0.2.1:33317" + middle + `{a|b c} "GET /a HTTP/1.1"`, map[string]string{"captured_request_headers": "{a|b c}"}, false},
		"both":          {"192.0.2.1:33317" + middle + `{a|#7D x} {} "GET /a HTTP/1.1"`, map[string]string{"captured_request_headers": "{a|#7D x}", "captured_response_headers": "{}"}, false},
		"IPv6":          {"2001:db8::7:33317" + middle + `"GET /a HTTP/1.1"`, map[string]string{"client_ip": "2001:db8::7", "client_port": "33317"}, false},
		"IPv4 in IPv6":  {"::ffff:192.0.2.1:33317" + middle + `"GET /a HTTP/1.1"`, map[string]string{"client_ip": "::ffff:192.0.2.1"}, false},
		"unix socket":   {"unix:1" + middle + `"GET /a HTTP/1.1"`, map[string]string{"http_request": "/a"}, false},
		"HTTPS":         {"192.0.2.1:33317" + middle + `"GET /a HTTP/1.1" 0/0000000000000000/0/0/0 www.example/TLSv1.3/TLS_AES_256_GCM_SHA384`, map[string]string{"http_request": "/a"}, false},
		"bad request":   {"192.0.2.1:33317" + middle + `"<BADREQ>"`, map[string]string{"http_verb": "<BADREQ>"}, false},
		"syslog":        {"May 30 07:16:48 lb1 haproxy[14389]: 192.0.2.1:33317" + middle + `"GET /a HTTP/1.1"`, map[string]string{"http_request": "/a"}, false},
		"without host":  {"<134>May 30 07:16:48 haproxy[14389]: 192.0.2.1:33317" + middle + `"GET /a HTTP/1.1"`, map[string]string{"http_request": "/a"}, false},
		"cut by syslog": {"192.0.2.1:33317" + middle + `"GET /a?b=`, map[string]string{"http_verb": "GET", "http_request": "/a?b="}, true},
	} {
		have, reading := fields(t, c.line, nil)
		require.Equal(t, Reading{HAProxy, c.cut}, reading, name)
		for key, want := range c.want {
			require.Equal(t, want, have[key], name)
		}
	}
}

func TestPartsOfEnvoyLines(t *testing.T) {
	const (
		date  = "[2024-05-30T07:16:48.917Z] "
		envoy = `204 - 154 0 226 100 "10.0.35.28" "curl/8" "cc21d9b0" "shop.example" "tcp://10.0.2.1:80"`
		istio = ` 10.1.2.3:80 outbound|80||shop.svc 10.1.2.9:1 10.1.2.3:443 [2001:db8::7]:33317 shop.example default`
	)
	for name, c := range map[string]struct {
		line string
		want map[string]string
		cut  bool
	}{
		"default":              {date + `"POST /a HTTP/2" ` + envoy, map[string]string{"start_time": "2024-05-30T07:16:48.917Z", "method": "POST", "path": "/a", "protocol": "HTTP/2", "response_code": "204", "x_forwarded_for": "10.0.35.28", "user_agent": "curl/8", "authority": "shop.example"}, false},
		"more behind":          {date + `"POST /a HTTP/2" ` + envoy + ` x y`, map[string]string{"user_agent": "curl/8"}, false},
		"malformed":            {date + `"- - HTTP/1.1" 400 DPE 0 11 0 - "-" "-" "-" "-" "-"`, map[string]string{"method": "-", "path": "-", "response_code": "400"}, false},
		"no response":          {date + `"GET /a HTTP/1.1" 0 DC 0 0 9 - "-" "-" "-" "shop" "-"`, map[string]string{"response_code": "0"}, false},
		"Istio":                {date + `"GET /a HTTP/1.1" 503 UF,URX upstream_reset_before_response_started{connection_failure,x_y} - "TLS error: \"x\"" 0 91 4 - "-" "curl/8" "1" "shop" "10.1.2.3:80" inbound|80|| 10.1.2.9:1 10.1.2.3:443 [2001:db8::7]:33317 - default`, map[string]string{"response_code": "503", "user_agent": "curl/8", "downstream_local_address": "10.1.2.3:443", "downstream_remote_address": "[2001:db8::7]:33317"}, false},
		"quotes in the agent":  {date + `"GET /a HTTP/1.1" 200 - 0 0 1 1 "-" "x" "<script>" "cc" "shop" "-"`, map[string]string{"x_forwarded_for": "-", "user_agent": `x" "<script>`, "authority": "shop"}, false},
		"quotes in the target": {date + `"GET /"a"?b="c HTTP/1.1" ` + envoy, map[string]string{"path": `/"a"?b="c`, "protocol": "HTTP/1.1"}, false},
		"spaces in the target": {date + `"GET /a b HTTP/2" ` + envoy, map[string]string{"path": "/a b"}, false},
		"a target like a line": {date + `"GET /a HTTP/2" 200 - 0 0 1 1 "-" "x" "y" "z" "w HTTP/2" ` + envoy, map[string]string{"path": "/a", "user_agent": `x" "y" "z" "w HTTP/2" 204 - 154 0 226 100 "10.0.35.28" "curl/8`}, false},
		"cut in the target":    {date + `"GET /a?b=`, map[string]string{"method": "GET", "path": "/a?b="}, true},
		"cut behind it":        {date + `"GET /a HTTP/1.1"`, map[string]string{"path": "/a"}, true},
		"cut in the status":    {date + `"GET /a HTTP/1.1" 20`, map[string]string{"path": "/a"}, true},
		"cut in the agent":     {date + `"GET /a HTTP/1.1" 200 - 0 0 1 1 "-" "curl`, map[string]string{"response_code": "200"}, true},
		"other fields":         {date + `"GET /a HTTP/1.1" 200 - x y`, map[string]string{"response_code": "200"}, true},
		"in a container's log": {"2024-05-30T07:16:48.917000000Z stdout F " + date + `"GET /a HTTP/1.1" ` + envoy + istio[13:], map[string]string{"path": "/a"}, false},
	} {
		have, reading := fields(t, c.line, nil)
		require.Equal(t, Reading{Envoy, c.cut}, reading, name)
		for key, want := range c.want {
			require.Equal(t, want, have[key], name)
		}
	}
	for _, line := range []string{
		date + "info envoy main all dependencies initialized", "[2024-05-30 07:16:48.917][1][info][main] \"GET /a HTTP/1.1\" 200",
		date + `"- - -" 0 UF,URX 0 0 4 - "-" "-" "-" "-" "10.1.2.3:80"`[:9] + "x",
	} {
		have, reading := fields(t, line, nil)
		require.Nil(t, have, line)
		require.Equal(t, Reading{}, reading, line)
	}
}

func TestPartsOfLinesOfLoadBalancers(t *testing.T) {
	const start = `2024-05-30T07:16:48.917Z app/shop/x 192.0.2.1:33317 - -1 -1 -1 502 - 431 512 `
	for name, c := range map[string]struct {
		line string
		want map[string]string
		cut  bool
	}{
		"application": {"h2 " + start + `"GET https://a.example:443/a HTTP/2.0" "a \x22b" - - - "-" "a.example" "-" 0`, map[string]string{"type": "h2", "client:port": "192.0.2.1:33317", "target:port": "-", "request": "GET https://a.example:443/a HTTP/2.0", "user_agent": `a \x22b`, "domain_name": "a.example"}, false},
		"classic":     {start + `"GET http://a.example:80/a HTTP/1.1" "curl/8" - -`, map[string]string{"elb": "app/shop/x", "user_agent": "curl/8"}, false},
		"old classic": {start + `"GET http://a.example:80/a HTTP/1.1"`, map[string]string{"request": "GET http://a.example:80/a HTTP/1.1"}, true},
		"not parsed":  {"http " + start + `"- http://a.example:80- -" "-" - -`, map[string]string{"request": "- http://a.example:80- -"}, false},
		"IPv6":        {"http " + strings.Replace(start, "192.0.2.1:", "2001:db8::7:", 1) + `"GET http://a.example:80/ HTTP/1.1" "-" - -`, map[string]string{"client:port": "2001:db8::7:33317"}, false},
		"new fields":  {"h2 " + start + `"GET https://a.example:443/a HTTP/2.0" "x" - - - "-" "a" "-" 0 t "-" "-" "-" "-" "-" "-" "-" TID "more and more" x`, map[string]string{"conn_trace_id": "TID"}, false},
		"cut":         {"h2 " + start + `"GET https://a.example:443/a?b=`, map[string]string{"request": "GET https://a.example:443/a?b= HTTP/1.1"}, true},
		"cut behind":  {"h2 " + start + `"GET https://a.example:443/a HTTP/2.0" "Moz`, map[string]string{"user_agent": "Moz"}, true},
	} {
		have, reading := fields(t, c.line, nil)
		require.Equal(t, Reading{AWS, c.cut}, reading, name)
		for key, want := range c.want {
			require.Equal(t, want, have[key], name)
		}
	}
}

func FuzzAnyLineIsReadOrLeftAlone(f *testing.F) {
	for _, l := range written.Lines() {
		f.Add(l.Write(written.Browser("GET", "/a?b=c")), l.Directive)
	}
	f.Add(front+`"GET /`, "#Fields: cs-method cs-uri")
	f.Add(`<1>1 - a b c d [x y="]"] `+front+`"GET / HTTP/1.1" 200 5`, "#Fields:")
	f.Fuzz(func(t *testing.T, line, directive string) {
		columns, _ := ReadColumns(directive)
		start := []byte("before")
		record, reading := Append(start, line, columns)
		require.Equal(t, "before", string(record[:len(start)]))
		if reading.Format == None || reading.Format == Directive {
			require.Len(t, record, len(start))
			return
		}
		rest, err := msgp.Skip(record[len(start):])
		require.NoError(t, err)
		require.Empty(t, rest)
	})
}
