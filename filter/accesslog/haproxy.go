package accesslog

import "strings"

const timeHAProxy = "[02/Jan/2006:15:04:05.000]"

// haproxy reads a line of HAProxy's HTTP log: client, time, frontend, backend and server, timers, status, bytes, captured
// cookies, termination state, connections, queues, captured headers, request. What the format for HTTPS adds behind is checked only.
func (w *writer) haproxy(line string) bool {
	t := tokens{line}
	client, _ := t.next()
	if !isEndpoint(client) && !strings.HasPrefix(client, "unix:") {
		return false
	}
	ip, port, _ := splitPort(client)
	w.add("client_ip", ip)
	w.add("client_port", port)
	return (w.haproxyNames(&t) && w.haproxyNumbers(&t) && w.captures(&t) && w.haproxyRequest(&t)) || w.reset()
}

func (w *writer) haproxyNames(t *tokens) bool {
	date, ok := t.next()
	if !ok || !isTime(timeHAProxy, date) {
		return false
	}
	w.add("accept_date", date[1:len(date)-1])
	frontend, ok := t.next()
	w.add("frontend_name", frontend)
	if !ok {
		return false
	}
	place, _ := t.next()
	backend, server, ok := strings.Cut(place, "/")
	w.add("backend_name", backend)
	w.add("server_name", server)
	return ok && backend != "" && server != ""
}

func (w *writer) haproxyNumbers(t *tokens) bool {
	timers, _ := t.next()
	status, _ := t.next()
	bytes, _ := t.next()
	if !areNumbers(timers, 5) || !isDecimal(status) || !isDecimal(bytes) {
		return false
	}
	w.add("http_status_code", status)
	w.add("bytes_read", bytes)
	anything := func(string) bool { return true }
	state := func(s string) bool { return len(s) == 4 || len(s) == 2 }
	return t.all(anything, anything, state, numbers(5), numbers(2))
}

func numbers(n int) func(string) bool { return func(s string) bool { return areNumbers(s, n) } }

// areNumbers reports whether a text is as many numbers with slashes between them.
func areNumbers(s string, n int) bool {
	for one := range strings.SplitSeq(s, "/") {
		if n--; !isDecimal(one) {
			return false
		}
	}
	return n == 0
}

// captures reads up to two texts in braces: headers of the request, and of the response. Of one alone the log does not show whose
// headers these are; it is taken for the request's, which more installations capture.
func (w *writer) captures(t *tokens) bool {
	for _, key := range []string{"captured_request_headers", "captured_response_headers"} {
		if !strings.HasPrefix(t.rest, "{") {
			return true
		}
		end := strings.Index(t.rest, "} ")
		if end < 0 {
			return false
		}
		w.add(key, t.rest[:end+1])
		t.rest = t.rest[end+2:]
	}
	return true
}

func (w *writer) haproxyRequest(t *tokens) bool {
	if !strings.HasPrefix(t.rest, `"`) {
		return false
	}
	request, rest, closed := strings.Cut(t.rest[1:], `"`) // quotes inside are #22
	if !closed {
		return w.cutRequest(request, "http_verb", "http_request")
	}
	if rest != "" && rest[0] != ' ' {
		return false
	}
	method, target, _ := strings.Cut(request, " ")
	w.add("http_verb", method)
	if at := strings.LastIndexByte(target, ' '); at >= 0 {
		w.add("http_request", target[:at])
		w.add("http_version", target[at+1:])
	} else {
		w.add("http_request", target)
	}
	return true
}
