package pipeline

import (
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// clientHeaders are what request headers show of a client.
type clientHeaders struct {
	agent, authorization string
	cookies              string
	traces               [5]string // in the order of preference
	shape                uint64    // hash of the order of the headers that a client sends with every request, 0 when these are few
}

// headerKind is what a request header is to incident detection. From traceHeader on, they are those of traces.
type headerKind uint8

const (
	ordinaryHeader headerKind = iota
	changingHeader            // not in every request of a client, or not in every reading of it
	agentHeader
	authorizationHeader
	cookieHeader
	traceHeader
)

// headerKinds has the kinds by the length of names, which decides most of them.
var headerKinds = func() (all [24][]struct {
	name string
	kind headerKind
}) {
	for name, kind := range map[string]headerKind{
		"Content-Length": changingHeader, "Content-Type": changingHeader, "Referer": changingHeader, "X-Forwarded-For": changingHeader,
		"Transfer-Encoding": changingHeader,
		"User-Agent":        agentHeader, "Authorization": authorizationHeader, "Cookie": cookieHeader,
		"traceparent": traceHeader, "X-Request-Id": traceHeader + 1, "X-B3-TraceId": traceHeader + 2, "X-Correlation-Id": traceHeader + 3, "X-Amzn-Trace-Id": traceHeader + 4,
	} {
		all[len(name)] = append(all[len(name)], struct {
			name string
			kind headerKind
		}{name, kind})
	}
	return all
}()

func kindOf(name string) headerKind {
	if len(name) < len(headerKinds) {
		for _, known := range headerKinds[len(name)] {
			if strings.EqualFold(known.name, name) {
				return known.kind
			}
		}
	}
	return ordinaryHeader
}

// fewHeaders is how many headers show nothing of a client: those that logs have of all.
const fewHeaders = 3

// readHeaders reads request headers in one pass. Of several with a name the first counts.
func readHeaders(headers []rules.Header) (c clientHeaders) {
	var shape xxhash.Digest
	shape.Reset()
	n := 0
	for i := range headers {
		kind, value := kindOf(headers[i].Name), headers[i].Value
		switch {
		case kind == agentHeader && c.agent == "":
			c.agent = value
		case kind == authorizationHeader && c.authorization == "":
			c.authorization = value
		case kind == cookieHeader && c.cookies == "":
			c.cookies = value
		case kind >= traceHeader && c.traces[kind-traceHeader] == "":
			c.traces[kind-traceHeader] = value
		}
		if kind != changingHeader && kind != cookieHeader {
			_, _ = shape.WriteString(headers[i].Name) // it never fails
			_, _ = shape.WriteString("\n")
			n++
		}
	}
	if n > fewHeaders {
		c.shape = shape.Sum64() | 1
	}
	return c
}

// trace returns the id that a request keeps on its way through services, otherwise "".
func (c *clientHeaders) trace() string {
	if _, rest, is := strings.Cut(c.traces[0], "-"); is { // version, id, parent and flags
		if id, _, is := strings.Cut(rest, "-"); is {
			return id
		}
	}
	for _, id := range c.traces[1:] {
		if id != "" {
			return id
		}
	}
	return ""
}
