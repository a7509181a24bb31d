package fieldmap

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

func open(t testing.TB, names string) *Choice {
	t.Helper()
	c, err := Open(names)
	require.NoError(t, err)
	return c
}

// mapOf returns the name of the map that a choice reads a record with, "" for none.
func mapOf(c *Choice, v *Values, body []byte) string {
	if i := c.Read(nil, body, v); i != NoMap {
		return c.Names()[i]
	}
	return ""
}

func TestMapsAreChosenByKeys(t *testing.T) {
	c := open(t, "auto")
	var v Values
	for json, want := range map[string]string{
		`{"METHOD":"GET","URL":"/"}`:                                                  "nano",
		`{"REQ_HEADER":"GET / HTTP/1.1\r\n\r\n"}`:                                     "nano",
		`{"_METHOD":"GET","_URL":"/","host":"h"}`:                                     "gelf",
		`{"METHOD":"GET"}`:                                                            "",
		`{"httpRequest":{"clientIp":"1","httpMethod":"GET","uri":"/"}}`:               "aws-waf",
		`{"httpRequest":{"requestMethod":"GET","requestUrl":"http://a/"}}`:            "gcp",
		`{"httpRequest":"text","http.request.method":"GET","url":{"path":"/"}}`:       "opentelemetry",
		`{"http":{"request":{"method":"GET"}},"url.path":"/"}`:                        "opentelemetry",
		`{"attributes":{"http.request.method":"GET","url.full":"http://a/"}}`:         "opentelemetry",
		`{"event_type":"dns","dns":{}}`:                                               "",
		`{"request":{"method":"GET","uri":"/","proto":"HTTP/1.1"}}`:                   "caddy",
		`{"request":"GET / HTTP/1.1","remote_addr":"192.0.2.1"}`:                      "nginx",
		`{"request":{"method":"GET"},"remote_addr":"192.0.2.1"}`:                      "nginx",
		`{"host":"1","method":"GET","path":"/","code":"200"}`:                         "apache",
		`{"host":"1","method":"GET","path":"/","code":"200","remote":"2"}`:            "fluent-bit-nginx",
		`{"host":"1","method":"GET","path":"/","code":"2","proxy_upstream_name":"a"}`: "k8s-nginx-ingress",
		`{"c-ip":"1","cs-method":"GET","cs-uri-stem":"/","sc-status":200}`:            "iis",
		`{"cs-method":"GET","cs-uri":"http://a/"}`:                                    "iis",
		`{"cs-method":"GET","cs-uri-stem":"/","x-edge-location":"FRA50"}`:             "cloudfront",
		`{"cs-method":"GET","cs-uri-stem":"/","x-edge-result-type":"Hit"}`:            "cloudfront",
		`{"remote_host":"1","remote_logname":"-","request_line":"GET / HTTP/1.1"}`:    "access-log",
		`{"remote_host":"1","remote_logname":"-","method":"GET","target":"/"}`:        "access-log",
		`{"remote_host":"1","request_line":"GET / HTTP/1.1"}`:                         "",
		`{"message":"started"}`:                                                       "",
		`{}`:                                                                          "",
	} {
		for range 2 { // the second time from what is remembered
			require.Equal(t, want, mapOf(c, &v, body(t, json)), json)
		}
	}
	require.Equal(t, NoMap, c.Read(nil, msgp.AppendInt(nil, 1), &v))
	require.Equal(t, NoMap, c.Read(nil, nil, &v))
}

func TestOneMapIsUsedForAllRecords(t *testing.T) {
	c := open(t, "nginx")
	var v Values
	require.Equal(t, "nginx", mapOf(c, &v, body(t, `{"a":1}`)))
	require.Equal(t, "nginx", mapOf(c, &v, body(t, `{"request":"GET /x HTTP/1.1"}`)))
	require.Equal(t, "/x", v.Get(URI))
}

