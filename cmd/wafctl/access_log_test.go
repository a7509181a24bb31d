package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/requestlog"
)

// What the proxy has let pass can be checked again, with other rules.
func TestTheAccessLogOfTheProxyIsReadInBothFormats(t *testing.T) {
	for _, format := range []requestlog.Format{requestlog.JSON, requestlog.Combined} {
		file := filepath.Join(t.TempDir(), "access.log")
		l, err := requestlog.Open(file, format, &cli.Console{Err: io.Discard}, func(_, text string) string { return text })
		require.NoError(t, err)
		go l.Run(func(cause any, _ []byte) { t.Error(cause) })
		for _, target := range []string{"/shoes?size=42", "/?do='drop%20table'"} {
			r := httptest.NewRequest(http.MethodGet, "http://shop.example"+target, nil)
			r.Header.Set("User-Agent", "Mozilla/5.0")
			e := l.Start(httptest.NewRecorder(), r)
			e.WriteHeader(http.StatusOK)
			e.Decision = "passed"
			e.End()
		}
		l.Close()
		r := wafctl(nil, nil, "check", file)
		require.Contains(t, r.out, "942360", "%s: %s", format, r.err)
		require.Contains(t, r.out, "2 records", format)
	}
}
