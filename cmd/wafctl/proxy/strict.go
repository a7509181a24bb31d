package proxy

import (
	"net/http"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/server"
)

// hopByHop are the headers that end at a proxy (RFC 9110, section 7.6.1). What Connection names besides them is not the sender's to
// remove: it would be inspected and not arrive.
var hopByHop = []string{
	"close", "keep-alive", "connection", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade",
	"http2-settings",
}

// singletons are the request headers of which recipients use the first or the last, each as it likes.
var singletons = []string{"Content-Type", "Content-Encoding", "Content-Length", "Authorization"}

// check returns the status with which to reject a request that could mean something else to the backend than to the rules, 0 for others.
// What the server rejects itself, such as contradicting lengths, two Host headers or malformed names, does not come this far.
func check(r *http.Request) (status int, reason server.Rejection) {
	switch {
	case r.Method == http.MethodConnect:
		return http.StatusMethodNotAllowed, badTarget
	case !strings.HasPrefix(r.URL.Path, "/") && r.RequestURI != "*", r.URL.Opaque != "", r.URL.User != nil:
		return http.StatusBadRequest, badTarget
	case strings.HasPrefix(r.RequestURI, "//") && !strings.HasPrefix(r.RequestURI, r.URL.EscapedPath()): // see backendURL
		return http.StatusBadRequest, badTarget
	case r.Host == "" && r.ProtoAtLeast(1, 1):
		return http.StatusBadRequest, badHeader
	case slices.ContainsFunc(singletons, func(name string) bool { return len(r.Header[name]) > 1 }):
		return http.StatusBadRequest, badHeader
	}
	return 0, ""
}

// strip removes from a request what would not reach the backend and is none of the rules' business either: headers that the client wants
// removed, upgrades to other protocols than WebSocket, and announcements of trailers, which are not forwarded.
func strip(r *http.Request) {
	for _, line := range r.Header["Connection"] {
		for option := range strings.SplitSeq(line, ",") {
			if option = strings.ToLower(strings.TrimSpace(option)); option != "" && !slices.Contains(hopByHop, option) {
				r.Header.Del(option)
			}
		}
	}
	if _, asks := r.Header["Upgrade"]; asks && !isWebSocket(r) {
		r.Header.Del("Upgrade")
		r.Header.Del("Http2-Settings")
	}
	delete(r.Header, "Host") // of HTTP/2, besides the authority, which is what goes to the backend
	for name := range r.Header {
		if strings.Contains(name, "_") && hasMeaning(strings.ReplaceAll(name, "_", "-")) {
			delete(r.Header, name)
		}
	}
}

// hasMeaning reports whether a header is one that the rules or the backend go by. Many backends read names with _ as those with -: what is
// said there would be inspected as something else, or be taken for what the proxy itself says.
func hasMeaning(name string) bool {
	const way = "x-forwarded-"
	return len(name) > len(way) && strings.EqualFold(name[:len(way)], way) || slices.ContainsFunc(meaningful, func(one string) bool { return strings.EqualFold(one, name) })
}

var meaningful = []string{"x-real-ip", "content-type", "content-length", "content-encoding", "transfer-encoding"}

// isWebSocket reports whether a request asks for a WebSocket. One with a body does not: a backend that knows no WebSockets would take it
// for any other request, and nobody would have looked at the body.
func isWebSocket(r *http.Request) bool {
	return r.ProtoMajor == 1 && r.Method == http.MethodGet && r.Body == http.NoBody && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") && hasOption(r.Header["Connection"], "upgrade")
}

func hasOption(lines []string, want string) bool {
	return slices.ContainsFunc(lines, func(line string) bool {
		return slices.ContainsFunc(strings.Split(line, ","), func(option string) bool { return strings.EqualFold(strings.TrimSpace(option), want) })
	})
}

// isGRPC reports whether a request is a call of gRPC: its messages are frames that the rules cannot read, and go on both ways at once.
func isGRPC(r *http.Request) bool {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	kind, _, _ = strings.Cut(strings.TrimSpace(kind), "+")
	return r.ProtoMajor == 2 && r.Method == http.MethodPost && strings.EqualFold(kind, "application/grpc")
}
