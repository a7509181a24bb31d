package fieldmap

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// endsOf is what a transaction says of its ends, its request without the body, and the status.
func endsOf(t *rules.Transaction) string {
	return fmt.Sprintf("%q", []any{t.ClientIP, t.ClientPort, t.ServerIP, t.ServerPort, t.ServerName, t.Method, t.URI, t.Protocol, t.RequestHeaders, t.ResponseStatus})
}

func TestARequestIsThatOfTheTransaction(t *testing.T) {
	c, err := Open("auto")
	require.NoError(t, err)
	var bodies [][]byte
	for i := range uint64(500) {
		for _, r := range []corpus.Record{corpus.Clean(i), corpus.Attack(i)} {
			e, _, err := record.Next(r.AppendEvent(nil, corpus.ProbeLimit))
			require.NoError(t, err)
			bodies = append(bodies, e.Body)
		}
	}
	for _, json := range []string{
		`{"remote_addr":"192.0.2.7","request_method":"GET","request_uri":"/","status":"404","http_user_agent":"a"}`,
		`{"SRC_IP":"192.0.2.7","REQ_HEADER":"GET /a HTTP/1.1\r\nHost: h:80\r\n\r\n","RSP_HEADER":"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 302 Found\r\n\r\n"}`,
		`{"SRC_IP":"192.0.2.7","REQ_HEADER":"GET /a HTTP/1.1\r\nHost: [::1]\r\n\r\n","RSP_HEADER":"HTTP/1.1 odd\r\n\r\n","RETCODE":"500"}`,
		`{"SRC_IP":"192.0.2.7","REQ_HEADER":":method: GET\r\n:path: /p\r\n:authority: h\r\n\r\n","RSP_HEADER":"X: y\r\n\r\n","RETCODE":"99"}`,
		`{"L7_PROTOCOL":"dns","SRC_IP":"192.0.2.7"}`, `{"SRC_IP":"192.0.2.7","METHOD":"GET","URL":"","RETCODE":"200"}`, `{"message":"hello"}`,
	} {
		bodies = append(bodies, body(t, json))
	}
	var v Values
	requests := 0
	for _, body := range bodies {
		if c.Read(nil, body, &v) == NoMap {
			continue
		}
		var whole, request rules.Transaction
		isRequest := v.Transaction(&whole) && whole.Unknown&rules.PartRequest == 0
		require.Equal(t, isRequest, v.Request(&request), "%s", body)
		if isRequest {
			requests++
			require.Equal(t, endsOf(&whole), endsOf(&request), "%s", body)
		}
	}
	require.Greater(t, requests, 1000)
}
