package corpus

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"
)

const sampleSize = 5000

func TestRecordsAreTheSameInEveryRun(t *testing.T) {
	sum := sha256.New()
	for i := range uint64(200) {
		r := Clean(i)
		sum.Write(r.AppendEvent(nil, 0))
	}
	require.Equal(t, "35823873db21480c802c043c270da62166d05ccd9b016999c4e9cae28cc076b7", hex.EncodeToString(sum.Sum(nil)))
}

func TestRecordsAreVariedAndOfAllKinds(t *testing.T) {
	kinds := map[string]int{}
	seen := map[string]bool{}
	for i := range uint64(sampleSize) {
		r := Clean(i)
		kinds[r.Kind]++
		seen[r.Method+r.Target+r.RequestBody+r.Agent+r.Cookie+r.RequestHead] = true
	}
	require.Len(t, kinds, len(Kinds))
	for _, kind := range Kinds {
		require.Greater(t, kinds[kind], sampleSize/50, kind)
	}
	require.Greater(t, len(seen), sampleSize*95/100, "requests that differ")
}

func TestRequestsAndResponsesAreWhatANetServerWouldRead(t *testing.T) {
	for i := range uint64(sampleSize) {
		r := Clean(i)
		request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(r.RequestHead + r.RequestBody)))
		require.NoError(t, err, r.RequestHead)
		body, err := io.ReadAll(request.Body)
		require.NoError(t, err)
		require.Equal(t, r.RequestBody, string(body))
		require.Equal(t, r.Agent, request.UserAgent())
		response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(r.ResponseHead+r.ResponseBody)), request)
		require.NoError(t, err, r.ResponseHead)
		require.Equal(t, r.Status, response.StatusCode)
		body, err = io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, r.ResponseBody, string(body))
		if strings.HasPrefix(request.Header.Get("Content-Type"), "multipart/") {
			request.Body = io.NopCloser(strings.NewReader(r.RequestBody))
			require.NoError(t, request.ParseMultipartForm(1<<20))
		}
	}
}

func TestEventHoldsTheFieldsOfAProbe(t *testing.T) {
	for i := range uint64(sampleSize / 10) {
		r := Clean(i)
		e := r.AppendEvent(nil, ProbeLimit)
		require.True(t, bytes.HasPrefix(e, []byte{0x92, 0x92, 0xd7, 0x00}))
		fields, rest, err := msgp.ReadMapStrIntfBytes(e[13:], nil)
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Equal(t, r.Method, fields["METHOD"])
		require.Equal(t, r.RequestHead, fields["REQ_HEADER"])
		require.LessOrEqual(t, len(fields["REQ_BODY"].(string)), ProbeLimit)
		require.Equal(t, fmt.Sprint(r.Status), fields["RETCODE"])
	}
}

func TestRepetitionsDifferInTimeAndPortOnly(t *testing.T) {
	first := Clean(7)
	again := first.Again(1)
	require.NotEqual(t, first.Begin, again.Begin)
	require.NotEqual(t, again.SrcPort, first.Again(2).SrcPort)
	again.Begin, again.SrcPort = first.Begin, first.SrcPort
	require.Equal(t, first, again)
}

func BenchmarkClean(b *testing.B) {
	b.ReportAllocs()
	var event []byte
	for i := range uint64(b.N) {
		r := Clean(i)
		event = r.AppendEvent(event[:0], ProbeLimit)
	}
}
