package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/requestlog"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/server"
)

// proxy inspects requests and their responses on the way to a backend and back.
type proxy struct {
	settings

	*server.Server

	engine  *inline.Engine
	reverse *httputil.ReverseProxy
	counts  counts
	target  url.URL // of the backend, without a path
}

func newProxy(s settings, e *inline.Engine, v *server.Server) *proxy {
	p := &proxy{settings: s, Server: v, engine: e, target: url.URL{Scheme: s.backend.Scheme, Host: s.backend.Host}}
	if s.backend.Scheme == "h2c" {
		p.target.Scheme = "http"
	}
	p.counts.start()
	p.reverse = &httputil.ReverseProxy{
		Rewrite: p.rewrite, Transport: s.transport(), ModifyResponse: p.inspectResponse, ErrorHandler: p.failed, ErrorLog: v.Log, BufferPool: &buffers{},
	}
	return p
}

// buffers are those that responses are copied with.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte {
	if buffer, has := b.pool.Get().(*[bufferSize]byte); has {
		return buffer[:]
	}
	return make([]byte, bufferSize)
}

// Put implements httputil.BufferPool.
func (b *buffers) Put(buffer []byte) { b.pool.Put((*[bufferSize]byte)(buffer)) }

// exchange is one request on its way through the proxy.
type exchange struct {
	*inline.Transaction

	writer  http.ResponseWriter
	client  netip.AddrPort
	in      *http.Request
	status  int // of the response, 0 as long as there is none
	started time.Time
}

// note writes into the access log what became of a request, once that is settled.
func (x *exchange) note() {
	line := requestlog.Of(x.writer)
	if line == nil {
		return
	}
	line.Decision, line.Alert, line.Rules, line.Score = string(x.Outcome()), x.Alert, x.Rules, x.Score
	if x.Reason == inline.TimedOut || x.Reason == inline.Failed {
		line.Reason = string(x.Reason)
	}
	if x.client.IsValid() {
		line.Client = x.client.Addr().String()
	}
	if line.Status == 0 {
		line.Status = x.status // of a tunnel
	}
}

type exchangeKey struct{}

func exchangeOf(r *http.Request) *exchange { return r.Context().Value(exchangeKey{}).(*exchange) }

// ServeHTTP rejects what is ambiguous, and has the rest inspected.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status, why := check(r); status != 0 {
		p.Reject(w, r, status, why)
		return
	}
	if p.tlsRedirect != "" && r.TLS == nil {
		p.redirect(w, r)
		return
	}
	strip(r)
	p.serve(w, r)
}

// serve receives the body, decides, and forwards.
func (p *proxy) serve(w http.ResponseWriter, r *http.Request) {
	kind := p.streams(r)
	var b *server.Body
	if kind == "" && r.Body != http.NoBody {
		var ok bool
		if b, ok = p.Receive(w, r, int64(p.RequestLimit)); !ok {
			return
		}
		defer b.Close()
	}
	if kind != "" {
		p.counts.streams[kind].Add(1)
	}
	x := &exchange{writer: w, in: r, client: p.engine.Client(addressOf(r.RemoteAddr), r.Header), started: time.Now()}
	request := p.describe(r, x, b)
	request.Unseen = kind != "" && kind != webSocket
	x.Transaction = p.engine.Begin(r.Context(), request)
	defer x.note()
	if x.Block {
		server.Page{Status: x.Status, ID: x.Alert}.Write(w, r)
		return
	}
	defer func() { x.End(x.status) }()
	p.forward(w, r, x, b)
}

// addressOf reads an address of a connection; the zero one is none.
func addressOf(text string) netip.AddrPort {
	address, _ := netip.ParseAddrPort(text) // unix sockets have none
	return address
}

// describe writes down the request as the backend gets it.
func (p *proxy) describe(r *http.Request, x *exchange, b *server.Body) *inline.Request {
	head := make([]byte, 0, 1<<10)
	chunked := len(r.TransferEncoding) > 0
	if chunked { // net/http keeps them apart
		r.Header["Transfer-Encoding"] = r.TransferEncoding
		defer delete(r.Header, "Transfer-Encoding")
	}
	head = inline.AppendRequestHead(head, r.Method, targetOf(r), r.Proto, r.Host, r.Header)
	q := &inline.Request{Head: head, Body: b.Bytes(), Chunked: chunked, Client: x.client, Time: x.started}
	if b != nil {
		q.Cut = b.Cut
	}
	if local, has := r.Context().Value(http.LocalAddrContextKey).(net.Addr); has {
		if at, is := local.(*net.TCPAddr); is {
			q.Server = at.AddrPort()
			q.Server = netip.AddrPortFrom(q.Server.Addr().Unmap().WithZone(""), q.Server.Port())
		}
	}
	return q
}

