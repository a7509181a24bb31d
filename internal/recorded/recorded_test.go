package recorded

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRecordsAreWhatWasOnTheWire(t *testing.T) {
	server, err := Serve("test", site, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "echo of ")
		w.(http.Flusher).Flush() // so that the answer has chunks
		_, _ = w.Write(body)
	}))
	require.NoError(t, err)
	for range 3 {
		request, err := http.NewRequestWithContext(context.Background(), http.MethodPut, "http://"+server.Address+"/a%20b?c=d",
			io.MultiReader(strings.NewReader("one "), strings.NewReader("two"))) // of unknown length, so that it has chunks
		require.NoError(t, err)
		request.Header.Set("X-Odd", "  spaces ")
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		_, err = io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
	}
	records := server.Stop()
	require.Len(t, records, 3)
	for _, r := range records {
		require.Equal(t, "PUT", r.Method)
		require.Equal(t, "/a%20b?c=d", r.Target)
		require.Equal(t, site, r.Host)
		require.True(t, strings.HasPrefix(r.RequestHead, "PUT /a%20b?c=d HTTP/1.1\r\nHost: "+site+"\r\n"), r.RequestHead)
		require.True(t, strings.HasSuffix(r.RequestHead, "\r\n\r\n"))
		require.Equal(t, "one two", r.RequestBody)
		require.Equal(t, 200, r.Status)
		require.True(t, strings.HasPrefix(r.ResponseHead, "HTTP/1.1 200 OK\r\n"), r.ResponseHead)
		require.Equal(t, "echo of one two", r.ResponseBody)
	}
}

func TestHostsOfRecordsAreAsLongAsAddresses(t *testing.T) {
	for _, c := range clients {
		require.Len(t, c.host, len("127.0.0.1:40000"), c.kind)
	}
	require.Len(t, site, len("127.0.0.1:40000"))
}

func TestWebhooksAreRecorded(t *testing.T) {
	records, err := Webhooks(context.Background())
	require.NoError(t, err)
	require.Len(t, records, len(webhooks))
	var sent, got []string
	for i := range webhooks {
		sent, got = append(sent, webhooks[i].agent+webhooks[i].body), append(got, records[i].Agent+records[i].RequestBody)
	}
	require.ElementsMatch(t, sent, got)
}
