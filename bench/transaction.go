package main

import (
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

type header struct{ name, value string }

// transaction is a record as an engine in the request path gets it: parsed, which costs the engines in this comparison nothing.
type transaction struct {
	corpus.Record
	requestHeaders, responseHeaders []header
}

func transactions(records []corpus.Record) []transaction {
	list := make([]transaction, len(records))
	for i, r := range records {
		list[i] = transaction{r, headers(r.RequestHead), headers(r.ResponseHead)}
	}
	return list
}

func headers(head string) (list []header) {
	lines := strings.Split(strings.TrimSuffix(head, "\r\n\r\n"), "\r\n")
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		list = append(list, header{name, value})
	}
	return list
}
