package auth

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/server"
)

// endpoint answers what callers ask.
type endpoint struct {
	*server.Server

	engine *inline.Engine
	counts counts
	grpc   http.Handler
}

// The headers of answers.
const (
	inspectedHeader = "X-Waf-Inspected" // the parts of the request that were inspected
	alertHeader     = "X-Waf-Alert"     // the id of the alert about a blocked request
)

// ServeHTTP answers one caller.
func (a *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	grpc := r.URL.Path == checkMethod
	caller, rest := under(r.RequestURI)
	switch {
	case !a.engine.Trusts(addressOf(r.RemoteAddr).Addr()):
		a.refuse(w, r, caller, refuse(untrusted, "%s is not in trusted_proxies", r.RemoteAddr))
	case grpc:
		a.counts.asked[grpcCaller].Add(1)
		a.serveBounded(w, r)
	case caller == nil:
		a.refuse(w, r, nil, refuse(unknownPath, "nobody asks at this path (want /%s)", strings.Join(callerNames(), ", /")))
	default:
		a.counts.asked[caller.name].Add(1)
		a.serveHTTP(w, r, caller, rest)
	}
}

func callerNames() (names []string) {
	for _, c := range callers {
		names = append(names, c.name)
	}
	return names
}

// serveHTTP answers a caller that asks over HTTP.
func (a *endpoint) serveHTTP(w http.ResponseWriter, r *http.Request, c *caller, rest string) {
	length := r.ContentLength
	d, refused := c.read(a, r, rest)
	if refused == nil {
		refused = d.check()
	}
	if refused != nil {
		a.refuse(w, r, c, refused)
		return
	}
	if d.seen = length != 0 && a.RequestBodies; d.seen {
		b, ok := a.Receive(w, r, int64(a.engine.RequestLimit))
		if !ok {
			return
		}
		defer b.Close()
		d.body, d.cut = b.Bytes(), d.cut || b.Cut
		if b.Cut {
			d.length = length
		}
	}
	decision := a.evaluate(r.Context(), d)
	a.answer(w, r, c, &decision)
}

// evaluate decides about a described request, and delivers its alert.
func (a *endpoint) evaluate(ctx context.Context, d *description) inline.Decision {
	return a.engine.Evaluate(ctx, d.request())
}

// answer gives a decision to a caller.
func (a *endpoint) answer(w http.ResponseWriter, r *http.Request, c *caller, decision *inline.Decision) {
	w.Header().Set(inspectedHeader, inspected(decision))
	if decision.Block && decision.Alert != "" {
		w.Header().Set(alertHeader, decision.Alert)
	}
	switch {
	case c.name == "crowdsec":
		answerBouncer(w, decision.Block, decision.Status)
	case decision.Block:
		page := server.Page{Status: decision.Status, ID: decision.Alert}
		page.Write(w, r)
	default:
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
	}
}

// inspected returns what an answer claims of a decision, as a list of parts (RFC 8941). Those of which something was not seen are partial.
func inspected(d *inline.Decision) string {
	if len(d.Inspected) == 0 {
		return "none"
	}
	parts := slices.Clone(d.Inspected)
	for i, part := range parts {
		if slices.ContainsFunc(d.Partial, func(of string) bool { return concerns(of, part) }) {
			parts[i] = part + ";partial"
		}
	}
	return strings.Join(parts, ", ")
}

// concerns reports whether what rules have not seen may be in a part of the request.
func concerns(unseen, part string) bool {
	switch unseen {
	case "rules":
		return true
	case "arguments":
		return part == "uri" || part == "body"
	}
	return unseen == part
}

// answerBouncer answers as CrowdSec AppSec does. A bouncer has the status for its client from the text.
func answerBouncer(w http.ResponseWriter, block bool, status int) {
	answer := struct {
		Action string `json:"action"`
		Status int    `json:"http_status"`
	}{"allow", http.StatusOK}
	code := http.StatusOK
	if block {
		answer.Action, answer.Status, code = "ban", status, http.StatusForbidden
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(answer) //nolint:errcheck // the caller may be gone
}

// refuse answers a caller whose description is not believed. No request passes because of such an answer.
func (a *endpoint) refuse(w http.ResponseWriter, r *http.Request, c *caller, why *refusal) {
	a.Refused(why.why)
	a.Log.Printf("refused to answer %s: %s", r.RemoteAddr, why.text)
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close") // there may be a body
	}
	w.Header().Set(inspectedHeader, "none")
	status := statusOf(why.why)
	if c != nil && c.name == "crowdsec" && why.why != untrusted {
		answerBouncer(w, true, status) // bouncers take other statuses for failures, and may let the request pass
		return
	}
	if c != nil && c.name == "crowdsec" {
		status = http.StatusUnauthorized
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, why.text+"\n") //nolint:errcheck // the caller may be gone
}

func statusOf(why server.Rejection) int {
	switch why {
	case untrusted:
		return http.StatusForbidden
	case unknownPath:
		return http.StatusNotFound
	}
	return http.StatusBadRequest
}
