package alert

import (
	"net/netip"
	"strings"
)

// isAddress reports whether a text is the address of a host; sources write 0.0.0.0 where there is none.
func isAddress(text string) bool {
	ip, err := netip.ParseAddr(text)
	return err == nil && !ip.IsUnspecified() && ip.Zone() == ""
}

// isIPv6 reports whether a text is an address of version 6.
func isIPv6(text string) bool {
	ip, err := netip.ParseAddr(text)
	return err == nil && ip.Is6()
}

// bracketed returns the name of a host as URLs write it.
func bracketed(host string) string {
	if isIPv6(host) {
		return "[" + host + "]"
	}
	return host
}

// version returns the HTTP version without the protocol: 1.1.
func (a *Alert) version() string {
	_, version, _ := strings.Cut(a.Protocol, "/")
	return version
}

// splitTarget returns the path and the query of a request target, which may be an absolute URL.
func splitTarget(target string) (path, query string) {
	target, _, _ = strings.Cut(target, "#")
	path, query, _ = strings.Cut(target, "?")
	if _, rest, absolute := strings.Cut(path, "://"); absolute && !strings.HasPrefix(path, "/") {
		path = "/"
		if at := strings.IndexByte(rest, '/'); at >= 0 {
			path = rest[at:]
		}
	}
	return path, query
}
