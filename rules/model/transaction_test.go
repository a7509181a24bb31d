package model

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPartsThatAreNotThereMisleadNoRule(t *testing.T) {
	const unknown = PartHost | PartStatus | PartResponseHeader | PartResponseBody | PartResponseEnd | PartBodyEnd
	for name, c := range map[string]struct {
		transaction Transaction
		want        Parts
	}{
		"request without body":   {Transaction{}, PartHost},
		"body":                   {Transaction{RequestBody: "a"}, PartHost | PartBodyEnd},
		"body that was cut off":  {Transaction{RequestCut: true}, PartHost | PartBodyEnd},
		"response":               {Transaction{HasResponse: true}, unknown &^ PartBodyEnd},
		"record that is no HTTP": {Transaction{Unknown: PartRequest}, unknown | PartRequest},
	} {
		c.transaction.Unknown |= unknown
		require.Equal(t, c.want, c.transaction.MisleadingParts(), name)
	}
}

func TestResetKeepsNothingButMemory(t *testing.T) {
	tx := Transaction{
		Method: "POST", RequestBody: "a", HasResponse: true, Unknown: PartHost, Partial: PartialBody, RequestCut: true,
		Arguments: []Header{{"a", "b"}}, RequestHeaders: make([]Header, 3, 8), ResponseHeaders: []Header{{"c", "d"}},
	}
	tx.Reset()
	require.Equal(t, 8, cap(tx.RequestHeaders))
	require.Empty(t, append(append(tx.Arguments, tx.RequestHeaders...), tx.ResponseHeaders...))
	tx.Arguments, tx.RequestHeaders, tx.ResponseHeaders = nil, nil, nil
	require.Equal(t, Transaction{}, tx)
}

func TestHeaderIsTheFirstOfItsNameInAnyCase(t *testing.T) {
	tx := Transaction{RequestHeaders: []Header{{"X-One", "1"}, {"x-one", "2"}, {"\u212aey", "kelvin"}}}
	value, found := tx.Header("x-ONE")
	require.Equal(t, "1", value)
	require.True(t, found)
	_, found = tx.Header("key")
	require.False(t, found, "letters beyond ASCII are not folded")
}

func TestContentTypeIsTheLastOneAsInCoraza(t *testing.T) {
	require.Equal(t, "text/xml", ContentType([]Header{{"Content-Type", "text/html"}, {"CONTENT-TYPE", "text/xml"}, {"Accept", "*/*"}}))
	require.Empty(t, ContentType([]Header{{"Content-Typ", "text/html"}}))
}

func TestBodiesOfMediaHaveNoText(t *testing.T) {
	for mediaType, want := range map[string]bool{
		"": true, "text/html": true, "application/octet-stream": true, "imagery/x": true, "image/png": false, " Video /mp4": false, "AUDIO/ogg; a=b": false, "font/woff2": false,
	} {
		require.Equal(t, want, HasText(mediaType), mediaType)
	}
}

func TestPartsAreNamedTogether(t *testing.T) {
	for parts, want := range map[Parts]string{
		0:                                  "",
		PartTarget | PartQuery:             "path, query",
		PartRequest | PartTarget:           "method and request target",
		PartAccept | PartOtherHeaders:      "Accept header, other request headers",
		PartHost | PartUnnamedHeaders:      "Host header as sent, other request headers",
		PartResponseBody | PartResponseEnd: "response body, end of the response body",
	} {
		require.Equal(t, want, parts.String())
	}
	require.Equal(t, PartBody|PartBodyEnd, PartBody.WithEnds())
	require.Equal(t, PartResponseBody|PartResponseEnd|PartHost, (PartResponseBody | PartHost).WithEnds())
	require.Len(t, partNames, len(bits(AllParts)), "every part has a name")
	require.Zero(t, AllParts&PartArguments)
}

// bits returns the parts of a set one by one.
func bits(set Parts) (all []Parts) {
	for bit := Parts(1); bit <= set; bit <<= 1 {
		if set&bit != 0 {
			all = append(all, bit)
		}
	}
	return all
}
