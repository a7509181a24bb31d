package fieldmap

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

func TestAnEmptyKeyMeansNotSentWhereTheHeadWasRead(t *testing.T) {
	const empty = `"http_host":"","http_user_agent":"","http_referer":"","http_cookie":"","http_accept":"","http_content_type":"","content_length":"","http_transfer_encoding":""`
	const all = rules.PartHost | rules.PartUserAgent | rules.PartReferer | rules.PartCookie | rules.PartAccept | rules.PartContentType |
		rules.PartContentLength | rules.PartTransferEncoding
	for status, unknown := range map[string]rules.Parts{
		"200": 0, "404": 0, "499": 0, "500": 0, "": 0, "400": all, "408": all, "414": all, "431": all, "494": all,
	} {
		_, tx := requestOf(t, `{"remote_addr":"192.0.2.1","request":"GET / HTTP/1.1","status":"`+status+`",`+empty+`}`)
		require.Equal(t, unknown.String(), (tx.Unknown & all).String(), status)
		_, tx = requestOf(t, `{"remote_addr":"192.0.2.1","request":"GET / HTTP/1.1","status":"`+status+`","http_host":"a"}`)
		require.Equal(t, (all &^ rules.PartHost).String(), (tx.Unknown & all).String(), "absent keys, %s", status)
	}
	_, tx := requestOf(t, `{"remote_addr":"192.0.2.1","request":"GET / HTTP/2.0","status":"200",`+empty+`}`)
	require.Equal(t, rules.PartHost, tx.Unknown&all, "the host of HTTP/2 is no header")
	_, tx = requestOf(t, `{"remote_addr":"192.0.2.1","request":"GET / HTTP/1.1","status":"200","http_accept":null,"http_user_agent":"-"}`)
	require.Zero(t, tx.Unknown&(rules.PartAccept|rules.PartUserAgent), "nil and a dash are empty")
}

func TestAContentTypeThatWasNotSentIsNotMadeUp(t *testing.T) {
	const post = `{"remote_addr":"192.0.2.1","request":"POST / HTTP/1.1","request_body":"{\"a\":1}","status":"200"`
	for _, key := range []string{"http_content_type", "content_type"} {
		_, tx := requestOf(t, post+`,"`+key+`":""}`)
		_, has := tx.Header("Content-Type")
		require.False(t, has, key)
		require.Equal(t, `{"a":1}`, tx.RequestBody)
	}
	_, tx := requestOf(t, post+`}`)
	made, _ := tx.Header("Content-Type")
	require.Equal(t, "application/json", made, "the source does not log it")
}

func TestRedactedValuesAreUnknown(t *testing.T) {
	const waf = `{"httpRequest":{"clientIp":"192.0.2.1","httpMethod":"GET","httpVersion":"HTTP/1.1",`
	for name, one := range map[string]struct {
		json, target string
		unknown      rules.Parts
	}{
		"path and query": {`"uri":"REDACTED","args":"REDACTED","headers":[]}}`, "/", rules.PartTarget | rules.PartQuery | rules.PartEscapes},
		"path":           {`"uri":"REDACTED","args":"a=1","headers":[]}}`, "/?a=1", rules.PartTarget | rules.PartEscapes},
		"query":          {`"uri":"/a","args":"REDACTED","headers":[]}}`, "/a", rules.PartQuery},
		"cookie":         {`"uri":"/a","args":"","headers":[{"name":"cookie","value":"REDACTED"}]}}`, "/a", rules.PartCookie},
		"another header": {`"uri":"/a","args":"","headers":[{"name":"x-key","value":"REDACTED"}]}}`, "/a", 0},
		"nothing":        {`"uri":"/a","args":"b=REDACTED","headers":[]}}`, "/a?b=REDACTED", 0},
	} {
		_, tx := requestOf(t, waf+one.json)
		require.Equal(t, one.target, tx.URI, name)
		const parts = rules.PartTarget | rules.PartQuery | rules.PartEscapes | rules.PartCookie | rules.PartOtherHeaders
		require.Equal(t, one.unknown.String(), (tx.Unknown & parts).String(), name)
	}
	_, tx := requestOf(t, `{"remote_addr":"192.0.2.1","request_method":"GET","request_uri":"REDACTED","http_user_agent":"REDACTED"}`)
	require.NotZero(t, tx.Unknown&rules.PartTarget)
	require.NotZero(t, tx.Unknown&rules.PartUserAgent)
}

func TestAQueryThatAGatewayHasMadeIsUnknown(t *testing.T) {
	const azure = `{"properties":{"clientIP":"192.0.2.1","httpMethod":"GET","requestUri":"/s","requestQuery":`
	_, tx := requestOf(t, azure+`"X-AzureApplicationGateway-CACHE-HIT=0&SERVER-ROUTED=10.4.0.4"}}`)
	require.Equal(t, "/s", tx.URI)
	require.NotZero(t, tx.Unknown&rules.PartQuery)
	for _, query := range []string{"X-AzureApplicationGateway-LOG-ID=1&q=<script>", "X-AzureApplicationGateway-A=%3C", "SERVER-STATUS=200&class.module.x=.jsp"} {
		_, tx = requestOf(t, azure+`"`+query+`"}}`)
		require.Contains(t, tx.URI, query[strings.LastIndexByte(query, '&')+1:], "a client may have sent it")
	}
	_, tx = requestOf(t, azure+`"q=1"}}`)
	require.Equal(t, "/s?q=1", tx.URI)
	require.Zero(t, tx.Unknown&rules.PartQuery)
}

func TestWhatIsNoStatusIsUnknown(t *testing.T) {
	for _, status := range []string{`0`, `-1`, `"-"`, `""`, `"000"`, `"99"`, `1000`, `null`, `"200, 304"`} {
		tx, v := read(t, open(t, "auto"), `{"remote_addr":"192.0.2.1","request":"GET / HTTP/1.1","status":`+status+`}`)
		require.Empty(t, v.Get(Status), status)
		require.NotZero(t, tx.Unknown&rules.PartStatus, status)
	}
}

func TestLongListsTakeMemoryInProportion(t *testing.T) {
	arguments, actions := strings.Repeat("&q=1", 3000), strings.Repeat(`,"log"`, 3000)
	for name, json := range map[string]string{
		"a query beside a gateway's arguments": `{"properties":{"clientIP":"192.0.2.1","httpMethod":"GET","requestUri":"/s","requestQuery":"SERVER-STATUS=200` + arguments + `"}}`,
		"actions":                              `{"ClientRequestMethod":"GET","ClientRequestURI":"/","ClientIP":"192.0.2.1","SecurityActions":["block"` + actions + `]}`,
	} {
		_, v := read(t, open(t, "auto"), json)
		require.Less(t, v.Size(), 10*len(json), name)
	}
	_, v := read(t, open(t, "auto"), `{"ClientRequestMethod":"GET","ClientRequestURI":"/","ClientIP":"192.0.2.1","SecurityActions":["log","block"]}`)
	require.Equal(t, "log,block", v.Get(Action))
}
