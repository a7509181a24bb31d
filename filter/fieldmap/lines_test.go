package fieldmap

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/intake"
	writer "github.com/fluent-bit-waf/fluent-bit-waf/internal/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// record1 is a record with one text.
func record1(key, text string) []byte {
	return msgp.AppendString(msgp.AppendString(msgp.AppendMapHeader(nil, 1), key), text)
}

// randomText returns text of some characters, escapes of URLs, and texts that look like parts of a log line.
func randomText(r *rand.Rand, characters string) string {
	pieces := []string{"%27", "%2527", "%20", "%", "+", "\\x22", "\\", "/../", "'", "or", "a", "ä", "1", "=", "&"}
	var b strings.Builder
	for range 1 + r.IntN(12) {
		if r.IntN(2) == 0 {
			b.WriteString(pieces[r.IntN(len(pieces))])
		} else {
			b.WriteByte(characters[r.IntN(len(characters))])
		}
	}
	return b.String()
}

const (
	targetCharacters = "\"'()*,-./:;<>@[]^_`{|}~\\$!=&?abcXYZ019"
	headerCharacters = targetCharacters + " \x01\x7f\xff\x80#\""
)

func randomRequest(r *rand.Rand) *writer.Request {
	one := writer.Browser([]string{"GET", "POST", "PROPFIND", "X-A.B!"}[r.IntN(4)], "/"+randomText(r, targetCharacters))
	one.Protocol = []string{"HTTP/1.0", "HTTP/1.1", "HTTP/2.0"}[r.IntN(3)]
	one.Status = 200 + r.IntN(300)
	return one.With("User-Agent", "a/1 "+randomText(r, headerCharacters)+"x").With("Referer", "http://a.example/"+randomText(r, headerCharacters))
}

// A request that was written as a line of any format, with the escapes of that format, is read as it was.
func TestRequestsComeBackFromPlainLines(t *testing.T) {
	c := open(t, "auto")
	var v Values
	var tx rules.Transaction
	for _, l := range writer.Lines() {
		t.Run(l.Title, func(t *testing.T) {
			columns, _ := accesslog.ReadColumns(l.Directive)
			r := rand.New(rand.NewPCG(1, 2))
			for range 5000 {
				sent := randomRequest(r)
				lossy := l.Map == "iis" // it has plus signs for spaces
				if lossy {
					sent.Target = strings.ReplaceAll(sent.Target, "+", "p")
					for _, name := range []string{"User-Agent", "Referer"} {
						sent.With(name, strings.ReplaceAll(sent.Header(name), "+", "p"))
					}
				}
				line := l.Write(sent)
				v.SetColumns(columns)
				at := c.Read(nil, record1("log", line), &v)
				require.NotEqual(t, NoMap, at, line)
				require.Equal(t, l.Map, c.Names()[at], line)
				require.True(t, v.Transaction(&tx), line)
				require.Zero(t, tx.Partial, line)
				require.Equal(t, sent.Method, tx.Method, line)
				require.Equal(t, sent.Status, tx.ResponseStatus, line)
				require.Equal(t, "198.51.100.23", tx.ClientIP, line)
				if lossy || l.Map == "cloudfront" {
					require.Equal(t, comparable(sent.Target), comparable(tx.URI), line)
				} else {
					require.Equal(t, sent.Target, tx.URI, line)
					require.Equal(t, strings.TrimSuffix(sent.Protocol, "2.0"), strings.TrimSuffix(strings.TrimSuffix(tx.Protocol, "2.0"), "2"), "Envoy writes HTTP/2: %s", line)
				}
				for part, name := range map[writer.Part]string{writer.UserAgent: "User-Agent", writer.Referer: "Referer"} {
					have, given := tx.Header(name)
					require.Equal(t, has(l.Logs, part), given, "%s of %s", name, line)
					if given {
						require.Equal(t, sent.Header(name), have, "%s of %s", name, line)
					}
				}
			}
		})
	}
}

func has(parts []writer.Part, part writer.Part) bool {
	for _, one := range parts {
		if one == part {
			return true
		}
	}
	return false
}

// comparable returns a target with the escapes of its path undone: IIS logs it so, and escapes that a target needs come back.
func comparable(target string) string {
	path, query, found := strings.Cut(target, "?")
	path = string(appendDecoded(nil, path, '%'))
	query = strings.TrimPrefix(string(appendDecoded(nil, query, '%')), "?") // some sources log the question mark with it
	if !found || query == "" {
		return path
	}
	return path + "?" + query
}

