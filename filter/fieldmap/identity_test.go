package fieldmap

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter"
)

// longLine makes a head so long that its end counts.
var longLine = "X-Long: " + strings.Repeat("a", minCutHead) + "\r\n"

// spellings are the texts that a field of a Nano record may have; "-" leaves the field out. There are few of each, so that many
// records have the same identity.
var spellings = []struct {
	key   string
	texts []string
}{
	{"L7_PROTOCOL", []string{"http", "HTTP", "-"}},
	{"BEGIN_TIME", []string{"2024-05-30 07:16:48.917", "2024-05-30 07:16:49.000"}},
	{"SRC_IP", []string{"192.0.2.7", "", "-", "[]"}},
	{"DST_IP", []string{"192.0.2.8", "", "-", "[]"}},
	{"SRC_PORT", []string{"40000", "40001", "x"}},
	{"METHOD", []string{"GET", "-", ""}},
	{"URL", []string{"/a", "/b", ""}},
	{"DOMAIN", []string{"shop.example", "-", ""}},
	{"RETCODE", []string{"200", "404", "-"}},
	{"REQ_HEADER", []string{
		"GET /a HTTP/1.1\r\nHost: shop.example\r\n\r\n", "GET /a HTTP/1.1\r\nHost: shop.example\r\n",
		"POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\n", "junk", "-", "",
	}},
	{"REQ_BODY", []string{"a=b", `{"a":`, "text\nof lines", "-", ""}},
	{"RSP_HEADER", []string{
		"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Type: text/html\r\n\r\n",
		"HTTP/1.1 200 OK\r\nDate: then\r\nContent-Type: text/html\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n", "HTTP/1.1 200 OK\r\nLocation: /a\r\nX:\r\n folded\r\n\r\n",
		"HTTP/1.1 200 OK\r\nLocation: /a\r\nX:\r\n Location: /b\r\n\r\n", "HTTP/2 404\n\nContent-Length: 7", "\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nlocation: /a\r\n\r\n", "junk", "-", "",
		"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Type: text/html\r\n\r\nmore", "HTTP/1.1 200 OK\r\nDate: n\row\r\nContent-Type: text/html\r\n\r\n",
		"HTTP/1.1 200 OK\r\nDate\v: now\r\nContent-Type: text/html\r\n\r\n", "\r\nHTTP/1.1 200 OK\r\nDate: now\r\nContent-Type: text/html\r\n\r\n",
		"HTTP/1.1 100 OK\r\n\r\n", "HTTP/1.1 100 OK\r\n\r\nHTTP/1.1 200 OK\r\nDate: now\r\n\r\n",
		"X: 1\r\nHTTP/1.1 200 OK\r\nDate: now\r\n\r\n", "X: 1\r\nDate: now\r\n\r\n", "X: 1\r\nHTTP/1.1: 404 OK\r\n\r\n", // no status line, or a late one
		"HTTP/1.1 200 OK\r\n" + longLine + "\r\n", "HTTP/1.1 200 OK\r\n" + longLine + "X", // a whole head, and a cut one
	}},
	{"RSP_BODY", []string{"<p>hello</p>", "3\r\nabc\r\n0\r\n\r\n", "3\r\nabc", "-", ""}},
}

// recordOf returns the body of a record with a spelling of each field.
func recordOf(choice []int) []byte {
	var pairs []byte
	n := uint32(0)
	for i, s := range spellings {
		if text := s.texts[choice[i]]; text != "-" {
			pairs = msgp.AppendString(msgp.AppendString(pairs, s.key), text)
			n++
		}
	}
	return append(msgp.AppendMapHeader(nil, n), pairs...)
}

// seen tells what rules see of a transaction that look at the response headers Content-Type and Location, and at no ports.
func seen(t *rules.Transaction) string {
	var shown []rules.Header
	for _, h := range t.ResponseHeaders {
		if isNamed(&h, "Content-Type") || isNamed(&h, "Location") {
			shown = append(shown, h)
		}
	}
	return fmt.Sprintf("%q", []any{
		t.ClientIP == "", t.ServerIP == "", t.Method, t.URI, t.Protocol, t.ServerName, t.RequestHeaders, t.Arguments, t.RequestBody,
		t.RequestCut, t.RequestHeadCut, t.HasResponse, t.ResponseStatus, t.ResponseProtocol, shown, t.ResponseBody, t.ResponseCut,
		t.ResponseHeadCut, t.Unknown, t.Partial,
	})
}

