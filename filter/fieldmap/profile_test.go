package fieldmap

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

func TestMapsTellWhatTheirSourcesLeaveUnknown(t *testing.T) {
	const response = rules.PartResponseHeader | rules.PartResponseBody | rules.PartResponseEnd
	const body = rules.PartBody | rules.PartBodyEnd
	headers := map[string]rules.Parts{
		"fluent-bit-nginx": rules.PartHost | rules.PartHostName | rules.PartCookie | rules.PartUnnamedHeaders | rules.PartProtocol | rules.PartServer,
		"apache":           rules.PartHost | rules.PartHostName | rules.PartCookie | rules.PartUnnamedHeaders | rules.PartProtocol | rules.PartServer,
		"envoy":            rules.PartUnnamedHeaders,
		"caddy":            rules.PartServer,
		"zeek":             rules.PartHost | rules.PartCookie | rules.PartUnnamedHeaders | rules.PartProtocol | rules.PartEscapes,
		"aws-alb":          rules.PartHost | rules.PartReferer | rules.PartCookie | rules.PartUnnamedHeaders,
	}
	want := map[string]rules.Parts{
		"nano": 0, "gelf": 0, "suricata": rules.PartHost, "fluent-bit-nginx": response | body, "apache": response | body, "envoy": response | body,
		"caddy": rules.PartResponseBody | rules.PartResponseEnd | body, "zeek": response | body, "aws-alb": response | body,
		"nginx": rules.PartAccept | rules.PartTransferEncoding | rules.PartOtherHeaders | response,
	}
	for _, m := range builtIn() {
		if parts, listed := want[m.Name]; listed {
			require.Equal(t, (parts | headers[m.Name]).String(), m.Unknown().String(), m.Name)
		}
	}
	other := parse(t, "name: own\nfields: {args.a: a, client.ip: c}")
	require.Equal(t, rules.AllParts&^rules.PartClient, other.Unknown())
}

func TestPartsThatARecordTellsAreKnown(t *testing.T) {
	c := open(t, "auto")
	for name, one := range map[string]struct {
		json    string
		unknown rules.Parts
	}{
		"raw head": {`{"REQ_HEADER":"GET / HTTP/1.1\r\nHost: a\r\n\r\n","REQ_BODY":"","RETCODE":"200"}`,
			rules.PartClient | rules.PartServer | rules.PartResponseHeader | rules.PartResponseBody | rules.PartResponseEnd},
		"agent that is logged as missing": {
			`{"host":"192.0.2.1","method":"GET","path":"/","code":"200","agent":"-","referer":"-"}`,
			rules.PartServer | rules.PartProtocol | rules.PartHost | rules.PartHostName | rules.PartCookie | rules.PartUnnamedHeaders | rules.PartBody |
				rules.PartBodyEnd | rules.PartResponseHeader | rules.PartResponseBody | rules.PartResponseEnd},
	} {
		var v Values
		var tx rules.Transaction
		require.NotEqual(t, NoMap, c.Read(nil, body(t, one.json), &v), name)
		require.True(t, v.Transaction(&tx))
		require.Equal(t, one.unknown.String(), tx.Unknown.String(), name)
	}
}
