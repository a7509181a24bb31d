package auth

import (
	"context"
	"strings"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	ext_authz "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/server"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// envoy returns a client like Envoy's.
func (a *running) envoy() ext_authz.AuthorizationClient {
	conn, err := grpc.NewClient("passthrough:///"+a.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(a.t, err)
	a.t.Cleanup(func() { require.NoError(a.t, conn.Close()) })
	return ext_authz.NewAuthorizationClient(conn)
}

// described is a request as Envoy describes it.
func described(method, path, body string, header ...string) *ext_authz.CheckRequest {
	q := &ext_authz.AttributeContext_HttpRequest{
		Id: "1", Method: method, Path: path, Host: "shop.example", Scheme: "http", Protocol: "HTTP/2", Size: int64(len(body)), RawBody: []byte(body),
		Headers: map[string]string{":method": method, ":path": path, ":authority": "shop.example", "user-agent": "Mozilla/5.0", "accept": "*/*"},
	}
	for i := 0; i < len(header); i += 2 {
		q.Headers[header[i]] = header[i+1]
	}
	return &ext_authz.CheckRequest{Attributes: &ext_authz.AttributeContext{
		Source: peer("203.0.113.9", 4711), Destination: peer("10.0.0.1", 443), Request: &ext_authz.AttributeContext_Request{Http: q},
	}}
}

func peer(address string, port uint32) *ext_authz.AttributeContext_Peer {
	return &ext_authz.AttributeContext_Peer{Address: &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{
		Address: address, PortSpecifier: &core.SocketAddress_PortValue{PortValue: port},
	}}}}
}

// verdict asks for a description, and returns the status for the client (200 where the request may pass) and what was inspected.
func (a *running) verdict(client ext_authz.AuthorizationClient, q *ext_authz.CheckRequest) (code int, inspected string, answer *ext_authz.CheckResponse) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), 20*time.Second)
	defer cancel()
	answer, err := client.Check(ctx, q)
	require.NoError(a.t, err)
	code, headers := 200, answer.GetOkResponse().GetHeaders()
	if denied := answer.GetDeniedResponse(); denied != nil {
		code, headers = int(denied.GetStatus().GetCode()), denied.GetHeaders()
	}
	require.Equal(a.t, code == 200, answer.GetStatus().GetCode() == int32(codes.OK))
	for _, h := range headers {
		if h.GetHeader().GetKey() == "x-waf-inspected" {
			require.Equal(a.t, core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD, h.GetAppendAction())
			inspected = h.GetHeader().GetValue()
		}
	}
	return code, inspected, answer
}

func TestEnvoyIsAnsweredOverGRPC(t *testing.T) {
	a := run(t, setting.Map{"emit_format": "record"})
	client := a.envoy()
	typed := []string{"content-type", form}
	for name, c := range map[string]struct {
		q         *ext_authz.CheckRequest
		code      int
		inspected string
	}{
		"a clean request":           {described("GET", clean, ""), 200, "uri, headers"},
		"an attack":                 {described("GET", attack, ""), 403, "uri, headers"},
		"an attack in a header":     {described("GET", "/", "", "referer", "<script>alert(1)</script>"), 403, "uri, headers"},
		"a body that did not come":  {described("POST", "/", "", typed...), 200, "uri, headers"},
		"an empty body":             {described("POST", "/", "", append(typed, "x-envoy-auth-partial-body", "false")...), 200, "uri, headers, body"},
		"a clean body":              {described("POST", "/", "a=b", append(typed, "x-envoy-auth-partial-body", "false")...), 200, "uri, headers, body"},
		"an attack in a body":       {described("POST", "/", "do='drop table'", append(typed, "x-envoy-auth-partial-body", "false")...), 403, "uri, headers, body"},
		"the start of a body":       {described("POST", "/", "a=b", append(typed, "x-envoy-auth-partial-body", "true")...), 200, "uri, headers, body;partial"},
		"no path":                   {described("GET", "", ""), 400, "none"},
		"a path with a blank":       {described("GET", "/ HTTP/1.1\r\nX: y", ""), 400, "none"},
		"an absolute path":          {described("GET", "http://shop.example/", ""), 400, "none"},
		"a method with a line end":  {described("GET\r\n", "/", ""), 400, "none"},
		"a header with a line end":  {described("GET", "/", "", "x-a", "b\r\nx-c: d"), 400, "none"},
		"a header's name with one":  {described("GET", "/", "", "x-a\r\nx-c", "d"), 400, "none"},
		"nothing about the request": {&ext_authz.CheckRequest{}, 400, "none"},
	} {
		code, inspected, _ := a.verdict(client, c.q)
		require.Equal(t, c.code, code, name)
		require.Equal(t, c.inspected, inspected, name)
	}
	_, _, answer := a.verdict(client, described("GET", attack, "", "accept", "application/json"))
	a.end()
	require.Contains(t, answer.GetDeniedResponse().GetBody(), `"id":"`)
	id := strings.Split(strings.Split(answer.GetDeniedResponse().GetBody(), `"id":"`)[1], `"`)[0]
	require.Len(t, id, 32)
	require.Contains(t, a.alerts.String(), `"outcome":"blocked"`)
	require.Contains(t, a.alerts.String(), "203.0.113.9")
	require.Contains(t, a.alerts.String(), "10.0.0.1")
}

