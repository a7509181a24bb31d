package fieldmap

import (
	"fmt"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/accesslog"
)

// reading says how a value becomes what a target wants.
type reading uint8

const (
	asField           reading = iota // the text of a field
	asAddress                        // "ip:port", the fields of an address and of its port
	asRequestLine                    // "METHOD target VERSION"
	asURL                            // an absolute URL: host and request target
	asHeader                         // one header with the target's name
	asHeaders                        // many headers
	asResponseHeader                 //
	asResponseHeaders                //
	asArgument                       // one argument with the target's name
	asArguments                      // many arguments
)

// target is what a field map can fill.
type target struct {
	reading reading
	field   Field
	help    string
}

// targets are all targets without a name of their own, by the name that maps use.
var targets = map[string]target{
	"application":    {asField, Protocol7, "application protocol; only http records are transactions"},
	"time":           {asField, Time, "start of the transaction"},
	"date":           {asField, date, "date, if time has only the time of day"},
	"client.ip":      {asField, ClientIP, "client address"},
	"client.port":    {asField, ClientPort, "client port"},
	"client.address": {asAddress, ClientIP, "client address and port, ip:port"},
	"server.ip":      {asField, ServerIP, "server address"},
	"server.port":    {asField, ServerPort, "server port"},
	"server.address": {asAddress, ServerIP, "server address and port, ip:port"},
	"forwarded":      {asField, Forward, "client address reported by a proxy"},
	"request_line":   {asRequestLine, 0, "method, request target and HTTP version, separated by spaces"},
	"method":         {asField, Method, "request method"},
	"uri":            {asField, URI, "request target with its query, as sent"},
	"path":           {asField, path, "request target before the question mark"},
	"query":          {asField, query, "request target after the question mark"},
	"url":            {asURL, URI, "absolute URL"},
	"protocol":       {asField, Version, "HTTP version"},
	"host":           {asField, Host, "Host header as sent"},
	"server_name":    {asField, ServerName, "requested host, if the Host header is not logged as sent"},
	"user_agent":     {asField, UserAgent, "User-Agent header"},
	"referer":        {asField, Referer, "Referer header"},
	"cookie":         {asField, Cookie, "Cookie header"},
	"status":         {asField, Status, "response status"},
	"request_head":   {asField, RequestHead, "request line and header lines as sent"},
	"request_body":   {asField, RequestBody, "request body"},
	"response_head":  {asField, ResponseHead, "status line and header lines as sent"},
	"response_body":  {asField, ResponseBody, "response body"},
	"sensor":         {asField, Sensor, "host that created the record, for alerts"},
	"message":        {asField, Message, "operator's label, for alerts"},
	"source":         {asField, Source, "source's label, for alerts"},
	"action":         {asField, Action, "what the source did with the request (block, deny, drop, allow, …), for the outcome of alerts"},
	"geo":            {asField, Geo, "geographic origin, for alerts"},
}

// named are the targets whose name goes on with one of the user's choice, or with * for all.
var named = []struct {
	prefix    string
	one, many reading
	help      string
}{
	{"header.", asHeader, asHeaders, "request header NAME; * takes a list, a map, or all keys with a prefix"},
	{"response_header.", asResponseHeader, asResponseHeaders, "response header NAME, or *"},
	{"args.", asArgument, asArguments, "ARGS:NAME in rules, also for logs that are not HTTP; or *"},
}

// targetNames lists the targets in the order in which messages name them.
const targetNames = "request_line, method, uri, path, query, url, protocol, host, server_name, user_agent, referer, cookie, " +
	"header.NAME, header.*, request_head, request_body, status, response_header.NAME, response_header.*, response_head, " +
	"response_body, client.ip, client.port, client.address, server.ip, server.port, server.address, forwarded, args.NAME, args.*, " +
	"application, time, date, action, sensor, message, source or geo"

// targetNamed returns the target with a name, and the name of its header or argument.
func targetNamed(name string) (t target, own string, err error) {
	if t, found := targets[name]; found {
		return t, "", nil
	}
	for _, n := range named {
		rest, found := strings.CutPrefix(name, n.prefix)
		switch {
		case !found:
		case rest == "*":
			return target{reading: n.many}, "", nil
		case rest == "" || n.one != asArgument && !accesslog.IsToken(rest):
			return t, "", fmt.Errorf("malformed target %q (want %sNAME or %s*)", name, n.prefix, n.prefix)
		default:
			return target{reading: n.one}, rest, nil
		}
	}
	return t, "", fmt.Errorf("unknown target %q (want %s)", name, targetNames)
}

// Target is what a field map can fill, for people.
type Target struct{ Name, Help string }

// Targets returns all targets in the order in which messages name them.
func Targets() (all []Target) {
	for name := range strings.FieldsFuncSeq(targetNames, func(c rune) bool { return c == ',' || c == ' ' }) {
		if t, known := targets[name]; known {
			all = append(all, Target{name, t.help})
		}
		for _, n := range named {
			if name == n.prefix+"NAME" {
				all = append(all, Target{name, n.help})
			}
		}
	}
	return all
}
