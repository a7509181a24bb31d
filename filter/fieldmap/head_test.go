package fieldmap

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

func TestRequestLines(t *testing.T) {
	for line, want := range map[string][3]string{
		"GET / HTTP/1.1":                         {"GET", "/", "HTTP/1.1"},
		"GET / HTTP/1.0":                         {"GET", "/", "HTTP/1.0"},
		"GET / HTTP/2":                           {"GET", "/", "HTTP/2"},
		"GET / HTTP/2.0":                         {"GET", "/", "HTTP/2.0"},
		"GET / HTTP/3":                           {"GET", "/", "HTTP/3"},
		"GET / HTTP/0.9":                         {"GET", "/", "HTTP/0.9"},
		"GET /":                                  {"GET", "/", "HTTP/0.9"},
		"GET / ":                                 {"GET", "/", ""},
		"GET / 1.1":                              {"GET", "/", "1.1"},
		"GET / JUNK/1.0":                         {"GET", "/", "JUNK/1.0"},
		`GET \index.html HTTP\1.0`:               {"GET", `\index.html`, `HTTP\1.0`},
		"GET http://shop.example/a?b=c HTTP/1.1": {"GET", "http://shop.example/a?b=c", "HTTP/1.1"},
		"OPTIONS * HTTP/1.1":                     {"OPTIONS", "*", "HTTP/1.1"},
		"CONNECT shop.example:443 HTTP/1.1":      {"CONNECT", "shop.example:443", "HTTP/1.1"},
		"GET /a b?c=d e HTTP/1.1":                {"GET", "/a b?c=d e", "HTTP/1.1"},
		"GET /a b c":                             {"GET", "/a b c", "HTTP/0.9"},
		"GET   /   HTTP/1.1":                     {"GET", "/", "HTTP/1.1"},
		"   GET / HTTP/1.1":                      {"   GET", "/", "HTTP/1.1"},
		"\tGET / HTTP/1.1":                       {"\tGET", "/", "HTTP/1.1"},
		"GET /\xff\x00\xfe HTTP/1.1":             {"GET", "/\xff\x00\xfe", "HTTP/1.1"},
		"GET /①?a=②#frag HTTP/1.1":               {"GET", "/①?a=②#frag", "HTTP/1.1"},
		"GET\t/\tHTTP/1.1":                       {"GET", "/", "HTTP/1.1"},
		"GET\v/\fHTTP/1.1":                       {"GET", "/", "HTTP/1.1"},
		"GET \t /a?b=c\r HTTP/1.1":               {"GET", "/a?b=c", "HTTP/1.1"},
		"GET\t/":                                 {"GET", "/", "HTTP/0.9"},
		"GET /a\tb HTTP/1.1":                     {"GET", "/a\tb", "HTTP/1.1"},
		"GET /a\tb":                              {"GET", "/a\tb", "HTTP/0.9"},
		"GET\t/a JUNK/1.0":                       {"GET", "/a", "JUNK/1.0"},
		"GET / HTTP/1.1 ":                        {"GET", "/", "HTTP/1.1"},
		"GET / HTTP/1.1 \t":                      {"GET", "/", "HTTP/1.1"},
		"GET /a b HTTP/1.1  ":                    {"GET", "/a b", "HTTP/1.1"},
		"GET / HTTP/1.1 junk":                    {"GET", "/ HTTP/1.1 junk", "HTTP/0.9"},
		"GET\x00/ HTTP/1.1":                      {"GET\x00/", "HTTP/1.1", "HTTP/0.9"},
	} {
		method, target, version, ok := requestLine(line)
		require.True(t, ok, line)
		require.Equal(t, want, [3]string{method, target, version}, line)
	}
	for _, line := range []string{"", " ", "GET", "GET ", "GET  ", "   ", "   GET", "\t", "GET\t", "\tGET"} {
		_, _, _, ok := requestLine(line)
		require.False(t, ok, "%q", line)
	}
}

func TestStatusLines(t *testing.T) {
	for line, want := range map[string][2]string{
		"HTTP/1.1 200 OK":         {"HTTP/1.1", "200"},
		"HTTP/1.1 404 Not Found":  {"HTTP/1.1", "404"},
		"HTTP/2 204":              {"HTTP/2", "204"},
		"HTTP/1.0  500  Internal": {"HTTP/1.0", "500"},
		"HTTP/1.1 ":               {"HTTP/1.1", ""},
		"HTTP/1.1\t200\tOK":       {"HTTP/1.1", "200"},
		"HTTP/1.1 200\vOK":        {"HTTP/1.1", "200"},
	} {
		version, status, ok := statusLine(line)
		require.True(t, ok, line)
		require.Equal(t, want, [2]string{version, status}, line)
	}
	for _, line := range []string{"", "HTTP/1.1", "200 OK", "ICY 200 OK", " HTTP/1.1 200"} {
		_, _, ok := statusLine(line)
		require.False(t, ok, "%q", line)
	}
}

