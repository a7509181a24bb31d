package fieldmap

import (
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// takeTarget stores a request target that is part of a longer text.
func (v *Values) takeTarget(a *action, target string) {
	rank := a.rank
	if a.reading == asURL {
		target, rank = v.takeURL(target), rank/2+lastRank/2 // what was sent comes before what was put together
	}
	v.absolute = v.absolute || a.absolute
	v.set(URI, target, rank)
}

// takeURL returns the request target of a URL whose host it stores: scheme://host/path, or host/path. What stands behind a # is
// never sent.
func (v *Values) takeURL(url string) (target string) {
	url, _, _ = strings.Cut(url, "#")
	host, rest, isAbsolute := cutAbsolute(url)
	if !isAbsolute {
		if host, rest = cutHost(url); host == "" {
			return url
		}
	}
	v.set(ServerName, host, lastRank)
	return v.rooted(rest)
}

// rooted returns a request target with the slash that it begins with.
func (v *Values) rooted(target string) string {
	if target != "" && target[0] == '/' {
		return target
	}
	return onScratch(&v.scratch, func(dst []byte) []byte { return append(append(dst, '/'), target...) })
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

// cutHost takes host/path apart. The host is "" when there is none: a path begins with a slash, and a host has a dot or a port.
func cutHost(url string) (host, target string) {
	end := strings.IndexAny(url, "/?")
	if end < 0 {
		end = len(url)
	}
	host = url[:end]
	name, port, hasPort := strings.Cut(host, ":")
	if hasPort && portNumber(port) == "" || !hasPort && strings.IndexByte(name, '.') < 0 || hostOrAddress(name) == "" {
		return "", ""
	}
	return host, url[end:]
}

// redacted is what sources write in place of a value that they keep to themselves.
const redacted = "REDACTED"

// finish puts together what a source logs in parts, and makes each text one that means the same whatever the source.
func (v *Values) finish() {
	v.finishAddress(ClientIP, ClientPort, v.proxies)
	v.finishAddress(ServerIP, ServerPort, nil) // of the servers that were tried, the last has answered
	if v.texts[Version] != "" {
		v.texts[Version] = v.httpVersion(v.texts[Version])
	} else if v.multiplexed {
		v.set(Version, "HTTP/2.0", lastRank)
	}
	v.finishPresence()
	v.finishTarget()
}

// finishTarget makes the request target one as clients send it, and tells what of it is not known.
func (v *Values) finishTarget() {
	if v.unescaped&(1<<URI) != 0 {
		v.escape(URI)
	}
	if v.texts[URI] == "" && v.texts[path] != "" {
		v.joinTarget()
	}
	target := v.texts[URI]
	if target == redacted {
		v.texts[URI] = "/"
		v.lost |= rules.PartTarget | rules.PartQuery | rules.PartEscapes
		return
	}
	if v.noVersion && v.texts[Version] == "" { // the line is cut, and so may be the last escape
		v.partial |= rules.PartialArguments
		v.lost |= rules.PartEscapes
	}
	if target != "" && target[0] != '/' {
		v.finishOddTarget(target)
	}
}

// finishOddTarget reads a target that is no path. Its host is the one asked for where no other is known. Clients send an absolute
// URL to proxies only, and not at all in HTTP/2, where a source has put it together.
func (v *Values) finishOddTarget(target string) {
	host, rest, isAbsolute := cutAbsolute(target)
	switch {
	case isAbsolute:
		v.set(ServerName, host, lastRank)
		if v.absolute || isMultiplexed(v.texts[Version]) {
			v.texts[URI] = v.rooted(rest)
		}
	case v.texts[Method] == "CONNECT":
		v.set(ServerName, target, lastRank)
	}
}

// isMultiplexed reports whether a version is HTTP/2 or later.
func isMultiplexed(version string) bool {
	return strings.HasPrefix(version, "HTTP/2") || strings.HasPrefix(version, "HTTP/3")
}

// joinTarget makes the request target of its path and query.
func (v *Values) joinTarget() {
	if v.texts[path] == redacted {
		v.texts[path] = "/"
		v.lost |= rules.PartTarget | rules.PartEscapes
	}
	if v.texts[query] == redacted || v.isOwnQuery(v.texts[query]) {
		v.texts[query] = ""
		v.lost |= rules.PartQuery
	}
	for _, part := range [...]Field{path, query} {
		if v.unescaped&(1<<part) != 0 && v.texts[part] != "" {
			v.escape(part)
		}
	}
	target, question := v.texts[path], strings.TrimPrefix(v.texts[query], "?")
	if question != "" {
		target = onScratch(&v.scratch, func(dst []byte) []byte { return append(append(append(dst, v.texts[path]...), '?'), question...) })
	}
	v.set(URI, target, lastRank)
}

// isOwnQuery reports whether the source has put a query together for itself. A client can write such a query too, so that one with
// anything that an attack needs is taken for the client's.
func (v *Values) isOwnQuery(text string) bool {
	if v.source.ownQuery == "" || !strings.HasPrefix(text, v.source.ownQuery) {
		return false
	}
	for i := range len(text) {
		if c := text[i]; !isPlainName(text[i:i+1]) && c != '=' && c != '&' && c != '.' && c != ':' {
			return false
		}
	}
	return true
}

// escape writes a text that was logged without its escapes with them.
func (v *Values) escape(part Field) {
	v.lost |= rules.PartEscapes
	text := v.texts[part]
	v.texts[part] = onScratch(&v.scratch, func(dst []byte) []byte { return appendEscaped(dst, text, part) })
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
