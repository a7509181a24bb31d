package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

// packed returns a text as gzip and zstd pack it, in two parts one behind the other as log rotation leaves them.
func packed(t *testing.T, text string) map[string][]byte {
	t.Helper()
	var gz bytes.Buffer
	half := strings.Index(text, "\n") + 1
	for _, part := range []string{text[:half], text[half:]} {
		w := gzip.NewWriter(&gz)
		_, err := w.Write([]byte(part))
		require.NoError(t, err)
		require.NoError(t, w.Close())
	}
	encoder, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	zst := encoder.EncodeAll([]byte(text[half:]), encoder.EncodeAll([]byte(text[:half]), nil))
	return map[string][]byte{"gzip": gz.Bytes(), "zstd": zst}
}

func TestEveryCommandReadsCompressedFilesAndTheStandardInput(t *testing.T) {
	text := clean + "\n" + encoded + "\n" + dns + "\n"
	for _, args := range [][]string{
		{"check"}, {"check", "--output", "json"}, {"check", "--explain"}, {"tune"}, {"compare", "--with", "alert_on=match"}, {"report", "-o", "-"},
		{"map"},
	} {
		name := strings.Join(args, " ")
		if name != "map" {
			args = append(args, byRules, "--rule-packs", "off")
		}
		want := wafctl(strings.NewReader(text), nil, append(args, "-")...)
		require.NotEqual(t, cli.ExitError, want.code, want.err)
		for method, content := range packed(t, text) {
			require.Equal(t, steady(want.out), steady(wafctl(bytes.NewReader(content), nil, append(args, "-")...).out), "%s, %s", name, method)
			path := filepath.Join(t.TempDir(), "records")
			require.NoError(t, os.WriteFile(path, content, 0o600))
			got := wafctl(nil, nil, append(args, path)...)
			require.Equal(t, want.code, got.code, "%s, %s: %s", name, method, got.err)
			require.Equal(t, steady(want.out), steady(strings.ReplaceAll(got.out, path, evaluation.StdinName)), "%s, %s", name, method)
		}
	}
}

// steady returns output without what the clock writes into it.
func steady(output string) string {
	before, _, _ := strings.Cut(output, "<footer>")
	return before
}