// targetOf returns the request target as it goes to the backend: as it came, but for the host of an absolute one, which goes into Host.
func targetOf(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") || r.RequestURI == "*" {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

// streams returns why a request body is forwarded without inspection, "" for one that is inspected.
func (p *proxy) streams(r *http.Request) stream {
	switch {
	case isWebSocket(r):
		return webSocket
	case p.backend.Scheme != "http" && isGRPC(r): // gRPC needs HTTP/2
		return grpc
	case !p.RequestBodies && r.Body != http.NoBody:
		return notInspected
	case p.Mode == inline.Off && r.Body != http.NoBody:
		return engineOff
	}
	return ""
}

func (p *proxy) redirect(w http.ResponseWriter, r *http.Request) {
	if line := requestlog.Of(w); line != nil {
		line.Decision = "redirected"
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if p.tlsRedirect != portOfTLS {
		host = net.JoinHostPort(strings.Trim(host, "[]"), p.tlsRedirect)
	}
	w.Header().Set("Location", "https://"+host+targetOf(r))
	w.WriteHeader(http.StatusPermanentRedirect)
}

// forward sends a request to the backend, and its response back.
func (p *proxy) forward(w http.ResponseWriter, r *http.Request, x *exchange, b *server.Body) {
	out := r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	out.Trailer = nil // would go to the backend without inspection
	if b != nil {
		start := b.Reader()
		switch {
		case b.Cut:
			out.Body = &rest{Reader: io.MultiReader(start, r.Body), Closer: r.Body}
		default:
			out.Body = io.NopCloser(start)
			out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(b.Reader()), nil }
			out.ContentLength = int64(b.Size())
			out.TransferEncoding = nil
		}
	}
	p.reverse.ServeHTTP(w, out)
}

// rest is a body whose start was read already.
type rest struct {
	io.Reader
	io.Closer
}

// rewrite makes the request for the backend of the one that was inspected. Besides headers about the way that it has taken it is the same.
func (p *proxy) rewrite(pr *httputil.ProxyRequest) {
	in, out := pr.In, pr.Out
	x := exchangeOf(in)
	out.URL = backendURL(&p.target, in)
	if p.preserveHost {
		out.Host = in.Host
	} else {
		out.Host = ""
	}
	out.Header.Del("Expect") // the body is here
	p.describeWay(in, out, x)
}

// backendURL returns a URL of which the request target is that of a request, byte for byte.
func backendURL(backend *url.URL, in *http.Request) *url.URL {
	u := *backend
	target := targetOf(in)
	path, query, has := strings.Cut(target, "?")
	u.RawQuery, u.ForceQuery = query, has && query == ""
	if strings.HasPrefix(path, "//") { // an opaque one would be taken for a host
		u.Path, u.RawPath = in.URL.Path, in.URL.RawPath
	} else {
		u.Opaque = path
	}
	return &u
}

// describeWay sets the headers by which the backend learns who asks, and how. What the client says of itself is only believed where it is a
// trusted proxy.
func (p *proxy) describeWay(in, out *http.Request, x *exchange) {
	peer := addressOf(in.RemoteAddr).Addr().Unmap().WithZone("")
	chain := ""
	if peer.IsValid() {
		chain = peer.String()
	}
	scheme, host := "http", in.Host
	if in.TLS != nil {
		scheme = "https"
	}
	trusted := p.engine.Trusts(peer)
	if trusted {
		if before := strings.Join(in.Header["X-Forwarded-For"], ", "); before != "" {
			chain = before + ", " + chain
		}
		if given := in.Header.Get("X-Forwarded-Proto"); given != "" {
			scheme = given
		}
		if given := in.Header.Get("X-Forwarded-Host"); given != "" {
			host = given
		}
		if given, has := in.Header["Forwarded"]; has {
			out.Header["Forwarded"] = given
		}
	}
	h := out.Header
	if !trusted {
		p.removeWay(h)
	}
	h["X-Forwarded-For"], h["X-Forwarded-Proto"], h["X-Forwarded-Host"] = []string{chain}, []string{scheme}, []string{host}
	if x.client.IsValid() {
		h["X-Real-Ip"] = []string{x.client.Addr().String()}
	}
}

// removeWay removes what a client says of a way that its request has not taken: frameworks believe X-Forwarded-Port, -Prefix and others, too,
// and the backend may believe the header in which proxies report the client.
func (p *proxy) removeWay(h http.Header) {
	h.Del(p.RealIPHeader)
	for name := range h {
		if strings.HasPrefix(name, "X-Forwarded-") {
			delete(h, name)
		}
	}
}

// failed answers a request for which there is no response of the backend.
func (p *proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	x := exchangeOf(r)
	if errors.Is(err, errBlocked) {
		server.Page{Status: x.Status, ID: x.Alert}.Write(w, r)
		return
	}
	if r.Context().Err() != nil { // the client is gone
		p.counts.gone.Add(1)
		return
	}
	x.status = http.StatusBadGateway
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		x.status = http.StatusGatewayTimeout
	}
	p.counts.backendErrors.Add(1)
	p.reverse.ErrorLog.Printf("backend: %v", err)
	server.Page{Status: x.status}.Write(w, r)
}