func TestOwnMapsStandBesideBuiltInOnes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "own.yaml")
	require.NoError(t, os.WriteFile(path, []byte("name: own\ndetect: [verb, METHOD]\nfields: {method: verb, uri: URL}"), 0o600))
	c := open(t, path+", auto")
	var v Values
	require.Equal(t, "own", mapOf(c, &v, body(t, `{"METHOD":"GET","URL":"/","verb":"PUT"}`)))
	require.Equal(t, "nano", mapOf(c, &v, body(t, `{"METHOD":"GET","URL":"/"}`)))

	key := filepath.Join(t.TempDir(), "own.key")
	require.NoError(t, os.WriteFile(key, []byte("method:verb\nurl:target\nreq_header:head"), 0o600))
	c = open(t, key+",nano")
	require.Equal(t, key, mapOf(c, &v, body(t, `{"verb":"GET","target":"/"}`)))
	require.Equal(t, key, mapOf(c, &v, body(t, `{"head":"GET / HTTP/1.1\r\n\r\n"}`)))
	require.Equal(t, "nano", mapOf(c, &v, body(t, `{"METHOD":"GET","URL":"/"}`)))
}

func TestProblemsOfAChoiceAreReportedTogether(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"args.yaml": "name: args\nfields: {args.a: a}", "bad.yml": "name: bad\nfields: {method: m}", "bad.key": "x:y", "twin.yaml": BuiltInText("nginx"),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	_, err := Open("auto,missing," + dir + "," + at("args.yaml") + "," + at("bad.yml") + "," + at("bad.key") + "," + at("twin.yaml"))
	for _, want := range []string{
		`field map "missing" (want auto, nano, gelf, suricata,`,
		`or the path of a YAML map or key file): no such file or directory`,
		`field map "` + dir + `" (want auto, `,
		`): not a regular file`,
		`field map "args" has no detect keys, so it cannot be combined with other maps`,
		`bad.yml:2: missing target uri (or path, url or request_line)`,
		`bad.key:1: unknown name "x"`,
		`two field maps are named "nginx"`,
	} {
		require.ErrorContains(t, err, want)
	}
}

func TestValuesMoveBetweenChoices(t *testing.T) {
	nginx, caddy := open(t, "nginx"), open(t, "caddy")
	var v Values
	record := body(t, `{"request":{"uri":"/c","method":"GET"},"request_uri":"/n"}`)
	for range 3 {
		nginx.Read(nil, record, &v)
		require.Equal(t, "/n", v.Get(URI))
		caddy.Read(nil, record, &v)
		require.Equal(t, "/c", v.Get(URI))
	}
}

func TestLayoutsAreForgottenWhenThereAreTooMany(t *testing.T) {
	c := open(t, "auto")
	var v Values
	for i := range 3 * maxLayouts {
		require.Equal(t, "nano", mapOf(c, &v, body(t, fmt.Sprintf(`{"k%d":1,"METHOD":"GET","URL":"/"}`, i))))
		require.LessOrEqual(t, len(*c.layouts.known.Load()), maxLayouts)
	}
	wide := msgp.AppendMapHeader(nil, 10_002)
	for i := range 10_000 {
		wide = msgp.AppendInt(msgp.AppendString(wide, fmt.Sprint(i)), i)
	}
	wide = msgp.AppendString(msgp.AppendString(wide, "METHOD"), "GET")
	wide = msgp.AppendString(msgp.AppendString(wide, "URL"), "/wide")
	before := len(*c.layouts.known.Load())
	require.Equal(t, "nano", mapOf(c, &v, wide))
	require.Equal(t, "/wide", v.Get(URI))
	require.True(t, v.HasKey("9999"))
	require.False(t, v.HasKey("10000"))
	require.Len(t, *c.layouts.known.Load(), before)
}

