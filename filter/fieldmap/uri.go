package fieldmap

import "strings"

// takeTarget stores a request target; where the source writes it as an absolute URL, it is taken apart into host and target.
func (v *Values) takeTarget(a *action, target string) {
	host, rest, isAbsolute := cutAbsolute(target)
	if !isAbsolute || a.reading != asURL && !a.absolute {
		v.set(URI, target, a.rank)
		return
	}
	if rest == "" || rest[0] != '/' {
		rest = onScratch(&v.scratch, func(dst []byte) []byte { return append(append(dst, '/'), rest...) })
	}
	v.set(URI, rest, a.rank)
	v.set(ServerName, host, lastRank)
}

// cutAbsolute takes an absolute http URL apart; the host is without user and default port.
func cutAbsolute(url string) (host, target string, ok bool) {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return "", "", false
	}
	defaultPort := ":80"
	switch {
	case strings.EqualFold(scheme, "http"), strings.EqualFold(scheme, "ws"):
	case strings.EqualFold(scheme, "https"), strings.EqualFold(scheme, "wss"):
		defaultPort = ":443"
	default:
		return "", "", false
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host, target = rest[:end], rest[end:]
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		host = host[at+1:]
	}
	return strings.TrimSuffix(host, defaultPort), target, host != ""
}

// finish puts together what a source logs in parts.
func (v *Values) finish() {
	if v.texts[URI] == "" && v.texts[path] != "" {
		v.joinTarget()
	}
	if v.texts[Version] != "" {
		v.texts[Version] = v.httpVersion(v.texts[Version])
	}
}

// joinTarget makes the request target of its path and query.
func (v *Values) joinTarget() {
	target, question := v.texts[path], strings.TrimPrefix(v.texts[query], "?")
	if question != "" {
		target = onScratch(&v.scratch, func(dst []byte) []byte { return append(append(append(dst, v.texts[path]...), '?'), question...) })
	}
	v.set(URI, target, lastRank)
}

// httpVersion returns a version as a request line has it: sources also write 1.1, 2 or h2.
func (v *Values) httpVersion(version string) string {
	switch version {
	case "1.1":
		return "HTTP/1.1"
	case "2.0", "2", "h2", "h2c":
		return "HTTP/2.0"
	case "3.0", "3", "h3":
		return "HTTP/3.0"
	case "1.0":
		return "HTTP/1.0"
	}
	if c := version[0]; c < '0' || c > '9' {
		return version
	}
	return onScratch(&v.scratch, func(dst []byte) []byte { return append(append(dst, "HTTP/"...), version...) })
}

// splitAddress cuts "ip:port", "[v6]:port", or an address without a port.
func splitAddress(s string) (ip, port string) {
	at := strings.LastIndexByte(s, ':')
	if at < 0 || strings.IndexByte(s, ':') != at && s[at-1] != ']' {
		return s, ""
	}
	return s[:at], s[at+1:]
}
