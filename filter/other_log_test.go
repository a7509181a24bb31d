package filter

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

func TestFieldsOfBusinessLogsAlert(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orders.yaml")
	require.NoError(t, os.WriteFile(path, []byte("name: orders\nfields: {args.note: note, args.*: form, client.ip: from}"), 0o600))
	f := newFilter(t, setting.Map{"field_map": path})

	out := process(f, logged(t, map[string]any{"from": "192.0.2.7", "note": "leave it at the door", "form": map[string]any{"size": 42}}), "orders")
	require.False(t, out.Changed)
	out = process(f, logged(t, map[string]any{"from": "192.0.2.7", "note": "x", "form": map[string]any{"q": []any{"1' or '1'='1' -- -"}}}), "orders")
	require.True(t, out.Changed)
	waf := body(t, out.Data)["waf"].(map[string]any)
	require.Equal(t, "fields", waf["inspected"])
	require.Contains(t, waf["matched"], "ARGS:q")
	out = process(f, logged(t, map[string]any{"from": "192.0.2.7"}), "orders")
	require.False(t, out.Changed)

	c := f.Counts()
	require.Equal(t, []uint64{3, 1, 1, 1}, []uint64{c.Records, c.Clean, c.Alerts, c.NotHTTP})
	require.Equal(t, []SourceCount{{Map: "orders", Records: 3}}, c.Sources)
	require.Contains(t, c.String(), "field maps: orders 3")
}

func TestBodiesOfUnknownTypeAreInspected(t *testing.T) {
	f := newFilter(t, nil)
	out := process(f, logged(t, map[string]any{"METHOD": "POST", "URL": "/note", "REQ_BODY": "hello\n<script>alert(1)</script>\n"}), "nano")
	require.True(t, out.Changed)
	require.Equal(t, "uri,body", body(t, out.Data)["waf"].(map[string]any)["inspected"])
}
