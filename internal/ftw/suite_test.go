package ftw_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/ftw"
)

func TestSuiteIsWhole(t *testing.T) {
	all, err := ftw.Read()
	require.NoError(t, err)
	require.Len(t, all, 4674)
	stating, stages := 0, 0
	for i := range all {
		if all[i].StatesIDs() {
			stating++
		}
		stages += len(all[i].Stages)
	}
	require.Equal(t, 4639, stating)
	require.Equal(t, 4680, stages)
}

func TestRequestsAreWhatGoFTWSends(t *testing.T) {
	all, err := ftw.Read()
	require.NoError(t, err)
	const accept = "Accept: text/xml,application/xml,application/xhtml+xml,text/html;q=0.9,text/plain;q=0.8,image/png,*/*;q=0.5\r\n"
	for name, c := range map[string]struct{ id, head, body string }{
		"form with escapes": {
			"932311-7", "POST /post HTTP/1.1\r\nAccept: */*\r\nHost: localhost\r\nUser-Agent: OWASP CRS test agent\r\n" +
				"Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\nContent-Length: 59\r\n\r\n",
			"textarea=%0d%0ad%20store%202%20%2BFLAGS%20%28%5CDeleted%29\n",
		},
		"stated byte for byte": {
			"944200-1", "POST / HTTP/1.0\r\nHost: localhost\r\nUser-Agent: OWASP ModSecurity Core Rule Set\r\n" + accept +
				"Accept-Charset: ISO-8859-1,utf-8;q=0.7,*;q=0.7\r\nAccept-Encoding: gzip,deflate\r\nAccept-Language: en-us,en;q=0.5\r\n" +
				"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\n", "test=\xac\xed\x00\x05\r\n\r\n",
		},
		"headers not completed": {
			"920180-1", "POST / HTTP/1.1\r\nUser-Agent: OWASP CRS test agent\r\nHost: localhost\r\n" +
				"Content-Type: application/x-www-form-urlencoded\r\n" + accept + "\r\n", "hi=test",
		},
	} {
		t.Run(name, func(t *testing.T) {
			at := slices.IndexFunc(all, func(one ftw.Test) bool { return one.ID == c.id })
			r := all[at].Stages[0].Request
			require.Equal(t, c.head, r.Head())
			require.Equal(t, c.body, r.Body)
		})
	}
}

func TestResponsesAreWhatTheBackendSends(t *testing.T) {
	all, err := ftw.Read()
	require.NoError(t, err)
	at := slices.IndexFunc(all, func(one ftw.Test) bool { return one.ID == "953120-1" })
	r := all[at].Stages[0].Response
	require.Equal(t, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 29\r\n\r\n", r.Head())
	require.Equal(t, "<?php echo \"Hello World!\n\" ?>", r.Body)
}
