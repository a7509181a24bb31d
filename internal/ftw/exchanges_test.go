package ftw_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/ftw"
)

// exchange is a request and its response as a server has them, and as the wire and so the log has them where that differs.
type exchange struct {
	ftw.Stage
	head, body                 string
	responseHead, responseBody string
}

const traversal = "../../../../etc/passwd"

// get is a request of a browser.
func get(target string, headers ...ftw.Header) exchange {
	return exchange{Stage: ftw.Stage{
		Request: ftw.Request{Method: "GET", URI: target, Version: "HTTP/1.1", Headers: append([]ftw.Header{
			{Name: "Host", Value: "shop.example"}, {Name: "User-Agent", Value: "Mozilla/5.0 (X11; Linux x86_64)"}, {Name: "Accept", Value: "*/*"},
		}, headers...)},
		Response: ftw.Response{Status: 200, Headers: []ftw.Header{{Name: "Content-Length", Value: "0"}}},
	}}
}

func post(contentType, body string, headers ...ftw.Header) exchange {
	e := get("/api", append(headers, ftw.Header{Name: "Content-Type", Value: contentType},
		ftw.Header{Name: "Content-Length", Value: fmt.Sprint(len(body))})...)
	e.Request.Method, e.Request.Body = "POST", body
	return e
}

func answer(contentType, body string) exchange {
	e := get("/")
	e.Response.Headers, e.Response.Body = []ftw.Header{{Name: "Content-Type", Value: contentType}}, body
	return e
}

// with changes an exchange.
func (e exchange) with(change func(*exchange)) exchange {
	change(&e)
	return e
}

func (e exchange) version(text string) exchange {
	return e.with(func(e *exchange) { e.Request.Version = text })
}

// record is the exchange as a Nano probe sends it.
func (e *exchange) record() []byte {
	either := func(wire, served string) string {
		if wire != "" {
			return wire
		}
		return served
	}
	return event([]string{
		"SRC_IP", clientIP, "SRC_PORT", fmt.Sprint(clientPort), "DST_IP", serverIP, "DST_PORT", fmt.Sprint(serverPort),
		"METHOD", e.Request.Method, "URL", e.Request.URI, "L7_PROTOCOL", "http",
		"REQ_HEADER", either(e.head, e.Request.Head()), "REQ_BODY", either(e.body, e.Request.Body),
		"RSP_HEADER", either(e.responseHead, e.Response.Head()), "RSP_BODY", either(e.responseBody, e.Response.Body),
	})
}

const leak = "<html><body>Microsoft OLE DB Provider for SQL Server error '80040e14' \xe4\xff</body></html>"

const upload = "--AaB03x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"shell.php\"\r\nContent-Type: text/plain\r\n\r\n" +
	"<?php system($_GET['c']); ?>\r\n--AaB03x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\n" + traversal + "\r\n--AaB03x--\r\n"