func TestRecordsInEnvelopes(t *testing.T) {
	const (
		inner  = `{"remote_addr":"192.0.2.1","request":"GET /?a=b HTTP/1.1","status":"200"}`
		quoted = `"{\"remote_addr\":\"192.0.2.1\",\"request\":\"GET /?a=b HTTP/1.1\",\"status\":\"200\"}\n"`
		line   = `192.0.2.1 - - [30/May/2024:07:16:48 +0000] \"GET /?a=b HTTP/1.1\" 200 5 \"-\" \"curl/8\"\n`
	)
	c := open(t, "auto")
	var v Values
	var tx rules.Transaction
	for name, test := range map[string]struct{ json, m, path string }{
		"log_processed":              {`{"log":"x","kubernetes":{},"log_processed":` + inner + `}`, "nginx", "log_processed"},
		"log_processed before log":   {`{"log":"` + line + `","log_processed":` + inner + `}`, "nginx", "log_processed"},
		"jsonPayload":                {`{"insertId":"x","jsonPayload":` + inner + `}`, "nginx", "jsonPayload"},
		"text of log":                {`{"log":` + quoted + `,"stream":"stdout"}`, "nginx", "log"},
		"text of message":            {`{"message":` + quoted + `}`, "nginx", "message"},
		"map of message":             {`{"message":` + inner + `}`, "nginx", "message"},
		"text behind a syslog head":  {`{"message":"<190>May 30 07:16:48 web1 nginx: ` + quoted[1:] + `}`, "nginx", "message"},
		"journal":                    {`{"MESSAGE":` + quoted + `}`, "nginx", "MESSAGE"},
		"textPayload":                {`{"textPayload":"` + line + `"}`, "access-log", "textPayload"},
		"line":                       {`{"log":"` + line + `","kubernetes":{"a":"b"}}`, "access-log", "log"},
		"one in the other":           {`{"message":{"log":` + quoted + `}}`, "nginx", "message.log"},
		"a text in a map in a text":  {`{"message":"{\"jsonPayload\":{\"log\":\"192.0.2.1 - - [30/May/2024:07:16:48 +0000] \\\"GET /?a=b HTTP/1.1\\\" 200 5\"}}"}`, "access-log", "message.jsonPayload.log"},
		"four in each other":         {`{"log":{"log":{"log":{"log":` + inner + `}}}}`, "", ""},
		"the record itself is first": {`{"remote_addr":"192.0.2.1","request":"GET /?a=b HTTP/1.1","log":` + strings.Replace(quoted, "a=b", "c=d", 1) + `}`, "nginx", ""},
		"another text":               {`{"log":"started"}`, "", ""},
		"other JSON":                 {`{"log":"{\"a\":1}"}`, "", ""},
		"broken JSON":                {`{"log":"{\"remote_addr\":\"192.0.2.1\",\"request\":\"GET /?a=b HTTP/1.1\""}`, "", ""},
		"two objects":                {`{"log":"{\"request\":\"GET /?a=b HTTP/1.1\",\"remote_addr\":\"1\"} {}"}`, "", ""},
		"deep JSON":                  {`{"log":"{\"request\":\"GET /?a=b HTTP/1.1\",\"remote_addr\":\"1\",\"a\":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}"}`, "", ""},
		"long text":                  {`{"log":"{\"request\":\"GET /?a=b HTTP/1.1\",\"remote_addr\":\"1\"}` + strings.Repeat(" ", maxInsideText) + `"}`, "", ""},
		"behind many others":         {`{` + strings.Repeat(`"log":{},`, 50) + `"message":` + quoted + `}`, "", ""},
		"behind some others":         {`{"log":{"message":{}},"message":{},"MESSAGE":{},"textPayload":` + quoted + `}`, "nginx", "textPayload"},
		"repeated key":               {`{"log":` + strings.Replace(quoted, "a=b", "c=d", 1) + `,"log":` + quoted + `}`, "nginx", "log"},
		"number":                     {`{"log":7,"message":null}`, "", ""},
		"another key":                {`{"other":` + inner + `}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // the second time with what is remembered of the first
				require.Equal(t, test.m, mapOf(c, &v, body(t, test.json)))
				if test.m == "" {
					continue
				}
				require.Equal(t, test.path, v.Inside().Path)
				require.True(t, v.Transaction(&tx))
				require.Equal(t, "/?a=b", tx.URI)
				require.False(t, v.HasKey("request") && test.path != "", "keys are those of the outer record")
			}
		})
	}
}

func TestKeysOfTheOuterRecordStay(t *testing.T) {
	c := open(t, "auto")
	var v Values
	require.Equal(t, "nginx", mapOf(c, &v, body(t, `{"waf":{},"log":"{\"remote_addr\":\"192.0.2.1\",\"request\":\"GET / HTTP/1.1\"}"}`)))
	require.True(t, v.HasKey("waf"))
	require.False(t, v.HasKey("request"))
	require.Equal(t, "nginx", mapOf(c, &v, body(t, `{"remote_addr":"192.0.2.1","request":"GET / HTTP/1.1"}`)))
	require.Equal(t, Inside{requests: v.inner.requests}, *v.Inside(), "nothing of the record before is left")
}

func TestListsOfRecords(t *testing.T) {
	c := open(t, "auto")
	var v Values
	for json, want := range map[string]int{
		`{"records":[{"a":1},{"b":2}]}`:           2,
		`{"records":[{"a":1},7,"x",{},null,[]]}`:  1,
		`{"message":"{\"records\":[{\"a\":1}]}"}`: 1,
		`{"records":[]}`:                          0,
		`{"records":{"a":1}}`:                     0,
		`{"records":"x"}`:                         0,
	} {
		at := c.Read(nil, body(t, json), &v)
		if want == 0 {
			require.Equal(t, NoMap, at, json)
			continue
		}
		require.Equal(t, Several, at, json)
		bodies, all := v.Requests()
		require.Len(t, bodies, want, json)
		require.True(t, all)
	}
	many := body(t, `{"records":[{"a":1}`+strings.Repeat(`,{"a":1}`, MaxRequests)+`]}`)
	require.Equal(t, Several, c.Read(nil, many, &v))
	bodies, all := v.Requests()
	require.Len(t, bodies, MaxRequests)
	require.False(t, all)
}

func TestColumnsComeFromTheMetadataOrTheCaller(t *testing.T) {
	c := open(t, "auto")
	var v Values
	var tx rules.Transaction
	line := record1("log", "192.0.2.1 /a%20b GET")
	require.Equal(t, NoMap, c.Read(nil, line, &v))
	require.True(t, v.Inside().IsLine)
	const directive = "#Fields: c-ip cs-uri-stem cs-method"
	require.Equal(t, "iis", c.Names()[c.Read(record1(intake.ColumnsKey, directive), line, &v)])
	require.True(t, v.Transaction(&tx))
	require.Equal(t, "/a%2520b", tx.URI, "IIS logs the path without its escapes")
	require.Equal(t, NoMap, c.Read(record1(intake.ColumnsKey, "#Fields: cs-method c-ip cs-uri-stem"), line, &v), "other columns than before")
	require.Equal(t, NoMap, c.Read(record1("log", directive), line, &v))

	require.Equal(t, NoMap, c.Read(nil, record1("log", directive+"\n"), &v))
	v.SetColumns(v.Inside().Columns)
	require.Equal(t, "iis", mapOf(c, &v, line))
}

func TestMemoryOfLargeTextsCounts(t *testing.T) {
	c := open(t, "auto")
	var v Values
	mapOf(c, &v, record1("log", `{"a":"`+strings.Repeat("x", 500<<10)+`"}`))
	require.Greater(t, v.Size(), 500<<10)
}

func FuzzRecordsInsideOthers(f *testing.F) {
	for _, l := range writer.Lines() {
		f.Add("log", l.Write(writer.Browser("GET", "/a")), l.Directive)
	}
	f.Add("message", `{"records":[{"log":"{}"}]}`, "")
	c, err := Open("auto")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, key, text, directive string) {
		var v Values
		var tx rules.Transaction
		columns, _ := accesslog.ReadColumns(directive)
		v.SetColumns(columns)
		body := record1(key, text)
		if c.Read(nil, body, &v) >= 0 {
			v.Transaction(&tx)
		}
		require.Equal(t, record1(key, text), body, "a record is only read")
	})
}
