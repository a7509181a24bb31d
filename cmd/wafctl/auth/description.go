package auth

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/server"
)

// description is a request as a caller describes it.
type description struct {
	method, target, protocol, host string
	header                         http.Header // canonical names; none that the caller added for us

	client, server netip.AddrPort // zero when that is not known

	body   []byte
	seen   bool  // the body has arrived, or its start
	cut    bool  // it goes on behind that
	length int64 // of the whole body, -1 when that is not known
}

// refusal is why a description cannot be believed.
type refusal struct {
	why  server.Rejection
	text string
}

func refuse(why server.Rejection, format string, args ...any) *refusal {
	return &refusal{why, fmt.Sprintf(format, args...)}
}

// hopByHop are headers about the connection between the caller and us.
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length", "Expect"}

// singletons are the headers of which recipients use the first or the last, each as it likes.
var singletons = []string{"Content-Type", "Content-Encoding", "Authorization"}

// check returns why a description is none of a request that a server would answer. What passes can be written down as a head without
// becoming another one.
func (d *description) check() *refusal {
	switch {
	case !httpguts.ValidHeaderFieldName(d.method) || d.method == http.MethodConnect: // a method is a token, as names are
		return refuse(malformed, "the method is malformed")
	case d.target != "*" && !strings.HasPrefix(d.target, "/"), strings.ContainsFunc(d.target, separates):
		return refuse(malformed, "the target is malformed")
	case !validHost(d.host):
		return refuse(malformed, "the host is malformed")
	}
	for name, values := range d.header {
		if !httpguts.ValidHeaderFieldName(name) {
			return refuse(malformed, "the name of a header is malformed")
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return refuse(malformed, "%s is malformed", name)
			}
		}
	}
	for _, name := range singletons {
		if len(d.header[name]) > 1 {
			return refuse(contradicted, "%s is there twice", name)
		}
	}
	return nil
}

// separates reports whether a character ends a word of a request line.
func separates(c rune) bool { return c <= ' ' || c == 0x7f }

// validHost reports whether a text can be a host with a port. It may be empty: HTTP/1.0 has none.
func validHost(host string) bool {
	return httpguts.ValidHostHeader(host) && !strings.ContainsAny(host, `/?#@\ "<>^{|}`+"`")
}

// request returns the description as a request to evaluate. It changes the header.
func (d *description) request() *inline.Request {
	r := &inline.Request{Body: d.body, Unseen: !d.seen, Cut: d.cut, Client: d.client, Server: d.server}
	r.Chunked = d.frame()
	r.Head = inline.AppendRequestHead(make([]byte, 0, 1<<10), d.method, d.target, d.protocol, d.host, d.header)
	return r
}

// frame writes down how long the body is, and reports whether it is chunked. So is a POST of which no body came: callers describe no
// framing, and rule 920180 would report that the client has sent none.
func (d *description) frame() (chunked bool) {
	switch {
	case d.length >= 0:
		if d.length > 0 || d.header.Get("Content-Length") != "" {
			d.header.Set("Content-Length", strconv.FormatInt(d.length, 10))
		}
		return false
	case d.seen && !d.cut:
		d.header.Set("Content-Length", strconv.Itoa(len(d.body)))
		return false
	case d.seen, d.method == http.MethodPost:
		d.header.Del("Content-Length")
		d.header.Set("Transfer-Encoding", "chunked")
		return true
	}
	return false
}
