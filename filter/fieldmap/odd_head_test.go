package fieldmap

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// logged returns what a Nano record with some fields says, and whether that is an HTTP transaction.
func logged(fields map[Field]string) (*rules.Transaction, bool) {
	v := &Values{}
	v.reset(nano())
	for field, text := range fields {
		v.set(field, text, 0)
	}
	v.finish()
	t := &rules.Transaction{}
	ok := v.Transaction(t)
	return t, ok
}

// lines writes headers as "name: value" with a slash between them.
func lines(headers []rules.Header) string {
	var all []string
	for _, h := range headers {
		all = append(all, h.Name+": "+h.Value)
	}
	return strings.Join(all, " / ")
}

// parsed are the parts that a record has besides the raw head.
var parsed = map[Field]string{Method: "GET", URI: "/parsed", Host: "parsed.example"}

func TestOddRequestHeadsAreReadOrPartial(t *testing.T) {
	const none, partial = rules.Partial(0), rules.PartialHeaders
	for name, c := range map[string]struct {
		raw     string
		line    string
		headers string
		partial rules.Partial
	}{
		"nothing odd":                       {"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "Host: a", none},
		"an empty line before":              {"\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "Host: a", none},
		"empty lines of all kinds before":   {"\n\r\n\r\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "Host: a", none},
		"tabs in the request line":          {"GET\t/a\tHTTP/1.1\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "Host: a", none},
		"form feed and vertical tab":        {"GET\f/a\vHTTP/1.1\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "Host: a", none},
		"blanks behind the version":         {"GET /a HTTP/1.1  \r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "Host: a", none},
		"blanks before the method":          {" GET /a HTTP/1.1\r\nHost: a\r\n\r\n", " GET /a HTTP/1.1", "Host: a", none},
		"another protocol":                  {"GET /a ICY/1.1\r\nHost: a\r\n\r\n", "GET /a ICY/1.1", "Host: a", partial},
		"text in the version":               {"GET /a HTTP/1.1;b\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1;b", "Host: a", partial},
		"no version":                        {"GET /a\r\nHost: a\r\n\r\n", "GET /a HTTP/0.9", "Host: a", none},
		"an empty version":                  {"GET /a \r\nHost: a\r\n\r\n", "GET /a ", "Host: a", none},
		"NUL before the method":             {"\x00GET /a HTTP/1.1\r\nHost: a\r\n\r\n", "\x00GET /a HTTP/1.1", "Host: a", partial},
		"NUL behind the method":             {"GET\x00/a?b HTTP/1.1\r\nHost: a\r\n\r\n", "GET\x00/a?b HTTP/1.1 HTTP/0.9", "Host: a", partial},
		"byte order mark":                   {"\ufeffGET /a HTTP/1.1\r\nHost: a\r\n\r\n", "\ufeffGET /a HTTP/1.1", "Host: a", partial},
		"no blank behind the method":        {"GET/a?b HTTP/1.1\r\nHost: a\r\n\r\n", "GET/a?b HTTP/1.1 HTTP/0.9", "Host: a", partial},
		"carriage return in the line":       {"GET /a\r HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "Host: a", partial},
		"carriage returns end lines":        {"GET /a HTTP/1.1\rHost: a\r\r", "GET /a HTTP/1.1\rHost: a\r HTTP/0.9", "", partial},
		"a line of blanks before":           {" \r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "Host: a", partial},
		"a line of controls before":         {"\x00\x01\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "Host: a", partial},
		"words before":                      {"junk\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "Host: a", partial},
		"a header before":                   {"X: 1\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "Host: a", partial},
		"method alone":                      {"GET\r\nHost: a\r\n\r\n", "GET /parsed HTTP/1.1", "Host: a", partial},
		"method alone, parsed headers":      {"GET\r\nCookie: a\r\n\r\n", "GET /parsed HTTP/1.1", "Cookie: a / Host: parsed.example", partial},
		"no request line":                   {"Host: a\r\nCookie: b\r\n\r\n", "GET /parsed HTTP/1.1", "Host: a / Cookie: b", partial},
		"no request line, no blanks":        {"Cookie:b; c=d\r\nHost:a\r\n\r\n", "GET /parsed HTTP/1.1", "Cookie: b; c=d / Host: a", partial},
		"no HTTP":                           {"\x16\x03\x01\x02", "GET /parsed HTTP/1.1", "Host: parsed.example", partial},
		"line ends only":                    {"\r\n\r\n", "GET /parsed HTTP/1.1", "Host: parsed.example", none},
		"many line ends only":               {strings.Repeat("\r\n", minCutHead), "GET /parsed HTTP/1.1", "Host: parsed.example", none},
		"text behind the end":               {"GET /a HTTP/1.1\r\nHost: a\r\n\r\nX: 1", "GET /a HTTP/1.1", "Host: a", partial},
		"a second request":                  {"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\n\r\n", "GET /a HTTP/1.1", "Host: a", partial},
		"a second request without the end":  {"GET /a HTTP/1.1\r\nHost: a\r\nGET /b HTTP/1.1\r\nX: 1\r\n\r\n", "GET /a HTTP/1.1", "Host: a / X: 1", partial},
		"a second request with an URL":      {"GET /a HTTP/1.1\r\nHost: a\r\nGET http://b HTTP/1.1\r\n\r\n", "GET /a HTTP/1.1", "Host: a / GET http: //b HTTP/1.1", partial},
		"line ends behind the end":          {"GET /a HTTP/1.1\r\nHost: a\r\n\r\n\r\n\r\n", "GET /a HTTP/1.1", "Host: a", none},
		"NUL behind the end":                {"GET /a HTTP/1.1\r\nHost: a\r\n\r\n\x00", "GET /a HTTP/1.1", "Host: a", none},
		"NUL and text behind the end":       {"GET /a HTTP/1.1\r\nHost: a\r\n\r\n\x00X", "GET /a HTTP/1.1", "Host: a", partial},
		"no end":                            {"GET /a HTTP/1.1\r\nHost: a", "GET /a HTTP/1.1", "Host: a", none},
		"cut in a name":                     {"GET /a HTTP/1.1\r\nHost: a\r\nX-Requested_Wi", "GET /a HTTP/1.1", "Host: a", none},
		"words without an end":              {"GET /a HTTP/1.1\r\nHost: a\r\n<b>", "GET /a HTTP/1.1", "Host: a", partial},
		"a last line that is no header":     {"GET /a HTTP/1.1\r\nHost: a\r\njunk\r\n", "GET /a HTTP/1.1", "Host: a", partial},
		"a last line without a name":        {"GET /a HTTP/1.1\r\nHost: a\r\n: x", "GET /a HTTP/1.1", "Host: a", partial},
		"a line that is no header":          {"GET /a HTTP/1.1\r\njunk\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "Host: a", partial},
		"a line without a name":             {"GET /a HTTP/1.1\r\n: x\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "Host: a", partial},
		"a folded line":                     {"GET /a HTTP/1.1\r\nHost: a\r\nX: 1\r\n\t2\r\n\r\n", "GET /a HTTP/1.1", "Host: a / X: 1 2", none},
		"a folded line of blanks":           {"GET /a HTTP/1.1\r\nHost: a\r\n \r\nX: 1\r\n\r\n", "GET /a HTTP/1.1", "Host: a / X: 1", none},
		"a folded first line":               {"GET /a HTTP/1.1\r\n X: 1\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "Host: a", partial},
		"carriage return in a value":        {"GET /a HTTP/1.1\r\nX: 1\rY: 2\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "X: 1\rY: 2 / Host: a", partial},
		"carriage return in a folded line":  {"GET /a HTTP/1.1\r\nX: 1\r\n 2\rY: 2\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "X: 1 2\rY: 2 / Host: a", partial},
		"carriage return in a name":         {"GET /a HTTP/1.1\r\nX\rY: 2\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "X\rY: 2 / Host: a", partial},
		"two carriage returns at the end":   {"GET /a HTTP/1.1\r\nX: 1\r\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "X: 1\r / Host: a", partial},
		"NUL before a name":                 {"GET /a HTTP/1.1\r\n\x00Cookie: 1\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "\x00Cookie: 1 / Host: a", partial},
		"vertical tab behind a name":        {"GET /a HTTP/1.1\r\nCookie\v: 1\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "Cookie\v: 1 / Host: a", partial},
		"blank in a name":                   {"GET /a HTTP/1.1\r\nUser Agent: 1\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "User Agent: 1 / Host: a", partial},
		"blank behind a name":               {"GET /a HTTP/1.1\r\nCookie : 1\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "Cookie: 1 / Host: a", none},
		"NUL in a value":                    {"GET /a HTTP/1.1\r\nX: \x001\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "X: \x001 / Host: a", none},
		"odd characters in a name":          {"GET /a HTTP/1.1\r\nX(1)é: 1\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1", "X(1)é: 1 / Host: a", none},
		"lines with LF alone":               {"GET /a HTTP/1.1\nHost: a\nX: 1\n\n", "GET /a HTTP/1.1", "Host: a / X: 1", none},
		"lines with LF alone, then a CRLF":  {"GET /a HTTP/1.1\nHost: a\n\r\nX: 1\n\n", "GET /a HTTP/1.1", "Host: a", partial},
		"as many lines as are read, and NL": {"GET /a HTTP/1.1\n" + strings.Repeat("A:\n", maxHeadLines) + "\n\n", "GET /a HTTP/1.1", "", none},
	} {
		t.Run(name, func(t *testing.T) {
			fields := map[Field]string{RequestHead: c.raw}
			for field, text := range parsed {
				fields[field] = text
			}
			tx, ok := logged(fields)
			require.True(t, ok)
			line := tx.Method + " " + tx.URI + " " + tx.Protocol
			require.Equal(t, c.line, line)
			if c.headers != "" {
				require.Equal(t, c.headers, lines(tx.RequestHeaders))
			}
			require.Equal(t, c.partial.Names(), tx.Partial.Names())
			require.False(t, tx.RequestHeadCut)

			tx, ok = logged(map[Field]string{RequestHead: c.raw})
			if strings.Contains(c.line, "/parsed") {
				require.False(t, ok, "neither the head nor another field has a request line")
				require.Equal(t, strings.Trim(c.raw, "\r\n") != "", tx.Partial == rules.PartialHeaders)
				return
			}
			require.True(t, ok)
			require.Equal(t, c.line, tx.Method+" "+tx.URI+" "+tx.Protocol)
			require.Equal(t, c.partial.Names(), tx.Partial.Names())
		})
	}
}

func TestOddResponseHeadsAreReadOrPartial(t *testing.T) {
	const none, partial = rules.Partial(0), rules.PartialResponse
	for name, c := range map[string]struct {
		raw     string
		status  int // 299 is that of the parsed field
		headers string
		partial rules.Partial
	}{
		"nothing odd":                      {"HTTP/1.1 404 Not Found\r\nA: 1\r\n\r\n", 404, "A: 1", none},
		"empty lines before":               {"\r\n\n\rHTTP/1.1 404 Not Found\r\nA: 1\r\n\r\n", 404, "A: 1", none},
		"tabs in the status line":          {"HTTP/1.1\t404\tNot Found\r\nA: 1\r\n\r\n", 404, "A: 1", none},
		"words before":                     {"junk\r\nHTTP/1.1 404 Not Found\r\nA: 1\r\n\r\n", 404, "A: 1", partial},
		"no status line":                   {"A: 1\r\nB: 2\r\n\r\n", 299, "A: 1 / B: 2", none},
		"another protocol":                 {"ICY 200 OK\r\nA: 1\r\n\r\n", 299, "A: 1", partial},
		"version alone":                    {"HTTP/1.1\r\nA: 1\r\n\r\n", 299, "A: 1", partial},
		"a status that is no number":       {"HTTP/1.1 abc OK\r\nA: 1\r\n\r\n", 299, "A: 1", partial},
		"no status":                        {"HTTP/1.1 \r\nA: 1\r\n\r\n", 299, "A: 1", none},
		"carriage return in the line":      {"HTTP/1.1 404 Not\rA: 1\r\nB: 2\r\n\r\n", 404, "B: 2", partial},
		"a line that is no header":         {"HTTP/1.1 404 Not Found\r\njunk\r\nA: 1\r\n\r\n", 404, "A: 1", partial},
		"carriage return in a value":       {"HTTP/1.1 404 Not Found\r\nA: 1\rB: 2\r\n\r\n", 404, "A: 1\rB: 2", partial},
		"NUL before a name":                {"HTTP/1.1 404 Not Found\r\n\x00A: 1\r\n\r\n", 404, "\x00A: 1", partial},
		"text behind the end":              {"HTTP/1.1 404 Not Found\r\nA: 1\r\n\r\n<b>", 404, "A: 1", partial},
		"the body behind the end":          {"HTTP/1.1 404 Not Found\r\nA: 1\r\n\r\n<p>oops", 404, "A: 1", none},
		"a second response":                {"HTTP/1.1 404 Not Found\r\nA: 1\r\n\r\nHTTP/1.1 200 OK\r\nB: 2\r\n\r\n", 404, "A: 1", partial},
		"an interim response before":       {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nA: 1\r\n\r\n", 404, "A: 1", none},
		"two interim responses before":     {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 404 Not Found\r\nA: 1\r\n\r\n", 404, "Link: x / A: 1", none},
		"an interim response, then text":   {"HTTP/1.1 100 Continue\r\n\r\nA: 1\r\n\r\n", 100, "", partial},
		"an interim response alone":        {"HTTP/1.1 100 Continue\r\n\r\n", 100, "", none},
		"another protocol, then its bytes": {"HTTP/1.1 101 Switching\r\nA: 1\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 101, "A: 1", partial},
	} {
		t.Run(name, func(t *testing.T) {
			tx, ok := logged(map[Field]string{Method: "GET", URI: "/", Status: "299", ResponseHead: c.raw, ResponseBody: "<p>oops</p>"})
			require.True(t, ok)
			require.Equal(t, c.status, tx.ResponseStatus)
			require.Equal(t, c.headers, lines(tx.ResponseHeaders))
			require.Equal(t, c.partial.Names(), tx.Partial.Names())
		})
	}
}

// Reading takes time in proportion to the size of a head, whatever it has.
func TestLongOddHeadsAreReadOnce(t *testing.T) {
	const size = 4 << 20
	begin := time.Now()
	for _, part := range []string{
		"\r\n", "x\r\n", "GET\r\n\r\n", "X: 1 HTTP/1.1\r\n", " \r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100\r\n\r\nHTTP/1.1\r\n\r\n",
		"\r", "\x00", "a ", "GET / HTTP/1.1\r\n\r\n",
	} {
		raw := strings.Repeat(part, size/len(part))
		tx, ok := logged(map[Field]string{Method: "GET", URI: "/", RequestHead: raw, ResponseHead: "HTTP/1.1 100 Continue\r\n\r\n" + raw})
		require.True(t, ok)
		require.LessOrEqual(t, len(tx.RequestHeaders), maxHeadLines)
	}
	require.Less(t, time.Since(begin), 10*time.Second)
}

func TestTextBehindARequestHeadMayBeItsBody(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n"
	for text, want := range map[string]rules.Partial{"": 0, "a=1": 0, "a=1&b=2": 0, "a=1&b=2&c=3": rules.PartialHeaders, "b=2": rules.PartialHeaders} {
		tx, ok := logged(map[Field]string{RequestHead: head + text, RequestBody: "a=1&b=2"})
		require.True(t, ok)
		require.Equal(t, want, tx.Partial, text)
	}
}

// What a head does not reach may be in fields of its own.
func TestParsedHeadersCompleteAHeadThatIsCut(t *testing.T) {
	long := "X: " + strings.Repeat("x", minCutHead) + "\r\n"
	fields := map[Field]string{Host: "parsed", UserAgent: "curl", Cookie: "a=1; b=2"}
	for cut, want := range map[string]string{
		"Host: sent\r\n" + long:                  "Host: sent / X: / User-Agent: curl / Cookie: a=1; b=2",
		"Host: sent\r\n" + long + "Cookie: a=1;": "Host: sent / X: / Cookie: a=1; b=2 / User-Agent: curl",
		"Host: sent\r\n" + long + "Cookie: c=3":  "Host: sent / X: / Cookie: c=3 / User-Agent: curl",
		long + "Coo":                             "X: / Host: parsed / User-Agent: curl / Cookie: a=1; b=2",
		"Host: sent\r\n" + long + "\r\n":         "Host: sent / X:",
	} {
		fields[RequestHead] = "GET / HTTP/1.1\r\n" + cut
		tx, ok := logged(fields)
		require.True(t, ok)
		require.Equal(t, want, strings.ReplaceAll(lines(tx.RequestHeaders), ": "+strings.Repeat("x", minCutHead), ":"))
		require.Zero(t, tx.Partial)
	}
}

func TestHeadersOfARawHeadWithoutARequestLineAreKnown(t *testing.T) {
	tx, ok := logged(map[Field]string{RequestHead: "GET\r\nHost: a\r\nCookie: b\r\n\r\n", Method: "GET", URI: "/"})
	require.True(t, ok)
	require.Zero(t, tx.Unknown&(rules.PartHost|rules.PartCookie))
	require.NotZero(t, tx.Unknown&rules.PartReferer)
	require.NotZero(t, tx.Unknown&rules.PartOtherHeaders)
}

func TestHeaderLinesInOneTextAreReadOrPartial(t *testing.T) {
	m := parse(t, "name: own\nfields: {method: m, uri: u, header.*: h, response_header.*: r}")
	for text, want := range map[string]rules.Partial{
		`"h":"A: 1\r\nB: 2"`:              0,
		`"h":"\r\nA: 1\r\nB: 2\r\n\r\n"`:  0,
		`"h":"A: 1\r\n\r\nB: 2"`:          rules.PartialHeaders,
		`"h":["A: 1","junk<"]`:            rules.PartialHeaders,
		`"h":["A: 1","B: 2\rC: 3"]`:       rules.PartialHeaders,
		`"h":"A: 1","r":"B: 1\n\nC: 2"`:   rules.PartialResponse,
		`"h":"A: 1","r":"\u0000C: 2\r\n"`: rules.PartialResponse,
	} {
		tx, _ := transaction(t, m, `{"m":"GET","u":"/",`+text+`}`)
		require.Equal(t, want, tx.Partial, text)
	}
}

func TestArgumentsDoNotHideAHeadThatIsNotRead(t *testing.T) {
	m := parse(t, "name: own\nfields: {request_head: h, args.a: a}")
	tx, _ := transaction(t, m, `{"h":"\u0016\u0003xyz","a":"1"}`)
	require.Equal(t, rules.PartialHeaders, tx.Partial)
	require.Len(t, tx.Arguments, 1)
}

// The heads of common traffic are whole, and have nothing that servers do not agree on.
func TestCommonTrafficIsNotPartial(t *testing.T) {
	c := open(t, "auto")
	var v Values
	var tx rules.Transaction
	for i := range uint64(20_000) {
		clean := corpus.Clean(i)
		e, _, err := record.Next(clean.AppendEvent(nil, corpus.ProbeLimit))
		require.NoError(t, err)
		require.Equal(t, "nano", mapOf(c, &v, e.Body))
		require.True(t, v.Transaction(&tx))
		require.Zero(t, tx.Partial, "%q %q", clean.RequestHead, clean.ResponseHead)
		require.False(t, tx.RequestHeadCut || tx.ResponseHeadCut)
	}
}

// Heads that are cut where a source stops logging are read as far as they go.
func TestHeadsThatAreCutAnywhereAreNotPartial(t *testing.T) {
	for i := range uint64(40) {
		r := corpus.Clean(i)
		for _, request := range []bool{true, false} {
			raw := r.ResponseHead
			if request {
				raw = r.RequestHead
			}
			for end := strings.IndexByte(raw, '\n') + 1; end < len(raw); end++ {
				fields := map[Field]string{Method: "GET", URI: "/", ResponseHead: raw[:end]}
				if request {
					fields = map[Field]string{RequestHead: raw[:end]}
				}
				tx, ok := logged(fields)
				require.True(t, ok)
				require.Zero(t, tx.Partial, fmt.Sprintf("%q", raw[:end]))
			}
		}
	}
}
