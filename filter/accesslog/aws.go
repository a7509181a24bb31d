package accesslog

import (
	"slices"
	"strings"
	"time"
)

// awsFields are the fields of an application load balancer, as AWS names them. A classic one starts with the second.
var awsFields = strings.Fields("type time elb client:port target:port request_processing_time target_processing_time " +
	"response_processing_time elb_status_code target_status_code received_bytes sent_bytes request user_agent ssl_cipher ssl_protocol " +
	"target_group_arn trace_id domain_name chosen_cert_arn matched_rule_priority request_creation_time actions_executed redirect_url " +
	"error_reason target:port_list target_status_code_list classification classification_reason conn_trace_id")

var awsTypes = []string{"http", "https", "h2", "grpcs", "ws", "wss"}

// awsChecks says what fields have to be.
var awsChecks = map[string]func(string) bool{
	"time":                     inLayout(time.RFC3339),
	"client:port":              isEndpoint,
	"target:port":              orDash(isEndpoint),
	"request_processing_time":  isDecimal,
	"target_processing_time":   isDecimal,
	"response_processing_time": isDecimal,
	"elb_status_code":          orDash(isNumber),
	"target_status_code":       orDash(isNumber),
	"received_bytes":           isNumber,
	"sent_bytes":               isNumber,
}

func orDash(is func(string) bool) func(string) bool {
	return func(s string) bool { return s == "-" || is(s) }
}

// aws reads a line of a load balancer. AWS adds fields at the end from time to time.
func (w *writer) aws(line string) bool {
	names := awsFields
	t := tokens{line}
	if kind, _, _ := strings.Cut(line, " "); !slices.Contains(awsTypes, kind) {
		names = names[1:]
	}
	for i, name := range names {
		if name == "request" {
			return w.awsRequest(&t, names[i:]) || w.reset()
		}
		token, ok := t.next()
		if is := awsChecks[name]; !ok || is != nil && !is(token) {
			return w.reset()
		}
		w.add(name, token)
	}
	return w.reset()
}

// awsRequest reads the request, which has to be there, and what is there of the fields behind it.
func (w *writer) awsRequest(t *tokens, names []string) bool {
	request, open, ok := t.text()
	switch {
	case !ok:
		return false
	case open:
		return w.awsCut(request)
	}
	w.add("request", request)
	agent, open, ok := t.text()
	if w.cut = !ok || open; ok {
		w.add("user_agent", agent)
	}
	for _, name := range names[2:] {
		token, more := t.next()
		if !more {
			break
		}
		w.add(name, strings.Trim(token, `"`))
	}
	for t.rest != "" {
		if _, more := t.next(); !more {
			w.cut = true
			break
		}
	}
	return true
}

// awsCut takes what there is of the request: a version is added, so that the target is read as one.
func (w *writer) awsCut(request string) bool {
	method, target, found := strings.Cut(request, " ")
	if !found || !IsToken(method) {
		return false
	}
	target, _, _ = strings.Cut(target, " ")
	w.add("request", method+" "+target+" HTTP/1.1")
	w.cut = true
	return true
}
