package accesslog

import (
	"strings"
)

const timeCLF = "02/Jan/2006:15:04:05 -0700"

// common reads host, logname, user, time, request, status and size; referer and user agent, when they are there; and before all
// that the name of a virtual host, as Apache's vhost_combined has it. What servers add behind is not read, but for the forwarding
// list of nginx's format main.
//
// The first quote behind a time in brackets starts the request: Apache and nginx write quotes in the name of a user with an escape.
func (w *writer) common(line string) bool {
	client, t, found := cutTime(line)
	if !found || !w.client(client) {
		return w.reset()
	}
	w.add("time", t.time)
	request, open, ok := t.text()
	switch {
	case !ok:
		return w.reset()
	case open:
		return w.cutRequest(request, "method", "target") || w.reset()
	}
	w.add("request_line", request)
	if isStartOf(t.rest, isStatus, isSize) {
		w.cut = true
		return true
	}
	status, _ := t.next()
	size, _ := t.next()
	if !isStatus(status) || !isSize(size) {
		return w.reset()
	}
	w.add("status", status)
	w.add("bytes", size)
	if t.rest != "" {
		w.headers(&t.tokens)
	}
	return true
}

// timed are the tokens behind a time.
type timed struct {
	time string
	tokens
}

// cutTime splits a line before and behind the first time in brackets that a quote follows.
func cutTime(line string) (before string, behind timed, found bool) {
	const size = len("[" + timeCLF + `] "`)
	for at := 0; ; {
		end := strings.Index(line[at:], `] "`)
		if end < 0 {
			return "", behind, false
		}
		end += at
		if start := end + len(`] "`) - size; start > 0 && line[start] == '[' && line[start-1] == ' ' && isTime(timeCLF, line[start+1:end]) {
			return line[:start-1], timed{line[start+1 : end], tokens{line[end+2:]}}, true
		}
		at = end + 1
	}
}

// client reads what stands before the time: a virtual host or none, client, logname and user. The name of a user may have spaces.
func (w *writer) client(text string) bool {
	first, rest, _ := strings.Cut(text, " ")
	if !isAddress(first) {
		second, behind, _ := strings.Cut(rest, " ")
		if isAddress(second) || strings.Count(behind, " ") == 1 {
			w.virtualHost(first)
			first, rest = second, behind
		}
	}
	logname, user, _ := strings.Cut(rest, " ")
	if first == "" || logname == "" || user == "" || !isAddress(first) && strings.Contains(user, " ") {
		return false
	}
	w.add("remote_host", first)
	w.add("remote_logname", logname)
	w.add("remote_user", user)
	return true
}

func (w *writer) virtualHost(name string) {
	if host, port, ok := splitPort(name); ok {
		w.add("virtual_host", host)
		w.add("server_port", port)
		return
	}
	w.add("virtual_host", name)
}

// headers reads referer and user agent, and checks the rest. What is malformed was logged and cannot be read.
func (w *writer) headers(t *tokens) {
	referer, open, ok := t.text()
	if w.cut = !ok || open; !ok {
		return
	}
	agent, open, ok := t.text() // of a referer that does not end, there is nothing left
	w.cut = w.cut || !ok || open
	if referer != "" || agent != "" || !ok { // HAProxy's imitation of the format has two empty texts for what it does not log
		w.add("referer", referer)
		if ok {
			w.add("user_agent", agent)
		}
	}
	w.behind(t)
}

// behind passes over what servers add.
func (w *writer) behind(t *tokens) {
	for first := true; t.rest != ""; first = false {
		t.rest = strings.TrimLeft(t.rest, " ")
		extra, ok := t.next()
		if !ok {
			w.cut = w.cut || t.rest != ""
			return
		}
		if first && isForwarding(extra) {
			w.add("x_forwarded_for", extra[1:len(extra)-1])
		}
	}
}

// isForwarding reports whether a token is a list of addresses in quotes.
func isForwarding(token string) bool {
	if len(token) < 3 || token[0] != '"' {
		return false
	}
	for one := range strings.SplitSeq(token[1:len(token)-1], ",") {
		if one = strings.TrimSpace(one); !isAddress(one) && !isEndpoint(one) {
			return false
		}
	}
	return true
}

// cutRequest adds method and target of a request line that does not end. It reports false when not even the method is whole.
func (w *writer) cutRequest(request, methodKey, targetKey string) bool {
	method, target, found := strings.Cut(request, " ")
	if !found || !IsToken(method) {
		return false
	}
	target, _, _ = strings.Cut(target, " ")
	w.add(methodKey, method)
	w.add(targetKey, target)
	w.cut = true
	return true
}

// isStartOf reports whether a text ends before it has two tokens, and could have gone on with them.
func isStartOf(rest string, first, second func(string) bool) bool {
	one, two, has := strings.Cut(rest, " ")
	if !has {
		return one == "" || first(one) || len(one) < 3 && isNumber(one)
	}
	return two == "" && first(one) && second("-")
}
