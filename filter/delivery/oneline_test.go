package delivery

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/visible"
)

func TestATextBecomesOneLine(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":"b"}`:                         `{"a":"b"}`,
		" {\"a\":\n\"b\"}\r\n":              `{"a": "b"}`,
		"{\"a\":\"x\x7fy\"}":                `{"a":"x\u007fy"}`,
		"{\"a\":\"x\u009b31my\u2028z\"}":    `{"a":"x\u009b31my\u2028z"}`,
		"{\"a\":\"x\x9b31m\xff\"}":          `{"a":"x` + "\ufffd" + `31m` + "\ufffd" + `"}`,
		"{\"a\":\"x\r\n<0>forged\"}":        `{"a":"x  <0>forged"}`,
		"CEF:0|a\x1b[31m|b\r\nc\u0085d\x00": "CEF:0|a [31m|b  c d ",
		"é ü":                               "é ü",
		"":                                  "",
	} {
		assert.Equal(t, want, string(oneLine([]byte(in))), "%q", in)
	}
}

func TestOneLineKeepsWhatAnAlertSays(t *testing.T) {
	in := "{\"a\":\"x\x7f\u0080\u2029\",\n\"b\":[1,\t2]}"
	var before, after map[string]any
	require.NoError(t, json.Unmarshal([]byte(in), &before))
	require.NoError(t, json.Unmarshal(oneLine([]byte(in)), &after))
	assert.Equal(t, before, after)
}

func FuzzOneLine(f *testing.F) {
	f.Add([]byte("{\"a\":\"x\r\n\x9b\u0085\"}"))
	f.Add([]byte("CEF:0|\x1b[2J"))
	f.Fuzz(func(t *testing.T, text []byte) {
		line := oneLine(text)
		if !utf8.Valid(line) {
			t.Fatalf("not UTF-8: %q", line)
		}
		for _, r := range string(line) {
			if visible.IsControl(r) {
				t.Fatalf("control character %U in %q", r, line)
			}
		}
		if isObject(text) && utf8.Valid(text) && !json.Valid(line) {
			t.Fatalf("no JSON any more: %q", line)
		}
	})
}