// Records of several layouts take turns: one that goes on like another one that came lately is read on as that.
func TestRecordsOfAnyLayoutsAreReadAsAlone(t *testing.T) {
	metadata := body(t, `{"otlp":{"attributes":{"http.request.method":"POST","url.path":"/a"}}}`)
	fields := []string{
		`"METHOD":"GET"`, `"URL":"/x"`, `"request":{"method":"PUT","uri":"/c","proto":"HTTP/1.1","headers":{"A":["b"]}}`,
		`"REQ_BODY":"a=b"`, `"RETCODE":"200"`, `"waf":1`,
	}
	for _, names := range []string{"auto", "nano", "caddy", "caddy,nano"} {
		c := open(t, names)
		random := rand.New(rand.NewPCG(1, 2))
		var lately Values
		for range 3000 {
			text := `{"L7_PROTOCOL":"http"`
			for _, field := range fields {
				if random.IntN(4) > 0 {
					text += "," + field
				}
			}
			text += "}"
			with := metadata
			if random.IntN(2) == 0 {
				with = nil
			}
			record := body(t, text)
			var alone Values
			is := c.Read(with, record, &alone)
			require.Equal(t, is, c.Read(with, record, &lately), text)
			require.Equal(t, strings.Contains(text, `"waf"`), lately.HasKey("waf"))
			require.Equal(t, lately.HasKey("waf"), alone.HasKey("waf"))
			if is != NoMap {
				var tx, want rules.Transaction
				require.Equal(t, alone.Transaction(&want), lately.Transaction(&tx))
				require.Equal(t, want, tx, text)
			}
		}
	}
}

func TestRecordsGoOnAsAnotherLayoutThatCameLately(t *testing.T) {
	c := open(t, "nano")
	var v Values
	for _, text := range []string{`{"METHOD":"GET","URL":"/","AGENT":"a"}`, `{"METHOD":"GET","URL":"/","COOKIE":"b=c"}`} {
		require.Nil(t, v.follow(c, nil, body(t, text)))
		c.Read(nil, body(t, text), &v)
	}
	for range 2 {
		for _, text := range []string{`{"METHOD":"GET","URL":"/d","AGENT":"e"}`, `{"METHOD":"GET","URL":"/d","COOKIE":"f=g"}`} {
			require.NotNil(t, v.follow(c, nil, body(t, text)), text)
		}
	}
	require.Equal(t, "f=g", v.Get(Cookie))
	require.Empty(t, v.Get(UserAgent))
}

func TestChoicesAreSafeForConcurrentUse(t *testing.T) {
	c := open(t, "auto")
	records := make([][]byte, 50)
	for i := range records {
		records[i] = body(t, fmt.Sprintf(`{"k%d":1,"METHOD":"GET","URL":"/%d"}`, i, i))
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			var v Values
			for i, r := range records {
				if c.Read(nil, r, &v) == NoMap || v.Get(URI) != fmt.Sprint("/", i) {
					t.Errorf("record %d was read as %q", i, v.Get(URI))
				}
			}
		})
	}
	group.Wait()
}

