package fieldmap

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net/http/httputil"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// nanoBodyLimit is where Nano probes cut bodies, in bytes.
const nanoBodyLimit = 1024

// exchange returns the transaction of a Nano record with raw heads.
func exchange(requestHeaders, requestBody, responseHeaders, responseBody string) *rules.Transaction {
	v := &Values{}
	v.reset(nano())
	for field, text := range map[Field]string{
		RequestHead: "POST / HTTP/1.1\r\nHost: a\r\n" + requestHeaders + "\r\n", RequestBody: requestBody,
		ResponseHead: "HTTP/1.1 200 OK\r\n" + responseHeaders + "\r\n", ResponseBody: responseBody,
	} {
		v.set(field, text, 0)
	}
	t := &rules.Transaction{}
	if !v.Transaction(t) {
		panic("no transaction")
	}
	return t
}

func TestChunkedFramingLeavesTheBody(t *testing.T) {
	const isChunked = "Transfer-Encoding: chunked\r\n"
	for name, c := range map[string]struct {
		body, want string
		cut        bool
	}{
		"one chunk":                         {"5\r\nhello\r\n0\r\n\r\n", "hello", false},
		"several chunks":                    {"3\r\nhel\r\n02\r\nlo\r\n00\r\n\r\n", "hello", false},
		"digits in both cases":              {"A\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n", "0123456789abcdefghij", false},
		"padded size":                       {"5  \r\nhello\r\n0\r\n\r\n", "hello", false},
		"end trimmed by the source":         {"5\r\nhello\r\n0", "hello", false},
		"cut in the data":                   {"ff\r\nhello", "hello", true},
		"cut behind the data":               {"5\r\nhello", "hello", true},
		"cut in the line end":               {"5\r\nhello\r", "hello", true},
		"cut behind a chunk":                {"5\r\nhello\r\n", "hello", true},
		"cut in a size":                     {"5\r\nhello\r\n1", "hello", true},
		"cut behind the first size":         {"5\r\n", "", true},
		"no framing":                        {"hello", "hello", false},
		"no framing, at the limit":          {strings.Repeat("x", nanoBodyLimit), strings.Repeat("x", nanoBodyLimit), true},
		"no framing, digits first":          {"123 apples", "123 apples", false},
		"only a number":                     {"5", "5", false},
		"size that does not fit":            {"3\r\nhello\r\n0\r\n\r\n", "3\r\nhello\r\n0\r\n\r\n", false},
		"text hidden in an extension":       {"1;a=<script>\r\na\r\n0\r\n\r\n", "1;a=<script>\r\na\r\n0\r\n\r\n", false},
		"text hidden behind the last chunk": {"0\r\nunion select\r\n", "0\r\nunion select\r\n", false},
		"too many digits":                   {"000000005\r\nhello\r\n0\r\n\r\n", "000000005\r\nhello\r\n0\r\n\r\n", false},
		"line ends without CR":              {"5\nhello\n0\n\n", "5\nhello\n0\n\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, got := range []*rules.Transaction{exchange(isChunked, c.body, "", ""), exchange("", "", isChunked, c.body)} {
				require.Equal(t, c.want, got.RequestBody+got.ResponseBody)
				require.Equal(t, c.cut, got.Truncated())
			}
			plain := exchange("", c.body, "", "")
			require.Equal(t, c.body, plain.RequestBody, "without Transfer-Encoding")
		})
	}
}

func FuzzUnchunk(f *testing.F) {
	f.Add("5\r\nhello\r\n0\r\n\r\n")
	f.Add("3\r\nabc\r\n2\r\nde\r\n0\r\n")
	f.Fuzz(func(t *testing.T, body string) {
		out, _, state := unchunk(nil, body)
		switch state {
		case unframed:
			if out != body {
				t.Fatalf("%q became %q", body, out)
			}
		case framed:
			want, err := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(strings.TrimRight(body, "\r\n") + "\r\n\r\n")))
			if err != nil || string(want) != out {
				t.Fatalf("%q became %q, want %q (%v)", body, out, want, err)
			}
		case cutFrame:
			want, _ := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(body)))
			if string(want) != out {
				t.Fatalf("cut %q became %q, want %q", body, out, want)
			}
		}
	})
}

