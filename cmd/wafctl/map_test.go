package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/mapping"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
)

// samples are records of several sources, one a line.
const samples = `{"remote_addr":"192.0.2.7","request_method":"GET","request_uri":"/a?b=\u001b[1m","http_user_agent":"-","status":200,"request_time":0.1}
{"remote_addr":"192.0.2.8","request_method":"GET","request_uri":"/same/keys","http_user_agent":"-","status":200,"request_time":0.1}
{"request":{"method":"POST","uri":"/c","proto":"HTTP/2.0","headers":{"Accept":["a","b"]}},"status":201,"size":5}
{"L7_PROTOCOL":"dns","METHOD":"GET","URL":"/"}
{"message":"started"}
`

func TestMapShowsWhatRecordsBecome(t *testing.T) {
	got := wafctl(strings.NewReader(samples), nil, "map", "-")
	require.Equal(t, cli.ExitClean, got.code, got.err)
	golden(t, "map.txt", got.out)

	got = wafctl(strings.NewReader(samples), nil, "map", "--all", "--output", "json", "-")
	require.Equal(t, cli.ExitClean, got.code, got.err)
	golden(t, "map.json", got.out)
	require.Equal(t, 5, strings.Count(got.out, "\n"))
}

func TestMapShowsFieldsOfOtherLogs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "own.yaml")
	require.NoError(t, os.WriteFile(path, []byte("name: shop\nfields: {args.comment: text, client.ip: from}"), 0o600))
	got := wafctl(strings.NewReader(`{"text":"<b>","from":"192.0.2.1","id":1}`), nil, "map", "--field-map", path, "--output", "json", "-")
	var j mapping.JSONMapped
	require.NoError(t, json.Unmarshal([]byte(got.out), &j))
	require.False(t, j.HTTP)
	require.Equal(t, []string{"comment=<b>"}, j.Args)
	require.Equal(t, []string{"id"}, j.Unread)
}

func TestMapTellsWhatItCannotRead(t *testing.T) {
	got := wafctl(strings.NewReader(clean+"\nnot json\n"), nil, "map", "-")
	require.Equal(t, cli.ExitError, got.code)
	require.Contains(t, got.err, "standard input:2: not JSON")
	require.Contains(t, got.out, "1 record by field map: nano 1")

	got = wafctl(nil, nil, "map", "--field-map", "nothing", "--output", "xml")
	require.Equal(t, cli.ExitError, got.code)
	for _, want := range []string{`--field-map: field map "nothing" (want auto, nano`, `--output: unknown value "xml" (want text or json)`, "no file"} {
		require.Contains(t, got.err, want)
	}
}

func TestMapShowsTheTextOfBuiltInMaps(t *testing.T) {
	for _, name := range fieldmap.BuiltIn() {
		got := wafctl(nil, nil, "map", "--show", name)
		require.Equal(t, cli.ExitClean, got.code, got.err)
		require.True(t, strings.HasPrefix(got.out, "name: "+name+"\n"))
		_, err := fieldmap.ParseYAML(name, []byte(got.out))
		require.NoError(t, err)
	}
	got := wafctl(nil, nil, "map", "--show", "none")
	require.Equal(t, cli.ExitError, got.code)
	require.Contains(t, got.err, `--show: unknown map "none" (want nano, gelf,`)
}

func TestRulesTellsWhatIsLeftOutForAFieldMap(t *testing.T) {
	got := wafctl(nil, nil, "rules", "--field-map", "nginx")
	require.Equal(t, cli.ExitClean, got.code, got.err)
	golden(t, "rules-nginx.txt", got.out)

	got = wafctl(nil, nil, "rules", "--field-map", "apache", "--output", "json")
	left, idle := map[int]evaluation.JSONLeftOut{}, 0
	decoder := json.NewDecoder(strings.NewReader(got.out))
	for decoder.More() {
		var l evaluation.JSONLeftOut
		require.NoError(t, decoder.Decode(&l))
		if l.Idle {
			idle++
			continue
		}
		left[l.ID] = l
	}
	require.Equal(t, "Host header as sent", left[920280].Needs)
	require.Equal(t, "matches when REQUEST_HEADERS:Host is not known", left[920280].Why)
	require.NotContains(t, left, 942100)
	require.Positive(t, idle)
}
