// Package recordtest makes records for tests of what handles chunks, as Fluent Bit hands them over. There are clean
// requests, attacks, and requests that keep the engine busy. The same arguments make the same record, and a number
// makes it unlike all others.
package recordtest

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
)

// Pairs is a record of texts under keys.
func Pairs(keysAndValues ...string) []byte {
	b := msgp.AppendMapHeader(nil, uint32(len(keysAndValues)/2))
	for _, s := range keysAndValues {
		b = msgp.AppendString(b, s)
	}
	return append([]byte{0x92, 0x92, 0xd7, 0x00, 0x66, 0x58, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x80}, b...)
}

// Request is a request as a Nano probe logs it.
type Request struct {
	Client, Method, Target string
	Headers                [][2]string
	Body                   string
	Response               string // body of the response
}

// Event returns its record.
func (r *Request) Event() []byte {
	var head strings.Builder
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\n", r.Method, r.Target)
	for _, h := range r.Headers {
		fmt.Fprintf(&head, "%s: %s\r\n", h[0], h[1])
	}
	head.WriteString("\r\n")
	return Pairs("L7_PROTOCOL", "http", "SRC_IP", r.Client, "DST_IP", "192.0.2.10", "METHOD", r.Method, "URL", r.Target,
		"REQ_HEADER", head.String(), "REQ_BODY", r.Body, "RETCODE", "200",
		"RSP_HEADER", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", "RSP_BODY", r.Response)
}

// Clean is a request without an alert, for a path.
func Clean(path string) []byte {
	head := "GET " + path + " HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\n\r\n"
	return Pairs("METHOD", "GET", "URL", path, "REQ_HEADER", head, "L7_PROTOCOL", "http")
}

// Browser is a request of a browser, with a number that makes it unlike all others.
func Browser(n int, form bool) []byte {
	r := Request{Client: "192.0.2.9", Method: "GET", Target: fmt.Sprintf("/catalog/item?id=%d&color=blue&page=3", n), Headers: [][2]string{
		{"Host", "shop.example"},
		{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
		{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
		{"Accept-Language", "en-US,en;q=0.5"},
		{"Accept-Encoding", "gzip, deflate"},
		{"Cookie", fmt.Sprintf("session=%08x; theme=dark", n)},
	}, Response: "<p>welcome</p>"}
	if form {
		r.Method, r.Target = "POST", "/cart"
		r.Body = url.Values{"item": {fmt.Sprint(n)}, "quantity": {"2"}, "note": {"please ring twice"}}.Encode()
		r.Headers = append(r.Headers, [2]string{"Content-Type", "application/x-www-form-urlencoded"},
			[2]string{"Content-Length", fmt.Sprint(len(r.Body))})
	}
	return r.Event()
}

// New is a clean request of a client that no other is like.
func New(client string, n int) []byte {
	return Pairs("remote_addr", client, "request_uri", fmt.Sprintf("/catalog/%d?color=blue&page=%d", n, n*7), "request_method", "GET", "status", "200",
		"host", "shop.example", "server_protocol", "HTTP/1.1", "http_user_agent", fmt.Sprintf("Mozilla/5.0 (X11; Linux x86_64; rv:%d) Firefox/128.0", n))
}

// Attack is an attack of a client that takes the engine little.
func Attack(client string, n int) []byte {
	return Pairs("remote_addr", client, "request_uri", fmt.Sprintf("/%d?q=<script>alert(1)</script>", n), "request_method", "GET", "status", "200",
		"host", "shop.example", "server_protocol", "HTTP/1.1")
}

// slowWords take the engine long.
const slowWords = "union select 1 from users where a=1 or '1'='1' <script>alert(1)</script> ../../etc/passwd; cat /etc/shadow "

// Slow is an attack that keeps the engine busy for far longer than a millisecond.
func Slow(n int) []byte {
	return post("192.0.2.9", fmt.Sprintf("/search?n=%d", n), "q="+strings.Repeat(slowWords, 140))
}

// Large is an attack of so many bytes at least that its size alone shows that it keeps the engine busy.
func Large(client, n, bytes int) []byte {
	return post(fmt.Sprintf("198.51.100.%d", client), fmt.Sprintf("/large?n=%d", n),
		"q="+strings.Repeat("union select 1 from users <script>alert(1)</script> ", 1+bytes/50))
}

func post(client, target, body string) []byte {
	r := Request{Client: client, Method: "POST", Target: target, Body: body, Headers: [][2]string{
		{"Host", "shop.example"}, {"User-Agent", "curl/8.0"}, {"Accept", "*/*"},
		{"Content-Type", "application/x-www-form-urlencoded"}, {"Content-Length", fmt.Sprint(len(body))},
	}}
	return r.Event()
}

// Verdict returns what the first record of a chunk has under the key waf, "" when nothing.
func Verdict(chunk []byte) string {
	e, _, err := record.Next(chunk)
	if err != nil {
		return ""
	}
	for pairs, _ := record.ReadMap(e.Body); pairs.Next(); {
		if pairs.Key == "waf" {
			return string(pairs.Value)
		}
	}
	return ""
}