func TestRecordsWithOneIdentityAreTheSameForRules(t *testing.T) {
	const records = 50_000
	reads := &prefilter.Reads{ResponseHeaders: []string{"location"}}
	c := open(t, "nano")
	dice := rand.New(rand.NewPCG(3, 14))
	known := map[string]string{}
	choice := make([]int, len(spellings))
	for range records { // each differs from the one before in one field at most
		field := dice.IntN(len(spellings))
		choice[field] = dice.IntN(len(spellings[field].texts))
		record := recordOf(choice)
		var v Values
		var made rules.Transaction
		if c.Read(nil, record, &v) == NoMap || v.IsOther() {
			continue
		}
		what := "no transaction"
		identity := string(v.AppendIdentity(nil, reads))
		if v.Transaction(&made) {
			what = seen(&made)
		}
		if before, again := known[identity]; again {
			require.Equal(t, before, what, "%q", record)
		}
		known[identity] = what
	}
	require.Greater(t, len(known), records/100)
	require.Less(t, len(known), records*9/10, "hardly a record has the identity of another")
}

func TestIdentityHoldsWhatRulesLookAt(t *testing.T) {
	base := `{"SRC_IP":"192.0.2.7","DST_IP":"192.0.2.8","SRC_PORT":"4711","DST_PORT":"80","METHOD":"GET","URL":"/","RETCODE":"200",
		"RSP_HEADER":"HTTP/1.1 200 OK\r\nDate: now\r\n\r\n","BEGIN_TIME":"2024-05-30 07:16:48.917","host":"a"}`
	identity := func(reads *prefilter.Reads, json string) string {
		var v Values
		require.NotEqual(t, NoMap, open(t, "nano").Read(nil, body(t, json), &v))
		return string(v.AppendIdentity(nil, reads))
	}
	for _, c := range []struct {
		from, to string
		reads    prefilter.Reads // with which the difference counts
	}{
		{`"4711"`, `"4712"`, prefilter.Reads{Ports: true}},
		{`"80"`, `"81"`, prefilter.Reads{Ports: true}},
		{`"192.0.2.8"`, `"192.0.2.9"`, prefilter.Reads{ServerAddress: true}},
		{`Date: now`, `Date: then`, prefilter.Reads{AllResponse: true}},
		{`Date: now`, `Date: then`, prefilter.Reads{ResponseHeaders: []string{"date"}}},
	} {
		other := replaced(t, base, c.from, c.to)
		require.Equal(t, identity(&prefilter.Reads{}, base), identity(&prefilter.Reads{}, other), c.to)
		require.NotEqual(t, identity(&c.reads, base), identity(&c.reads, other), c.to)
	}
	for from, to := range map[string]string{`"GET"`: `"PUT"`, `"/"`: `"/a"`, `"RETCODE":"200"`: `"RETCODE":"201"`, "OK": "Ok"} {
		require.NotEqual(t, identity(&prefilter.Reads{}, base), identity(&prefilter.Reads{}, replaced(t, base, from, to)), to)
	}
	for from, to := range map[string]string{"48.917": "49.000", `"host":"a"`: `"host":"b"`} {
		require.Equal(t, identity(&prefilter.Reads{}, base), identity(&prefilter.Reads{}, replaced(t, base, from, to)), to)
	}
}

func TestMapsHaveIdentitiesOfTheirOwn(t *testing.T) {
	maps := map[uint64]string{}
	for _, m := range append(builtIn(), parse(t, "name: one\nfields:\n  method: m\n  uri: u\n"),
		parse(t, "name: one\nfields:\n  method: m\n  uri: u\n")) {
		require.Empty(t, maps[m.identity])
		maps[m.identity] = m.Name
	}
}

func replaced(t *testing.T, text, from, to string) string {
	t.Helper()
	require.Contains(t, text, from)
	return strings.Replace(text, from, to, 1)
}
