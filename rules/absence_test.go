package rules

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testsize"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/coverage"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

// requests are attacks and clean requests with all that was sent.
func requests() (all []*accesslog.Request) {
	for _, a := range accesslog.Attacks() {
		all = append(all, a.Request)
	}
	for i := range uint64(120) {
		c := corpus.Clean(i)
		all = append(all, accesslog.FromHead(c.RequestHead, c.RequestBody, c.Status))
	}
	return all
}

func whole(r *accesslog.Request) *model.Transaction {
	t := &model.Transaction{
		ClientIP: "192.0.2.1", ServerIP: "192.0.2.2", Method: r.Method, URI: r.Target, Protocol: r.Protocol, ServerName: r.Header("Host"),
		RequestBody: r.Body, HasResponse: true, ResponseStatus: r.Status, ResponseProtocol: r.Protocol,
		ResponseHeaders: []model.Header{{Name: "Content-Type", Value: "text/html"}}, ResponseBody: "<p>ok</p>",
	}
	for _, h := range r.Headers {
		t.RequestHeaders = append(t.RequestHeaders, model.Header{Name: h.Name, Value: h.Value})
	}
	return t
}

// remove takes parts out of a transaction, as a source does that does not log them.
func remove(t *model.Transaction, parts model.Parts) {
	t.Unknown = parts
	if parts&model.PartProtocol != 0 {
		t.Protocol = "HTTP/1.1"
	}
	path, query, hasQuery := strings.Cut(t.URI, "?")
	if parts&model.PartTarget != 0 {
		path = "/"
	}
	if t.URI = path; hasQuery && parts&model.PartQuery == 0 {
		t.URI += "?" + query
	}
	if parts&model.PartHostName != 0 {
		t.ServerName = ""
	}
	t.RequestHeaders = slices.DeleteFunc(t.RequestHeaders, func(h model.Header) bool {
		if strings.EqualFold(h.Name, "Content-Type") && t.RequestBody != "" {
			return false // it is made up from the looks of the body
		}
		return parts&coverage.PartOfHeader(h.Name) != 0
	})
	if parts&model.PartBody != 0 {
		t.RequestBody = ""
	}
	if parts&model.PartStatus != 0 {
		t.HasResponse, t.ResponseStatus, t.ResponseHeaders, t.ResponseBody = false, 0, nil, ""
	}
}

// TestWhatIsNotLoggedAddsNoMatch takes parts out of transactions: no rule may match then that does not match the whole one.
func TestWhatIsNotLoggedAddsNoMatch(t *testing.T) {
	set := open(t, setting.Map{"blocking_paranoia": "4"})
	random := rand.New(rand.NewPCG(1, 2))
	profiles := make([]model.Parts, testsize.Of(12, 40))
	for i := range profiles {
		for _, part := range []model.Parts{model.PartProtocol, model.PartHost | model.PartHostName, model.PartUserAgent, model.PartReferer, model.PartCookie, model.PartOtherHeaders,
			model.PartAccept, model.PartContentType, model.PartContentLength, model.PartTransferEncoding, model.PartTarget | model.PartEscapes, model.PartQuery,
			model.PartBody | model.PartBodyEnd, model.PartStatus | model.PartResponseHeader | model.PartResponseBody | model.PartResponseEnd} {
			if random.IntN(2) == 0 {
				profiles[i] |= part
			}
		}
	}
	lost := 0
	for i, r := range requests() {
		all, err := set.Inspect(whole(r))
		require.NoError(t, err)
		partial := whole(r)
		remove(partial, profiles[i%len(profiles)])
		some, err := set.Inspect(partial)
		require.NoError(t, err)
		require.Subset(t, append(ids(all), 0), append(ids(some), 0), "%s %s without %s", r.Method, r.Target, partial.Unknown)
		lost += len(ids(all)) - len(ids(some))
	}
	require.Positive(t, lost)
}
