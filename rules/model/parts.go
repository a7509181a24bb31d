package model

import "strings"

// Parts is a set of parts of a transaction. Sources log different ones; what a source does not log is unknown, which is not
// the same as empty.
type Parts uint32

// The parts that sources log or omit.
const (
	PartRequest          Parts = 1 << iota // method and request target; a record without them is no HTTP transaction
	PartTarget                             // path of the request target
	PartQuery                              // query of the request target
	PartEscapes                            // the request target with its escapes, as it was sent
	PartProtocol                           // HTTP version of the request
	PartHost                               // Host header as sent
	PartHostName                           // name of the host asked for
	PartUserAgent                          // User-Agent header
	PartReferer                            // Referer header
	PartCookie                             // Cookie header
	PartAccept                             // Accept header
	PartContentType                        // Content-Type header of the request
	PartContentLength                      // Content-Length header of the request
	PartTransferEncoding                   // Transfer-Encoding header of the request
	PartOtherHeaders                       // all other request headers
	PartBody                               // request body
	PartBodyEnd                            // end of the request body
	PartClient                             // address of the client
	PartServer                             // address of the server
	PartStatus                             // response status
	PartResponseHeader                     // response headers
	PartResponseBody                       // response body
	PartResponseEnd                        // end of the response body
	partsEnd
)

// PartArguments stands for values that a source logs apart from the request; they are never unknown.
const PartArguments = partsEnd

// PartRequestHeaders are all request headers.
const PartRequestHeaders = PartHost | PartUserAgent | PartReferer | PartCookie | PartUnnamedHeaders

// PartUnnamedHeaders are the request headers that logs have no common name for.
const PartUnnamedHeaders = PartAccept | PartContentType | PartContentLength | PartTransferEncoding | PartOtherHeaders

// AllParts is a transaction of which everything is logged.
const AllParts = partsEnd - 1

var partNames = []string{"method and request target", "path", "query", "escapes of the request target", "HTTP version", "Host header as sent", "name of the host",
	"User-Agent header", "Referer header", "Cookie header", "Accept header", "Content-Type header", "Content-Length header",
	"Transfer-Encoding header", "other request headers", "request body", "end of the request body", "client address",
	"server address", "response status", "response headers", "response body", "end of the response body"}

// String lists the parts. What belongs together is one when all of it is there.
func (p Parts) String() string {
	if p&PartRequest != 0 {
		p &^= PartTarget | PartQuery
	}
	if p&PartUnnamedHeaders == PartUnnamedHeaders {
		p = p&^PartUnnamedHeaders | PartOtherHeaders
	}
	var names []string
	for i, name := range partNames {
		if p&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// WithEnds adds the ends of the bodies that the parts have.
func (p Parts) WithEnds() Parts {
	if p&PartBody != 0 {
		p |= PartBodyEnd
	}
	if p&PartResponseBody != 0 {
		p |= PartResponseEnd
	}
	return p
}