func TestWhatShowsThatABodyIsCut(t *testing.T) {
	atLimit := strings.Repeat("x", nanoBodyLimit)
	for name, c := range map[string]struct {
		headers, body string
		cut           bool
	}{
		"whole by its length":             {"Content-Length: 5\r\n", "hello", false},
		"shorter than its length":         {"Content-Length: 6\r\n", "hello", true},
		"longer than its length":          {"Content-Length: 4\r\n", "hello", false},
		"length, and no body":             {"Content-Length: 6\r\n", "", true},
		"length 0":                        {"Content-Length: 0\r\n", "", false},
		"no length, short":                {"", "hello", false},
		"no length, at the limit":         {"", atLimit, true},
		"no length, above the limit":      {"", atLimit + "x", false},
		"whole by its length, at limit":   {"Content-Length: 1024\r\n", atLimit, false},
		"cut by its length, at the limit": {"Content-Length: 4096\r\n", atLimit, true},
		"length that is no number":        {"Content-Length: 4x\r\n", atLimit, true},
		"whole by its framing, at limit":  {"Transfer-Encoding: chunked\r\n", "3f4\r\n" + atLimit[:0x3f4] + "\r\n0\r\n\r\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			got := exchange(c.headers, c.body, "", "")
			require.Equal(t, c.cut, got.RequestCut)
			require.Equal(t, c.cut, got.Unknown&rules.PartBodyEnd != 0)
			if c.body != "" {
				got = exchange("", "", c.headers, c.body)
				require.Equal(t, c.cut, got.ResponseCut)
				require.Equal(t, c.cut, got.Unknown&rules.PartResponseEnd != 0)
			}
		})
	}
}

const page = "<html><body>Microsoft OLE DB Provider for SQL Server, \xff\xfe raw bytes and some more text to press</body></html>"

// encodings are writers for the content codings of HTTP.
var encodings = map[string]func(string) string{
	"gzip": func(s string) string {
		return written(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }, s)
	},
	"x-gzip": func(s string) string {
		return written(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }, s)
	},
	"deflate": func(s string) string {
		return written(func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }, s)
	},
	"Deflate": func(s string) string {
		return written(func(w io.Writer) io.WriteCloser {
			bare, _ := flate.NewWriter(w, flate.BestCompression) // the level is known
			return bare
		}, s)
	},
	"br": func(s string) string {
		return written(func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) }, s)
	},
	"zstd": func(s string) string {
		return written(func(w io.Writer) io.WriteCloser {
			e, _ := zstd.NewWriter(w) // no option that can be wrong
			return e
		}, s)
	},
}

func written(open func(io.Writer) io.WriteCloser, s string) string {
	var b bytes.Buffer
	w := open(&b)
	if _, err := io.WriteString(w, s); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.String()
}

func response(coding, body string) *rules.Transaction {
	return exchange("", "", fmt.Sprintf("Content-Encoding: %s\r\nContent-Length: %d\r\nContent-Type: text/html\r\n", coding, len(body)), body)
}

func TestEncodedResponsesAreDecoded(t *testing.T) {
	for coding, encode := range encodings {
		t.Run(coding, func(t *testing.T) {
			for range 2 { // the second uses the first one's decoder
				got := response(coding, encode(page))
				require.Equal(t, page, got.ResponseBody)
				require.False(t, got.ResponseCut)
				require.Equal(t, "", value(got.ResponseHeaders, "Content-Encoding"))
				require.Len(t, got.ResponseHeaders, 2)
			}
		})
	}
}

func TestSeveralCodingsAndFraming(t *testing.T) {
	body := encodings["br"](encodings["gzip"](page))
	framed := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	got := exchange("", "", "Content-Encoding: gzip\r\nContent-Encoding: identity, br\r\nTransfer-Encoding: chunked\r\n", framed)
	require.Equal(t, page, got.ResponseBody)
	require.False(t, got.ResponseCut)
}