func TestReadingAllocatesNothingOnceTheLayoutIsKnown(t *testing.T) {
	c := open(t, "auto")
	var v Values
	for name, record := range map[string][]byte{
		"nano":    nanoBody(t),
		"caddy":   body(t, `{"request":{"method":"GET","uri":"/","proto":"HTTP/1.1","headers":{"Accept":["a","b"]}},"status":200}`),
		"nginx":   body(t, `{"remote_addr":"192.0.2.1","request":"GET / HTTP/1.1","status":200,"http_x_y":"z"}`),
		"apache":  body(t, `{"host":"192.0.2.1","method":"GET","path":"/\\x22","code":"200","agent":"a\\\"b"}`),
		"zeek":    body(t, `{"id.orig_h":"192.0.2.1","id.resp_h":"192.0.2.2","method":"GET","uri":"/a b"}`),
		"aws-waf": body(t, `{"httpRequest":{"clientIp":"1","httpMethod":"GET","uri":"/","args":"a=b","headers":[{"name":"Host","value":"h"}]}}`),
	} {
		require.Equal(t, name, mapOf(c, &v, record))
		require.Zero(t, testing.AllocsPerRun(100, func() { c.Read(nil, record, &v) }), name)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(nanoBody(f))
	f.Add(body(f, `{"request":{"method":"GET","uri":"/","proto":"HTTP/1.1","headers":{"A":["b",1,null,{"c":[]}]}},"status":"x"}`))
	f.Add(body(f, `{"httpRequest":{"requestMethod":"GET","requestUrl":"https://a@b:443?x","status":1e3}}`))
	f.Add(body(f, `{"event_type":"http","http":{"http_method":"GET","url":"/","http_request_body":"YQ==","request_headers":[{"name":"A"},"B: c"]}}`))
	f.Add(body(f, `{"host":"::1","method":"GET","path":"/\\x","code":"-"}`))
	f.Add([]byte{0xdf, 0xff, 0xff, 0xff, 0xff, 0xa1})
	c := open(f, "auto")
	all := parse(f, `{name: all, fields: {"args.*": "*", method: METHOD|m, uri: u, client.address: a, header.*: h}}`)
	f.Fuzz(func(t *testing.T, record []byte) {
		var v, again Values
		first := c.Read(nil, record, &v)
		// The layout that is remembered must give what the first look gave.
		if second := c.Read(nil, record, &v); second != first {
			t.Fatalf("read with map %d, then with %d", first, second)
		}
		if first != NoMap {
			requireSameTransaction(t, &v, &again, c.maps[first], record)
		}
		if all.Read(record, &again) {
			requireSameTransaction(t, &again, &v, all, record)
		}
	})
}

func TestBodiesAsLongAsTheSourceAllowsAreCut(t *testing.T) {
	for length, cut := range map[int]bool{1023: false, 1024: true} {
		text := fmt.Sprintf("%0*d", length, 7)
		tx, _ := transaction(t, nano(), `{"REQ_HEADER":"POST / HTTP/1.1\r\nHost: a\r\n\r\n","REQ_BODY":"`+text+`","RSP_BODY":"`+text+`"}`)
		require.Equal(t, cut, tx.RequestCut)
		require.Equal(t, cut, tx.ResponseCut)
		require.Equal(t, cut, tx.Unknown&rules.PartBodyEnd != 0)
		require.Equal(t, cut, tx.Unknown&rules.PartResponseEnd != 0)
	}
}

func TestAttributesInMetadataAreRead(t *testing.T) {
	c := open(t, "auto")
	metadata := body(t, `{"otlp":{"severity_text":"INFO","attributes":{"http.request.method":"POST","url.path":"/a","url.query":"b=1",
		"http.response.status_code":200,"http.request.header.accept":["c","d"]}}}`)
	other := body(t, `{"otlp":{"severity_text":"INFO","attributes":{"thread":"main"}}}`)
	text := body(t, `{"log":"POST /a"}`)
	var v Values
	for range 3 {
		require.Equal(t, "opentelemetry", c.Names()[c.Read(metadata, text, &v)])
		var tx rules.Transaction
		require.True(t, v.Transaction(&tx))
		require.Equal(t, []string{"POST", "/a?b=1"}, []string{tx.Method, tx.URI})
		require.Equal(t, []rules.Header{{Name: "accept", Value: "c"}, {Name: "accept", Value: "d"}}, tx.RequestHeaders)
		require.Equal(t, NoMap, c.Read(nil, text, &v))
		require.Equal(t, NoMap, c.Read(other, text, &v))
		require.Equal(t, "nano", c.Names()[c.Read(other, nanoBody(t), &v)])
		require.Equal(t, "nano", c.Names()[c.Read([]byte{0x80}, nanoBody(t), &v)])
		require.Equal(t, "GET", v.Get(Method))
	}
	read, unread := c.maps[c.Read(metadata, text, &v)].Trace(metadata, text)
	require.Len(t, read, 5)
	require.Equal(t, "metadata:otlp.attributes.http.request.method", read[0].Key)
	require.Equal(t, []string{"log"}, unread)
}
