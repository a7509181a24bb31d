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
var singletons = []string{"Content-Type", "Content-Encoding", "Authorization"}

// check returns the status with which to reject a request that could mean something else to the backend than to the rules, 0 for others.
// What the server rejects itself, such as contradicting lengths, two Host headers or malformed names, does not come this far.
func check(r *http.Request) (status int, reason server.Rejection) {
	switch {
	case r.Method == http.MethodConnect:
		return http.StatusMethodNotAllowed, badTarget
	case !strings.HasPrefix(r.URL.Path, "/") && r.RequestURI != "*", r.URL.Opaque != "", r.URL.User != nil:
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
}

// isWebSocket reports whether a request asks for a WebSocket.
func isWebSocket(r *http.Request) bool {
	return r.ProtoMajor == 1 && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") && hasOption(r.Header["Connection"], "upgrade")
}

func hasOption(lines []string, want string) bool {
	return slices.ContainsFunc(lines, func(line string) bool {
		return slices.ContainsFunc(strings.Split(line, ","), func(option string) bool { return strings.EqualFold(strings.TrimSpace(option), want) })
	})
}

// isGRPC reports whether a request is a call of gRPC: its messages are frames that the rules cannot read, and go on both ways at once.
func isGRPC(r *http.Request) bool {
	kind := r.Header.Get("Content-Type")
	return r.ProtoMajor == 2 && strings.HasPrefix(kind, "application/grpc") && !strings.HasPrefix(kind, "application/grpc-web")
}
