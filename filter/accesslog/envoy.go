package accesslog

import "strings"

const timeEnvoy = "[2006-01-02T15:04:05.000Z]"

// envoy reads a line of Envoy's default text format, or of Istio's: time, request, status and flags; with Istio details, termination
// and reason; sizes and durations; then in quotes forwarding list, user agent, request id, authority and upstream; with Istio
// cluster, addresses, server name and route.
//
// Envoy writes header values as they came, quotes included. So the texts in quotes are split at both ends, and what a client
// may have written itself stays in the user agent in one piece.
func (w *writer) envoy(line string) bool {
	if !strings.HasPrefix(line, "[") {
		return false
	}
	t := tokens{line}
	date, ok := t.next()
	if !ok || !isTime(timeEnvoy, date) || !strings.HasPrefix(t.rest, `"`) {
		return false
	}
	w.add("start_time", date[1:len(date)-1])
	request := t.rest[1:]
	end := endOfRequest(request)
	if end < 0 {
		return w.cutRequest(request, "method", "path") || w.reset()
	}
	method, target, _ := strings.Cut(request[:end], " ")
	at := strings.LastIndexByte(target, ' ')
	w.add("method", method)
	w.add("path", target[:at])
	w.add("protocol", target[at+1:])
	t.rest = strings.TrimPrefix(request[end+1:], " ")
	anything := func(string) bool { return true }
	if isStartOf(t.rest, isNumber, anything) {
		w.cut = true
		return true
	}
	status, _ := t.next()
	if !isNumber(status) || len(status) > 3 { // 0 where there was no response
		return w.reset()
	}
	w.add("response_code", status)
	flags, _ := t.next()
	w.add("response_flags", flags)
	w.cut = !(t.skipsCounts() && w.envoyTexts(t.rest))
	return true
}

// endOfRequest returns the place of the quote behind a request line, -1 when there is none. A target may have quotes.
func endOfRequest(request string) int {
	for at := 0; ; at++ {
		next := strings.IndexByte(request[at:], '"')
		if next < 0 {
			return -1
		}
		at += next
		if protocol := strings.LastIndexByte(request[:at], ' ') + 1; strings.Count(request[:at], " ") >= 2 &&
			(strings.HasPrefix(request[protocol:at], "HTTP/") || request[protocol:at] == "-") && strings.HasPrefix(request[at+1:], " ") {
			return at
		}
		if at+1 == len(request) && strings.Contains(request[:at], " HTTP/") {
			return at
		}
	}
}

// skipsCounts passes over sizes and durations, and over what Istio has before these. It reports false when they are not there.
func (t *tokens) skipsCounts() bool {
	plain := *t
	if plain.all(isSize, isSize, isSize, isSize) {
		*t = plain
		return true
	}
	anything := func(string) bool { return true }
	return t.all(anything, anything, anything, isSize, isSize, isSize, isSize)
}

// envoyTexts reads the texts in quotes and the addresses behind them.
func (w *writer) envoyTexts(rest string) bool {
	end := strings.LastIndexByte(rest, '"')
	if !strings.HasPrefix(rest, `"`) || end <= 0 {
		return false
	}
	texts := rest[1:end]
	var last [3]string // upstream, authority, request id
	for i := range last {
		at := strings.LastIndex(texts, `" "`)
		if at < 0 {
			return false
		}
		texts, last[i] = texts[:at], texts[at+len(`" "`):]
	}
	forwarded, agent, both := strings.Cut(texts, `" "`)
	if !both {
		return false
	}
	w.add("x_forwarded_for", forwarded)
	w.add("user_agent", agent)
	w.add("authority", last[1])
	rest = strings.TrimPrefix(rest[end+1:], " ")
	for _, key := range [...]string{"", "", "downstream_local_address", "downstream_remote_address"} {
		var text string
		if text, rest, _ = strings.Cut(rest, " "); key != "" && isEndpoint(text) {
			w.add(key, text)
		}
	}
	return true
}
