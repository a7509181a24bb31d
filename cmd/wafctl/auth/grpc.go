package auth

import (
	"context"
	"net/http"
	"net/netip"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	ext_authz "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	types "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/server"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

const (
	grpcCaller  = "envoy_grpc"
	checkMethod = ext_authz.Authorization_Check_FullMethodName

	// headsOfGRPC is how many bytes a message may have besides the body.
	headsOfGRPC = 256 << 10
)

// serveGRPC returns the handler of Envoy's gRPC service.
func (a *endpoint) serveGRPC(options ...grpc.ServerOption) http.Handler {
	s := grpc.NewServer(options...)
	ext_authz.RegisterAuthorizationServer(s, &authorization{endpoint: a})
	return s
}

// serveBounded answers a call. Its message counts as a body: all of them together have a bound.
func (a *endpoint) serveBounded(w http.ResponseWriter, r *http.Request) {
	body, release := a.Bodies.Bounded(r.Body)
	defer release()
	r.Body = body
	a.grpc.ServeHTTP(w, r)
}

// authorization implements envoy.service.auth.v3.Authorization.
type authorization struct {
	ext_authz.UnimplementedAuthorizationServer
	*endpoint
}

// Check implements ext_authz.AuthorizationServer.
func (a *authorization) Check(ctx context.Context, q *ext_authz.CheckRequest) (answer *ext_authz.CheckResponse, err error) {
	err = grpcstatus.Error(codes.Internal, "the inspection failed")
	recovery.Once(a.engine.Filter().Caught("authorization"), func() { answer, err = a.check(ctx, q), nil }) // grpc-go recovers nothing
	return answer, err
}

func (a *authorization) check(ctx context.Context, q *ext_authz.CheckRequest) *ext_authz.CheckResponse {
	d, refused := a.readAttributes(q.GetAttributes())
	if refused == nil {
		refused = d.check()
	}
	if refused != nil {
		a.Refused(refused.why)
		a.Log.Printf("refused to answer Envoy: %s", refused.text)
		return denied(statusOf(refused.why), []byte(refused.text+"\n"), "Content-Type", "text/plain; charset=utf-8", inspectedHeader, "none")
	}
	if limit := a.engine.RequestLimit; len(d.body) > limit {
		if !a.PartialBodies {
			a.Refused(server.BodyTooLong)
			body, kind := server.Page{Status: http.StatusRequestEntityTooLarge}.Render(d.header["Accept"])
			return denied(http.StatusRequestEntityTooLarge, body, "Content-Type", kind, inspectedHeader, "none")
		}
		d.length, d.body, d.cut = max(d.length, int64(len(d.body))), d.body[:limit], true
	}
	decision := a.evaluate(ctx, d)
	if !decision.Block {
		return allowed(inspected(&decision))
	}
	return blocked(&decision, d.header["Accept"])
}

// readAttributes reads what Envoy sends over gRPC.
func (a *authorization) readAttributes(all *ext_authz.AttributeContext) (*description, *refusal) {
	q := all.GetRequest().GetHttp()
	if q == nil {
		return nil, refuse(missing, "the request is missing")
	}
	d := &description{
		method: q.GetMethod(), target: q.GetPath(), host: q.GetHost(), protocol: protocolOf(q.GetProtocol()), header: headersOf(q), length: -1,
		server: addressIn(all.GetDestination()), body: q.GetRawBody(),
	}
	if len(d.body) == 0 {
		d.body = []byte(q.GetBody())
	}
	if size := q.GetSize(); size > int64(len(d.body)) {
		d.length = size
	}
	d.client = a.engine.Client(addressIn(all.GetSource()), d.header)
	partial, refused := optional(d.header, partialBody)
	d.seen = (partial != "" || len(d.body) > 0) && a.RequestBodies // Envoy removes the header where a client sends it
	d.cut = partial == "true"
	return d, refused
}

// headersOf returns the headers of a request without those of HTTP/2 that stand for the request line, and without those of the connection.
func headersOf(q *ext_authz.AttributeContext_HttpRequest) http.Header {
	h := http.Header{}
	add := func(name, value string) {
		if !strings.HasPrefix(name, ":") {
			h.Add(name, value)
		}
	}
	for name, value := range q.GetHeaders() {
		add(name, value)
	}
	for _, header := range q.GetHeaderMap().GetHeaders() { // instead of the others, with encode_raw_headers
		value := header.GetValue()
		if raw := header.GetRawValue(); len(raw) > 0 {
			value = string(raw)
		}
		add(header.GetKey(), value)
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
	delete(h, "Host") // is given besides
	return h
}

// addressIn returns the address of a peer; the zero one is none.
func addressIn(p *ext_authz.AttributeContext_Peer) netip.AddrPort {
	socket := p.GetAddress().GetSocketAddress()
	address, err := netip.ParseAddr(socket.GetAddress())
	if err != nil || socket.GetPortValue() > 65535 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(address.Unmap().WithZone(""), uint16(socket.GetPortValue()))
}

// allowed lets a request pass. The backend learns what was inspected, whatever the client says of that.
func allowed(inspected string) *ext_authz.CheckResponse {
	return &ext_authz.CheckResponse{
		Status:       &status.Status{Code: int32(codes.OK)},
		HttpResponse: &ext_authz.CheckResponse_OkResponse{OkResponse: &ext_authz.OkHttpResponse{Headers: headerOptions(inspectedHeader, inspected)}},
	}
}

func blocked(d *inline.Decision, accept []string) *ext_authz.CheckResponse {
	body, kind := server.Page{Status: d.Status, ID: d.Alert}.Render(accept)
	headers := []string{"Content-Type", kind, "Cache-Control", "no-store", "X-Content-Type-Options", "nosniff", inspectedHeader, inspected(d)}
	if d.Alert != "" {
		headers = append(headers, alertHeader, d.Alert)
	}
	return denied(d.Status, body, headers...)
}

// denied blocks a request. Headers are names and values in turn.
func denied(code int, body []byte, headers ...string) *ext_authz.CheckResponse {
	return &ext_authz.CheckResponse{
		Status: &status.Status{Code: int32(codes.PermissionDenied)},
		HttpResponse: &ext_authz.CheckResponse_DeniedResponse{DeniedResponse: &ext_authz.DeniedHttpResponse{
			Status: &types.HttpStatus{Code: types.StatusCode(code)}, Headers: headerOptions(headers...), Body: string(body),
		}},
	}
}

func headerOptions(all ...string) (options []*core.HeaderValueOption) {
	for i := 0; i < len(all); i += 2 {
		options = append(options, &core.HeaderValueOption{
			Header: &core.HeaderValue{Key: strings.ToLower(all[i]), Value: all[i+1]}, AppendAction: core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		})
	}
	return options
}