// With encode_raw_headers Envoy sends each line of a header.
func TestRawHeadersOfEnvoyAreRead(t *testing.T) {
	a := run(t, nil)
	client := a.envoy()
	lines := func(all ...string) *ext_authz.CheckRequest {
		q := described("GET", "/", "")
		http := q.Attributes.Request.Http
		http.Headers, http.HeaderMap = nil, &core.HeaderMap{Headers: []*core.HeaderValue{{Key: ":path", RawValue: []byte("/")}, {Key: "user-agent", RawValue: []byte("x")}}}
		for i := 0; i < len(all); i += 2 {
			http.HeaderMap.Headers = append(http.HeaderMap.Headers, &core.HeaderValue{Key: all[i], RawValue: []byte(all[i+1])})
		}
		return q
	}
	code, _, _ := a.verdict(client, lines("accept", "*/*"))
	require.Equal(t, 200, code)
	code, _, _ = a.verdict(client, lines("x-a", "b", "x-a", "<script>alert(1)</script>", "referer", "<script>alert(1)</script>"))
	require.Equal(t, 403, code)
	code, _, _ = a.verdict(client, lines("content-type", "text/plain", "content-type", form))
	require.Equal(t, 400, code)
}

func TestEnvoyIsOnlyBelievedFromTrustedProxies(t *testing.T) {
	a := run(t, setting.Map{"trusted_proxies": "192.0.2.1"})
	_, err := a.envoy().Check(t.Context(), described("GET", clean, ""))
	require.Equal(t, codes.PermissionDenied, status.Code(err), err)
	require.EqualValues(t, 1, a.Rejected(untrusted))
}

func TestBodiesOverTheLimitThatEnvoySends(t *testing.T) {
	long := "q=" + strings.Repeat("x", 5000)
	partial := []string{"content-type", form, "x-envoy-auth-partial-body", "false"}
	a := run(t, setting.Map{"modsec_req_body_limit": "1000"})
	code, _, _ := a.verdict(a.envoy(), described("POST", "/", long, partial...))
	require.Equal(t, 413, code)
	require.EqualValues(t, 1, a.Rejected(server.BodyTooLong))

	a = run(t, setting.Map{"modsec_req_body_limit": "1000", "body_over_limit": "partial"})
	code, inspected, _ := a.verdict(a.envoy(), described("POST", "/", long, partial...))
	require.Equal(t, 200, code)
	require.Equal(t, "uri, headers, body;partial", inspected)
}

func TestMessagesOfEnvoyAreBounded(t *testing.T) {
	a := run(t, setting.Map{"body_memory": "16K"})
	client := a.envoy()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err := client.Check(ctx, described("POST", "/", strings.Repeat("x", 100_000)))
	require.Error(t, err)
	require.Eventually(t, func() bool { return a.Bodies.Used.Load() == 0 }, 10*time.Second, time.Millisecond)
	code, _, _ := a.verdict(client, described("GET", clean, ""))
	require.Equal(t, 200, code)
}
