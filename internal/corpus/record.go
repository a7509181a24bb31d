// Package corpus makes clean HTTP transactions: what a probe between the services of a company sees on a day without
// an attack. Tests count false alerts over them, benchmarks use them as load, and equality tests as input. A number
// makes a transaction, the same one in every run.
package corpus

import (
	"fmt"
	"strings"
)

// Settings are the properties that the operator of the corpus's site sets: its REST services and its Kubernetes use methods
// and media types that CRS takes for violations unless it is told, and the text of GraphQL queries looks like code.
var Settings = map[string]string{
	"allowed_methods": "GET HEAD POST OPTIONS PUT PATCH DELETE",
	"allowed_request_content_type": "application/x-www-form-urlencoded multipart/form-data application/json application/octet-stream " +
		"application/merge-patch+json application/strategic-merge-patch+json",
	"directives": "SecRuleUpdateTargetById 942290 \"!ARGS:json.query\"\nSecRuleUpdateTargetById 932235 \"!ARGS:json.query\"",
}

// Kinds are the sorts of traffic in the corpus.
var Kinds = []string{"shop", "rest", "graphql", "health", "upload", "metrics", "kubernetes", "platform"}

// shares are the kinds' parts of a hundred records.
var shares = []struct {
	kind string
	part int
	make func(*dice) *exchange
}{
	{"shop", 28, shop},
	{"rest", 24, rest},
	{"graphql", 8, graphQL},
	{"health", 8, health},
	{"upload", 6, upload},
	{"metrics", 5, metrics},
	{"kubernetes", 15, kubernetes},
	{"platform", 6, platform},
}

// Record is one HTTP transaction as a probe logs it.
type Record struct {
	Kind   string // one of Kinds
	Begin  string // YYYY-MM-DD hh:mm:ss.mmm
	Method string
	Target string // request target as sent
	Host   string // Host header as sent
	Agent  string // User-Agent, "" when none was sent
	Status int

	Referer, Cookie  string // "" when not sent
	SrcIP, DstIP     string
	SrcPort, DstPort int

	RequestHead  string // start line, header lines and the blank line, with CRLF
	RequestBody  string
	ResponseHead string
	ResponseBody string
}

// Clean returns record number i of the corpus. Equal numbers give equal records; other numbers give records that differ in
// paths, ids, arguments, tokens, agents, addresses and bodies.
func Clean(i uint64) Record {
	d := &dice{state: i*0xd1342543de82ef95 + 1}
	d.next()
	n := d.below(100)
	for _, share := range shares {
		if n -= share.part; n < 0 {
			return share.make(d).record(d, share.kind)
		}
	}
	panic("corpus: the shares of the kinds are less than a hundred")
}

// Again returns the same transaction as another probe record: with the time and the client port of its n-th repetition.
func (r Record) Again(n uint64) Record {
	ms := n * 137
	r.Begin = fmt.Sprintf("2024-06-%02d %02d:%02d:%02d.%03d", 1+ms/86400000%30, ms/3600000%24, ms/60000%60, ms/1000%60, ms%1000)
	r.SrcPort = 32768 + int(n*7919%28000)
	return r
}

// header is one header line.
type header struct{ name, value string }

// exchange is a request and its response before they are written as heads.
type exchange struct {
	method, target, host string
	headers              []header
	body                 string
	status               int
	answerType           string
	answerHeaders        []header
	answer               string
	port                 int  // of the server, 0 for 80
	internal             bool // the client is a service of the same network
}

func (e *exchange) add(name, value string) { e.headers = append(e.headers, header{name, value}) }

// send sets the request's body with its type and length.
func (e *exchange) send(mediaType, body string) {
	e.body = body
	e.add("Content-Type", mediaType)
	e.add("Content-Length", fmt.Sprint(len(body)))
}

// respond sets the response.
func (e *exchange) respond(status int, mediaType, body string) {
	e.status, e.answerType, e.answer = status, mediaType, body
}

var reasons = map[int]string{
	200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 206: "Partial Content", 301: "Moved Permanently", 302: "Found",
	304: "Not Modified", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 409: "Conflict", 422: "Unprocessable Content",
}

func (e *exchange) record(d *dice, kind string) Record {
	r := Record{
		Kind: kind, Method: e.method, Target: e.target, Host: e.host, Status: e.status, DstPort: 80,
		Begin:   fmt.Sprintf("2024-05-%02d %02d:%02d:%02d.%03d", d.between(1, 30), d.below(24), d.below(60), d.below(60), d.below(1000)),
		SrcIP:   fmt.Sprintf("203.0.113.%d", d.between(1, 254)),
		SrcPort: d.between(32768, 60999),
		DstIP:   fmt.Sprintf("10.%d.%d.%d", d.between(0, 9), d.below(256), d.between(1, 254)),

		RequestBody: e.body, ResponseBody: e.answer,
	}
	if e.port != 0 {
		r.DstPort = e.port
	}
	if e.internal {
		r.SrcIP = fmt.Sprintf("10.%d.%d.%d", d.between(0, 9), d.below(256), d.between(1, 254))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", e.method, e.target, e.host)
	for _, h := range e.headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.name, h.value)
		switch h.name {
		case "User-Agent":
			r.Agent = h.value
		case "Referer":
			r.Referer = h.value
		case "Cookie":
			r.Cookie = h.value
		}
	}
	b.WriteString("\r\n")
	r.RequestHead = b.String()
	r.ResponseHead = e.responseHead(d)
	return r
}

func (e *exchange) responseHead(d *dice) string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nDate: Thu, %02d May 2024 %02d:%02d:%02d GMT\r\n", e.status, reasons[e.status],
		d.between(1, 30), d.below(24), d.below(60), d.below(60))
	if e.answerType != "" {
		fmt.Fprintf(&b, "Content-Type: %s\r\n", e.answerType)
	}
	if e.answer != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(e.answer))
	}
	for _, h := range e.answerHeaders {
		fmt.Fprintf(&b, "%s: %s\r\n", h.name, h.value)
	}
	b.WriteString("\r\n")
	return b.String()
}