func TestHeaderLines(t *testing.T) {
	for name, c := range map[string]struct {
		raw  string
		want []rules.Header
	}{
		"in order, with duplicates": {"A: 1\r\nb: 2\r\nA: 3\r\n\r\n", []rules.Header{{Name: "A", Value: "1"}, {Name: "b", Value: "2"}, {Name: "A", Value: "3"}}},
		"lines without CR":          {"A: 1\nB: 2\n\n", []rules.Header{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}}},
		"folded":                    {"A: 1\r\n 2\r\n\t  3\r\nB: x\r\n\r\n", []rules.Header{{Name: "A", Value: "1 2 3"}, {Name: "B", Value: "x"}}},
		"folded first line":         {" 1\r\nA: 2\r\n\r\n", []rules.Header{{Name: "A", Value: "2"}}},
		"blanks around the value":   {"A:1\r\nB: \t 2 \t\r\nC :3\r\n\r\n", []rules.Header{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}, {Name: "C", Value: "3"}}},
		"empty value":               {"A:\r\nB: \r\n\r\n", []rules.Header{{Name: "A"}, {Name: "B"}}},
		"several cookies":           {"Cookie: a=1; b=2\r\nCookie: c=3\r\n\r\n", []rules.Header{{Name: "Cookie", Value: "a=1; b=2"}, {Name: "Cookie", Value: "c=3"}}},
		"colons in the value":       {"Host: [::1]:80\r\n\r\n", []rules.Header{{Name: "Host", Value: "[::1]:80"}}},
		"no colon":                  {"junk\r\nA: 1\r\n\r\n", []rules.Header{{Name: "A", Value: "1"}}},
		"no name":                   {": 1\r\n : 2\r\nA: 1\r\n\r\n", []rules.Header{{Name: "A", Value: "1"}}},
		"raw bytes":                 {"A: \xff\x00\xe4\r\n\r\n", []rules.Header{{Name: "A", Value: "\xff\x00\xe4"}}},
		"CR inside a value":         {"A: 1\rB: 2\r\n\r\n", []rules.Header{{Name: "A", Value: "1\rB: 2"}}},
		"what stands behind":        {"A: 1\r\n\r\nB: 2\r\n\r\n", []rules.Header{{Name: "A", Value: "1"}}},
		"empty lines before":        {"\r\n\n\rA: 1\r\n\r\n", []rules.Header{{Name: "A", Value: "1"}}},
		"no blank line":             {"A: 1\r\nB: 2", []rules.Header{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}}},
		"nothing":                   {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHead(c.raw)
			got, cut := h.headers(nil)
			require.Equal(t, c.want, got)
			require.False(t, cut)
		})
	}
}

func TestHeadsThatAreCut(t *testing.T) {
	long := "Cookie: " + strings.Repeat("x", minCutHead) + "\r\n"
	for name, c := range map[string]struct {
		raw string
		cut bool
	}{
		"whole":                         {long + "\r\n", false},
		"without the blank line":        {long, true},
		"in the middle of a line":       {long + "Acc", true},
		"short, without the blank line": {"A: 1\r\n", false},
		"as many lines as are read":     {strings.Repeat("A: 1\r\n", maxHeadLines) + "\r\n", false},
		"more lines than are read":      {strings.Repeat("A: 1\r\n", maxHeadLines+1) + "\r\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHead(c.raw)
			got, cut := h.headers(nil)
			require.Equal(t, c.cut, cut)
			require.LessOrEqual(t, len(got), maxHeadLines)
		})
	}
	tr := exchange("User-Agent: curl\r\n"+long, "", "", "")
	require.False(t, tr.Truncated(), "the blank line is there")
	v := &Values{}
	v.reset(nano())
	v.set(RequestHead, "GET / HTTP/1.1\r\nUser-Agent: curl\r\n"+long, 0)
	require.True(t, v.Transaction(tr))
	require.True(t, tr.RequestHeadCut)
	unknown := rules.PartUnnamedHeaders | rules.PartHost | rules.PartReferer
	require.Equal(t, unknown, tr.Unknown&rules.PartRequestHeaders, "headers before the cut are known")
}

func FuzzHead(f *testing.F) {
	f.Add("GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\n 2\r\n\r\n")
	f.Add("POST /a b?c HTTP/2\nX\n: y\n\tz\n\n")
	f.Fuzz(func(t *testing.T, raw string) {
		h := newHead(raw)
		method, target, version, ok := h.requestLine()
		if ok && len(method)+len(target)+len(version) > len(raw)+len(simpleVersion) {
			t.Fatalf("%q became %q %q %q", raw, method, target, version)
		}
		headers, _ := h.headers(nil)
		if len(headers) > maxHeadLines {
			t.Fatalf("%d headers", len(headers))
		}
		var wire strings.Builder
		for _, header := range headers {
			if header.Name == "" || strings.ContainsAny(header.Name+header.Value, "\n") {
				t.Fatalf("header %q: %q", header.Name, header.Value)
			}
			fmt.Fprintf(&wire, "%s: %s\r\n", header.Name, header.Value)
		}
		again := newHead(wire.String() + "\r\n")
		if same, _ := again.headers(nil); !sameHeaders(same, headers) {
			t.Fatalf("%q gives %q, which gives %q", raw, headers, same)
		}
	})
}

// sameHeaders compares headers; a name that starts with a blank cannot be written again, since its line continues the one before.
func sameHeaders(got, want []rules.Header) bool {
	for _, h := range want {
		if strings.TrimLeft(h.Name, blanks) != h.Name || strings.HasSuffix(h.Name+h.Value, "\r") {
			return true
		}
	}
	return fmt.Sprint(got) == fmt.Sprint(want)
}
