package auth

import (
	"net/http"
	"net/netip"
	"strings"
)

// caller is a kind of ingress that asks over HTTP.
type caller struct {
	name string                                                                   // under which it asks: the path that its configuration names, which no client has a say in
	read func(a *endpoint, r *http.Request, rest string) (*description, *refusal) // rest of the target under which it asks
}

// callers are all kinds of ingress that ask over HTTP. Nothing is guessed from headers: a client could send those of another kind.
var callers = []caller{
	{"traefik", readForwarded},
	{"caddy", readForwarded},
	{"haproxy", readForwarded},
	{"nginx", readOriginal},
	{"envoy", readEnvoy},
	{"crowdsec", readCrowdSec},
}

// under returns the caller that asks under a request target, and the rest of the target. Only Envoy's has one: it puts its path before
// that of the client.
func under(target string) (found *caller, rest string) {
	path, _, _ := strings.Cut(target, "?")
	for i := range callers {
		c := &callers[i]
		after, is := strings.CutPrefix(target, "/"+c.name)
		switch {
		case !is:
		case c.name == "envoy" && (strings.HasPrefix(after, "/") || after == "*"):
			return c, after
		case path == "/"+c.name && c.name != "envoy":
			return c, ""
		}
	}
	return nil, ""
}

// one returns the value of a header by which a caller describes a request, and removes it. It must be there once.
func one(h http.Header, name string) (string, *refusal) {
	value, refused := optional(h, name)
	if refused == nil && value == "" {
		return "", refuse(missing, "%s is missing", name)
	}
	return value, refused
}

// optional is one for a header that may be missing.
func optional(h http.Header, name string) (string, *refusal) {
	values := h[name]
	delete(h, name)
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", refuse(contradicted, "%s is there twice", name)
}

// fields reads headers by which a caller describes a request, until one is refused.
type fields struct {
	header  http.Header
	refused *refusal
}

func (f *fields) one(name string) string { return f.read(name, one) }

func (f *fields) optional(name string) string { return f.read(name, optional) }

func (f *fields) read(name string, read func(http.Header, string) (string, *refusal)) (value string) {
	if f.refused == nil {
		value, f.refused = read(f.header, name)
	}
	return value
}

// begin returns a description with what all callers give in the same way. The protocol is not known.
func (a *endpoint) begin(r *http.Request) *description {
	d := &description{protocol: "HTTP/1.1", header: r.Header, length: -1, client: a.engine.Client(addressOf(r.RemoteAddr), r.Header)}
	for _, name := range hopByHop {
		delete(r.Header, name)
	}
	return d
}

// readForwarded reads what Traefik, Caddy and our script for HAProxy send. All replace these headers where a client sends them.
func readForwarded(a *endpoint, r *http.Request, _ string) (*description, *refusal) {
	d, f := a.begin(r), fields{header: r.Header}
	d.method, d.target = f.one("X-Forwarded-Method"), f.one("X-Forwarded-Uri")
	if d.host = f.optional("X-Forwarded-Host"); d.host != "" {
		r.Header.Set("X-Forwarded-Host", d.host) // the backend gets it, too
	}
	return d, f.refused
}

// readOriginal reads what the configuration of nginx and ingress-nginx sends, with the client's own headers, which may be of any name.
func readOriginal(a *endpoint, r *http.Request, _ string) (*description, *refusal) {
	d, f := a.begin(r), fields{header: r.Header}
	d.method, d.protocol = f.one("X-Original-Method"), protocolOf(f.optional("X-Original-Proto"))
	url, uri := f.optional("X-Original-Url"), f.optional("X-Original-Uri")
	if f.refused != nil {
		return d, f.refused
	}
	switch {
	case url != "":
		_, rest, has := strings.Cut(url, "://")
		slash := strings.IndexByte(rest, '/')
		if !has || slash < 0 {
			return d, refuse(malformed, "X-Original-URL is malformed")
		}
		d.host, d.target = rest[:slash], rest[slash:]
		if uri != "" && uri != d.target {
			return d, refuse(contradicted, "X-Original-URL and X-Original-URI differ")
		}
	case uri != "":
		d.host, d.target = r.Host, uri
	default:
		return d, refuse(missing, "X-Original-URL is missing")
	}
	delete(r.Header, "X-Auth-Request-Redirect") // of ingress-nginx, like the next
	delete(r.Header, "X-Sent-From")
	return d, nil
}

// protocolOf returns a version of HTTP as in a request line; any other text is taken for HTTP/1.1.
func protocolOf(text string) string {
	if _, _, is := http.ParseHTTPVersion(text); is {
		return text
	}
	return "HTTP/1.1"
}

// partialBody is a header with which Envoy reports whether a body goes on. It removes one of the client.
const partialBody = "X-Envoy-Auth-Partial-Body"

// readEnvoy reads what Envoy sends over HTTP: the request itself, with a path before its own.
func readEnvoy(a *endpoint, r *http.Request, rest string) (*description, *refusal) {
	d, f := a.begin(r), fields{header: r.Header}
	d.method, d.host, d.target = r.Method, r.Host, rest
	d.cut = f.optional(partialBody) != "false" // without it nobody knows
	return d, f.refused
}

// readCrowdSec reads what bouncers of CrowdSec AppSec send.
func readCrowdSec(a *endpoint, r *http.Request, _ string) (*description, *refusal) {
	d, f := a.begin(r), fields{header: r.Header}
	const prefix = "X-Crowdsec-Appsec-"
	d.method, d.target = f.one(prefix+"Verb"), f.one(prefix+"Uri")
	d.host = f.optional(prefix + "Host")
	ip, agent, version := f.one(prefix+"Ip"), f.optional(prefix+"User-Agent"), f.optional(prefix+"Http-Version")
	f.optional(prefix + "Api-Key")
	f.optional(prefix + "Transaction-Id")
	if f.refused != nil {
		return d, f.refused
	}
	address, err := netip.ParseAddr(ip)
	if err != nil {
		return d, refuse(malformed, "%sIp is malformed", prefix)
	}
	d.client = netip.AddrPortFrom(address.Unmap().WithZone(""), 0)
	if len(version) == 2 { // as in 11 and 20
		d.protocol = protocolOf("HTTP/" + version[:1] + "." + version[1:])
	}
	if agent != "" {
		r.Header.Set("User-Agent", agent)
	}
	return d, nil
}

// addressOf reads an address of a connection; the zero one is none.
func addressOf(text string) netip.AddrPort {
	address, _ := netip.ParseAddrPort(text)
	return address
}
