package fieldmap

import (
	"slices"
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
// never sent; where a client has sent one all the same, rules do not see what stands behind it.
func (v *Values) takeURL(url string) (target string) {
	url, fragment, _ := strings.Cut(url, "#")
	if !isPlainName(fragment) {
		v.partial |= rules.PartialArguments
	}
	host, rest, isAbsolute := cutAbsolute(url)
	if !isAbsolute {
		if host, rest = cutHost(url); host == "" {
			return url
		}
	}
	v.urlHost = host
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
	v.finishPort(ClientIP, ClientPort)
	v.finishPort(ServerIP, ServerPort)
	if v.texts[Version] != "" {
		v.texts[Version] = v.httpVersion(v.texts[Version])
	} else if v.pseudo.seen {
		v.set(Version, "HTTP/2.0", lastRank)
	}
	v.finishPresence()
	v.finishTarget()
	if v.urlHost != "" {
		v.texts[ServerName] = v.urlHost
		v.given |= 1 << ServerName
	}
	if v.pseudo.seen {
		v.finishPseudo()
	}
	if v.texts[date] != "" {
		v.joinTime()
	}
}

// joinTime puts a date before the time of day.
func (v *Values) joinTime() {
	day, clock := v.texts[date], v.texts[Time]
	if strings.IndexByte(clock, ':') != len("00") {
		return
	}
	v.texts[Time] = onScratch(&v.scratch, func(dst []byte) []byte { return append(append(append(dst, day...), ' '), clock...) })
}

// finishTarget makes the request target one as clients send it, and tells what of it is not known.
func (v *Values) finishTarget() {
	if v.unescaped&(1<<URI) != 0 {
		v.escape(URI)
	}
	if v.texts[URI] == "" && v.texts[path] != "" {
		v.joinTarget()
	}
	if v.absolute && v.texts[query] != "" && v.texts[URI] != "" && strings.IndexByte(v.texts[URI], '?') < 0 {
		v.joinQuery(URI)
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
	case isAbsolute && (v.absolute || isMultiplexed(v.texts[Version])):
		v.texts[URI] = v.rooted(rest)
		v.urlHost = host
	case isAbsolute:
		v.set(ServerName, host, lastRank)
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
	if v.unescaped&(1<<path) != 0 {
		if v.mayBeRaw && !v.Has(query) && isEscaped(v.texts[path]) { // the whole target as it was sent, under the name of the decoded path
			v.lost |= rules.PartEscapes
		} else {
			v.escape(path)
		}
	}
	v.joinQuery(path)
}

// joinQuery makes the request target of a part and the query.
func (v *Values) joinQuery(of Field) {
	if v.texts[query] == redacted {
		v.texts[query] = ""
		v.lost |= rules.PartQuery
	}
	if len(v.source.ownQuery) > 0 && v.texts[query] != "" {
		v.dropOwnArguments()
	}
	if v.unescaped&(1<<query) != 0 && v.texts[query] != "" {
		v.escape(query)
	}
	target, question := v.texts[of], strings.TrimPrefix(v.texts[query], "?")
	if question != "" {
		target = onScratch(&v.scratch, func(dst []byte) []byte { return append(append(append(dst, v.texts[of]...), '?'), question...) })
	}
	v.texts[URI] = target
	v.given |= 1 << URI
}

// isEscaped reports whether a text has what a decoded path has not: a query, or an escape.
func isEscaped(target string) bool { return strings.IndexByte(target, '?') >= 0 || hasEscape(target) }

// dropOwnArguments takes out of a query what the source has added to it; then it is not known what the client has sent. A client can
// send such arguments too: those with a value that could be an attack stay.
func (v *Values) dropOwnArguments() {
	dropped := false
	rest := onScratch(&v.scratch, func(dst []byte) []byte {
		start := len(dst)
		for argument := range strings.SplitSeq(strings.TrimPrefix(v.texts[query], "?"), "&") {
			if v.isOwnArgument(argument) {
				dropped = true
				continue
			}
			if len(dst) > start {
				dst = append(dst, '&')
			}
			dst = append(dst, argument...)
		}
		return dst
	})
	if dropped {
		v.texts[query] = rest
		v.lost |= rules.PartQuery
	}
}

func (v *Values) isOwnArgument(argument string) bool {
	name, value, _ := strings.Cut(argument, "=")
	if !slices.ContainsFunc(v.source.ownQuery, func(own string) bool { return strings.HasPrefix(name, own) }) || !isPlainName(name) {
		return false
	}
	for i := range len(value) {
		if c := value[i]; (!isHostByte(c) || c >= 0x80) && c != ':' {
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

// httpVersion returns a version as a request line has it: sources also write 1.1, 2, h2, http/1.1 or 2.0.0.0.
func (v *Values) httpVersion(version string) string {
	switch version {
	case "HTTP/1.1", "1.1":
		return "HTTP/1.1"
	case "HTTP/2.0", "2.0", "2", "h2", "h2c":
		return "HTTP/2.0"
	case "3.0", "3", "h3":
		return "HTTP/3.0"
	case "1.0":
		return "HTTP/1.0"
	}
	number := version
	if at := len("HTTP/"); len(version) > at && strings.EqualFold(version[:at], "HTTP/") {
		number = version[at:]
	}
	for i := range len(number) {
		if c := number[i]; c != '.' && (c < '0' || c > '9') {
			return version
		}
	}
	if major, rest, _ := strings.Cut(number, "."); rest != "" {
		if minor, more, isLong := strings.Cut(rest, "."); isLong && strings.Trim(more, ".0") == "" {
			number = number[:len(major)+1+len(minor)]
		}
	}
	if len(number)+len("HTTP/") == len(version) && isHTTP(version) {
		return version
	}
	return onScratch(&v.scratch, func(dst []byte) []byte { return append(append(dst, "HTTP/"...), number...) })
}
