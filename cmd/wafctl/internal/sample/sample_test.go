package sample

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

func read(t *testing.T, text string) *Sample {
	t.Helper()
	choice, err := fieldmap.Open("auto")
	require.NoError(t, err)
	s := &Sample{}
	require.NoError(t, s.Lines(strings.NewReader(text)))
	s.Read(choice)
	return s
}

const combined = `192.0.2.1 - - [29/Nov/2026:12:00:01 +0000] "GET / HTTP/1.1" 200 612 "-" "curl/8"` + "\n"

func TestSamplesTellWhatRecordsHave(t *testing.T) {
	for _, c := range []struct {
		name, text string
		fieldMap   string
		wrapper    Wrapper
		records    int
		http       int
		known      rules.Parts
		absent     rules.Parts
		hosts      int
	}{
		{"plain lines", combined + "started\n" + combined, "access-log", Bare, 3, 2, rules.PartUserAgent | rules.PartClient, rules.PartCookie | rules.PartHost | rules.PartBody, 0},
		{"a line of containerd", "2024-05-30T07:16:48.9Z stdout F " + combined, "access-log", CRI, 1, 1, rules.PartUserAgent, rules.PartCookie, 0},
		{"a line of Docker", `{"log":"192.0.2.1 - - [29/Nov/2026:12:00:01 +0000] \"GET / HTTP/1.1\" 200 612","stream":"stdout","time":"2024-05-30T07:16:48Z"}`,
			"access-log", Docker, 1, 1, rules.PartClient, rules.PartUserAgent, 0},
		{"records of which one tells more", `{"remote_addr":"192.0.2.1","request_method":"GET","request_uri":"/","status":"200"}` + "\n" +
			`{"remote_addr":"192.0.2.1","request_method":"GET","request_uri":"/","http_cookie":"a=b","http_x_id":"7","host":"shop.example"}`,
			"nginx", Bare, 2, 2, rules.PartCookie | rules.PartStatus, rules.PartBody, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := read(t, c.text)
			require.NoError(t, s.Err())
			require.Equal(t, c.fieldMap, s.Map.Name)
			require.Equal(t, []any{c.wrapper, c.records, c.http, c.hosts, c.http}, []any{s.Wrapper, s.Records, s.HTTP, s.Hosts, s.Clients})
			require.Zero(t, s.Unknown&c.known, (s.Unknown & c.known).String())
			require.Equal(t, c.absent, s.Absent()&c.absent)
		})
	}
	s := read(t, `{"remote_addr":"192.0.2.1","request_method":"GET","request_uri":"/","http_x_id":"7"}`)
	require.Zero(t, s.Absent()&rules.PartUnnamedHeaders, "some records have other headers")
}

func TestSamplesWithoutTransactionsSayWhy(t *testing.T) {
	for text, want := range map[string]string{
		"":                   "the source is empty",
		"{\"a\":1}\n":        "no HTTP transaction in 1 records. The first one has only the key a",
		"{\"a\":\n{\"b\":\n": "no record: 2 lines are neither JSON nor lines of text",
	} {
		require.ErrorContains(t, read(t, text).Err(), want)
	}
}

func TestDeclaredSamplesHaveWhatTheMapHas(t *testing.T) {
	choice, err := fieldmap.Open("nano")
	require.NoError(t, err)
	m := choice.Maps()[0]
	s := Declared(m)
	require.Equal(t, m.Unknown(), s.Unknown)
	require.Zero(t, s.Absent()&^m.Unknown())
}