// exchanges by what is odd in them. Those in which rules must find something say which.
var exchanges = map[string]struct {
	exchange
	expect int
}{
	"header twice": {get("/", ftw.Header{Name: "X-A", Value: "1"}, ftw.Header{Name: "x-a", Value: traversal}), 0},
	"folded header": {get("/", ftw.Header{Name: "Referer", Value: "http://a.example/ ?q=<script>alert(1)</script>"}).with(func(e *exchange) {
		e.head = strings.Replace(e.Request.Head(), "/ ?q", "/\r\n\t ?q", 1)
	}), 941110},
	"lines without CR": {get("/?f=" + traversal).with(func(e *exchange) {
		e.head = strings.ReplaceAll(e.Request.Head(), "\r", "")
	}), 930120},
	"blanks around values": {get("/", ftw.Header{Name: "Cookie", Value: "f=" + traversal}).with(func(e *exchange) {
		e.head = strings.ReplaceAll(e.Request.Head(), ": ", ":\t  ")
	}), 930120},
	"several cookies":        {get("/", ftw.Header{Name: "Cookie", Value: "a=1; b=" + traversal + "; c=\x01x"}), 930120},
	"several Cookie headers": {get("/", ftw.Header{Name: "Cookie", Value: "a=1"}, ftw.Header{Name: "Cookie", Value: "b=" + traversal}), 930120},
	"two Content-Types":      {post("text/plain", `{"a":"`+traversal+`"}`, ftw.Header{Name: "Content-Type", Value: "application/json"}), 0},
	"empty Host": {get("/").with(func(e *exchange) {
		e.Request.Headers = slices.Clone(e.Request.Headers)
		e.Request.Headers[0].Value = ""
	}), 0},
	"no headers":              {get("/").with(func(e *exchange) { e.Request.Headers = nil }), 920280},
	"NUL in a header":         {get("/", ftw.Header{Name: "X-A", Value: "a\x00b"}), 0},
	"absolute form":           {get("http://shop.example/a?f=" + traversal), 930120},
	"asterisk form":           {get("*").with(func(e *exchange) { e.Request.Method = "OPTIONS" }), 0},
	"authority form":          {get("shop.example:443").with(func(e *exchange) { e.Request.Method = "CONNECT" }), 0},
	"blanks in the target":    {get("/a b?f=x " + traversal), 930120},
	"raw bytes in the target": {get("/\xff\xfe?f=%ff%fe%80union select 1,2 from t"), 0},
	"fragment":                {get("/a?f=" + traversal + "#frag"), 930120},
	"HTTP/0.9": {get("/?f=" + traversal).version("HTTP/0.9").with(func(e *exchange) {
		e.Request.Headers = nil
		e.head = "GET /?f=" + traversal + "\r\n\r\n"
	}), 920430},
	"HTTP/1.0":          {get("/?f=" + traversal).version("HTTP/1.0"), 930120},
	"HTTP/2":            {get("/?f=" + traversal).version("HTTP/2"), 930120},
	"HTTP/2.0":          {get("/?f=" + traversal).version("HTTP/2.0"), 930120},
	"HTTP/3":            {get("/?f=" + traversal).version("HTTP/3"), 930120},
	"HTTP/3.0":          {get("/?f=" + traversal).version("HTTP/3.0"), 930120},
	"HTTP/4.0":          {get("/").version("HTTP/4.0"), 920430},
	"form":              {post("application/x-www-form-urlencoded", "a=1&f=..%2F..%2F..%2Fetc%2Fpasswd"), 930120},
	"form with charset": {post("application/x-www-form-urlencoded; charset=iso-8859-1", "a=\xe4\xf6&f="+traversal), 930120},
	"multipart":         {post("multipart/form-data; boundary=AaB03x", upload), 930120},
	"multipart, broken": {post("multipart/form-data; boundary=AaB03x", upload[:len(upload)-20]), 200003},
	"JSON":              {post("application/json", `{"a":[1,{"f":"`+traversal+`"}]}`), 930120},
	"JSON, broken":      {post("application/json", `{"a":[1,{"f":"`+traversal+`"}`), 200002},
	"JSON API":          {post("application/vnd.api+json", `{"f":"`+traversal+`"}`), 930120},
	"XML":               {post("text/xml", `<?xml version="1.0"?><a b="x"><c>`+traversal+`</c></a>`), 930120},
	"SOAP":              {post("application/soap+xml", `<a><b c="d">`+traversal+`</b></a>`), 930120},
	"GraphQL":           {post("application/graphql", `query { file(path: "`+traversal+`") { id } }`), 930120},
	"GraphQL in JSON":   {post("application/json", `{"query":"query { file(path: \"`+traversal+`\") { id } }"}`), 930120},
	"plain text":        {post("text/plain", "see "+traversal), 930120},
	"binary body":       {post("application/octet-stream", "\x00\x01\xff\xfe'\x80union select 1\x00"), 0},
	"body without a type": {post("", traversal).with(func(e *exchange) {
		e.Request.Headers = slices.DeleteFunc(e.Request.Headers, func(h ftw.Header) bool { return h.Name == "Content-Type" })
	}), 930120},
	"chunked request": {post("application/json", `{"f":"`+traversal+`"}`).with(func(e *exchange) {
		e.Request.Headers = slices.DeleteFunc(e.Request.Headers, func(h ftw.Header) bool { return h.Name == "Content-Length" })
		e.Request.Headers = append(e.Request.Headers, ftw.Header{Name: "Transfer-Encoding", Value: "chunked"})
		e.body = framed(e.Request.Body)
	}), 930120},
	"leak in HTML":              {answer("text/html; charset=utf-8", leak), 951220},
	"leak in plain text":        {answer("text/plain", leak), 951220},
	"leak in JSON":              {answer("application/json", leak), 0},
	"leak without Content-Type": {answer("", leak).with(func(e *exchange) { e.Response.Headers = nil }), 0},
	"leak in chunks": {answer("text/html", leak).with(func(e *exchange) {
		e.Response.Headers = append(e.Response.Headers, ftw.Header{Name: "Transfer-Encoding", Value: "chunked"})
		e.responseBody = framed(leak)
	}), 951220},
	"leak, gzip":    {encodedAnswer("gzip", func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }), 951220},
	"leak, deflate": {encodedAnswer("deflate", func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }), 951220},
	"leak, br":      {encodedAnswer("br", func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) }), 951220},
	"leak, zstd": {encodedAnswer("zstd", func(w io.Writer) io.WriteCloser {
		e, _ := zstd.NewWriter(w) // no option that can be wrong
		return e
	}), 951220},
	"server error": {answer("text/html", "<p>oops</p>").with(func(e *exchange) { e.Response.Status = 500 }), 0},
}

// framed returns a body in chunks of 7 bytes.
func framed(body string) string {
	var b strings.Builder
	for chunk := range slices.Chunk([]byte(body), 7) {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(chunk), chunk)
	}
	return b.String() + "0\r\n\r\n"
}

// encodedAnswer is a response that leaves the server as it is, and is compressed in the log.
func encodedAnswer(coding string, open func(io.Writer) io.WriteCloser) exchange {
	var b bytes.Buffer
	w := open(&b)
	_, _ = io.WriteString(w, leak) // a buffer takes everything
	_ = w.Close()
	e := answer("text/html", leak)
	onWire := e.Response
	onWire.Headers = append(slices.Clone(onWire.Headers), ftw.Header{Name: "Content-Encoding", Value: coding},
		ftw.Header{Name: "Content-Length", Value: fmt.Sprint(b.Len())})
	e.responseHead, e.responseBody = onWire.Head(), b.String()
	return e
}

func TestOddExchangesGetTheVerdictOfPlainCoraza(t *testing.T) {
	for _, paranoia := range []int{1, paranoiaLevels} {
		r := newSuiteRun(t, nil, paranoia, nil)
		for name, e := range exchanges {
			t.Run(fmt.Sprintf("%s at level %d", name, paranoia), func(t *testing.T) {
				want, err := inspectAsConnector(r.waf, &e.Stage)
				require.NoError(t, err)
				got, err := inspectRecord(r.filter, e.record())
				require.NoError(t, err)
				require.Equal(t, want.ids, got.ids)
				require.Equal(t, want.inbound, got.inbound)
				require.Equal(t, want.outbound, got.outbound)
				if e.expect != 0 {
					require.Contains(t, got.ids, e.expect)
				}
			})
		}
	}
}