// Engines in the request path do not decode request bodies; the rules see the bytes, and nobody says that they saw more.
func TestEncodedRequestBodiesArePartial(t *testing.T) {
	for coding, encode := range encodings {
		got := exchange("Content-Encoding: "+coding+"\r\n", encode(page), "", "")
		require.Equal(t, encode(page), got.RequestBody)
		require.Equal(t, rules.PartialBody, got.Partial, coding)
		require.Zero(t, exchange("Content-Encoding: "+coding+"\r\n", "a=b", "", "").Partial, "it is not encoded")
	}
	require.Equal(t, rules.PartialBody, exchange("Content-Encoding: base64\r\n", "a=b", "", "").Partial)
	require.Zero(t, exchange("Content-Encoding: identity\r\n", "a=b", "", "").Partial)
	require.Zero(t, exchange("Content-Encoding: gzip\r\n", "", "", "").Partial)
}

func TestDamagedEncodingsLoseNothing(t *testing.T) {
	long := strings.Repeat(page+" ", 40)
	for coding, encode := range encodings {
		t.Run(coding, func(t *testing.T) {
			whole := encode(long)
			for at := 4; at < len(whole); at++ { // less could be a short text
				got := exchange("", "", fmt.Sprintf("Content-Encoding: %s\r\nContent-Length: %d\r\n", coding, len(whole)), whole[:at])
				if value(got.ResponseHeaders, "Content-Encoding") != "" {
					require.Equal(t, whole[:at], got.ResponseBody, "what cannot be decoded stays as it is")
				} else {
					require.True(t, strings.HasPrefix(long, got.ResponseBody), "cut at %d", at)
				}
				require.True(t, got.ResponseCut || got.ResponseBody == long)
			}
		})
	}
}

func TestBodiesThatAreNotEncodedStayAsTheyAre(t *testing.T) {
	for coding := range encodings {
		got := response(coding, "plain text, Ångström\r\n")
		require.Equal(t, "plain text, Ångström\r\n", got.ResponseBody)
		require.Equal(t, "", value(got.ResponseHeaders, "Content-Encoding"), "the source has decoded it")
		require.False(t, got.ResponseCut)

		binary := "\x89PNG\r\n\x1a\n\x00\xff\xff"
		got = response(coding, binary)
		require.Equal(t, binary, got.ResponseBody)
		require.Equal(t, coding, value(got.ResponseHeaders, "Content-Encoding"))
		require.Equal(t, rules.PartialResponse, got.Partial)
	}
	for coding, partial := range map[string]rules.Partial{
		"compress": rules.PartialResponse, "identity": 0, "gzip, gzip, gzip, gzip": rules.PartialResponse, "": 0,
	} {
		encoded := encodings["gzip"](page)
		got := response(coding, encoded)
		require.Equal(t, encoded, got.ResponseBody)
		require.Equal(t, partial, got.Partial, coding)
	}
	// The length in the head is that of the encoded body.
	got := exchange("", "", "Content-Encoding: gzip\r\nContent-Length: 5000\r\n", "text of a page")
	require.False(t, got.ResponseCut)
	got = exchange("", "", "Content-Encoding: gzip\r\nContent-Length: 300\r\n", strings.Repeat("x", nanoBodyLimit))
	require.True(t, got.ResponseCut)
}

func TestBombsAreBounded(t *testing.T) {
	for coding, encode := range encodings {
		t.Run(coding, func(t *testing.T) {
			got := response(coding, encode(strings.Repeat("\x00", 4<<20)))
			require.Len(t, got.ResponseBody, maxDecoded)
			require.True(t, got.ResponseCut)
		})
	}
	// The steps in between are bounded too: the inner body is cut before it gives anything.
	twice := encodings["br"](encodings["gzip"](strings.Repeat("\x00", 64<<20)))
	got := response("gzip, br", twice)
	require.LessOrEqual(t, len(got.ResponseBody), maxDecoded)
}

func FuzzDecode(f *testing.F) {
	names := []string{"gzip", "deflate", "br", "zstd"}
	for i, name := range names {
		f.Add(uint8(i), uint8(i), []byte(encodings[name](page)))
	}
	f.Fuzz(func(t *testing.T, first, second uint8, body []byte) {
		codings := []string{names[int(first)%len(names)], names[int(second)%len(names)]}
		for _, c := range [][]string{codings, codings[:1]} {
			if decoded, _ := decode(nil, string(body), c); len(decoded) > maxDecoded {
				t.Fatalf("%d bytes decoded", len(decoded))
			}
		}
	})
}
