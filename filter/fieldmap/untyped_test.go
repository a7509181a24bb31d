package fieldmap

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

func TestTypeOfABodyIsFoundFromItsLooks(t *testing.T) {
	m := parse(t, "name: own\nempty: []\nfields: {method: m, uri: u, request_body: b, header.Content-Type: c}")
	for body, want := range map[string]string{
		`{"a":1}`:               "application/json",
		"\n [1,2":               "application/json",
		"<?xml version='1.0'?>": "text/xml",
		"a=1&b=2":               "application/x-www-form-urlencoded",
		"a%5B0%5D=%27 or 1=1":   "application/x-www-form-urlencoded",
		"a=1\r\n":               "application/x-www-form-urlencoded",
		"%24a-%3E%24b%28%29":    "application/x-www-form-urlencoded",
		"a=\x00\x05":            "application/x-www-form-urlencoded",
		"{a}=1&b=' or 1=1--":    "",
		"[x]=' or 1=1":          "application/x-www-form-urlencoded",
		"<?xml?><a b=1&c='x":    "",
		"100% sure":             "",
		"--X1\r\nA: b\r\n\r\nc": "multipart/form-data; boundary=X1",
		"--X1 y\r\nA: b":        "",
		"--X1":                  "",
		"a=1\nb=2":              "",
		"if (a == b) { c(); }":  "",
		"some words":            "",
		"=1":                    "",
		"\x00\x01":              "",
	} {
		tx, v := transaction(t, m, `{"m":"POST","u":"/","b":`+quotedBytes(body)+`}`)
		got, _ := tx.Header("Content-Type")
		require.Equal(t, want, got, body)
		require.NotZero(t, tx.Unknown&rules.PartOtherHeaders)
		require.NotZero(t, tx.Unknown&rules.PartBodyEnd)
		if want != "" {
			require.Equal(t, body, tx.RequestBody)
			require.Empty(t, tx.Arguments)
			continue
		}
		require.Empty(t, tx.RequestBody)
		require.Len(t, tx.Arguments, 1)
		require.NotContains(t, tx.Arguments[0].Value, "\x00")
		require.Equal(t, body, v.Get(RequestBody))
	}
	tx, _ := transaction(t, m, `{"m":"POST","u":"/","b":"{}","c":"text/plain"}`)
	require.Equal(t, []rules.Header{{Name: "Content-Type", Value: "text/plain"}}, tx.RequestHeaders)
	require.Zero(t, tx.Unknown&rules.PartBodyEnd)
}

func quotedBytes(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}
