package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/stretchr/testify/require"
)

// posted is a record with a body that rules take for SQL.
func posted(t *testing.T, mime, body string) string {
	t.Helper()
	line, err := json.Marshal(map[string]string{
		"remote_addr": "192.0.2.9", "request": "POST /api HTTP/1.1", "status": "200", "http_host": "b.example", "http_user_agent": "a",
		"content_type": mime, "content_length": fmt.Sprint(len(body)), "request_body": body,
	})
	require.NoError(t, err)
	return string(line) + "\n"
}

// small has rules under the ids of some in the Core Rule Set.
const small = "--rules=testdata/attacks.conf"

func TestExclusionsOfArraysSilenceTheirRecords(t *testing.T) {
	const sql = "select name from users where id=1 union select 2"
	const mime, form = "application/json", "application/x-www-form-urlencoded"
	for name, c := range map[string]struct {
		clean  []string // records
		want   string   // target
		others []string // records that still alert
	}{
		"elements": {
			[]string{posted(t, mime, `{"jobs":[{"desc":"`+sql+`"}]}`), posted(t, mime, `{"jobs":[{},{"n":1},{"desc":"`+sql+`"}]}`)},
			`ARGS:/^json\.jobs\.\d+\.desc$/`,
			[]string{posted(t, mime, `{"jobs":[{"name":"`+sql+`"}]}`), posted(t, mime, `{"jobs":{"x":{"desc":"`+sql+`"}}}`)},
		},
		"many in one record": {
			[]string{posted(t, mime, `{"jobs":[`+strings.Repeat(`{"desc":"`+sql+`"},`, 12)+`{}]}`)}, `ARGS:/^json\.jobs\.\d+\.desc$/`,
			[]string{posted(t, mime, `{"jobs":[`+strings.Repeat(`{"desc":"`+sql+`"},`, 12)+`{"x":"`+sql+`"}]}`)},
		},
		"an array alone": {
			[]string{posted(t, mime, `["`+sql+`","`+sql+`"]`)}, `ARGS:/^json\.\d+$/`, []string{posted(t, mime, `[["`+sql+`"]]`)},
		},
		"names in mixed case": {
			[]string{posted(t, mime, `{"Jobs":[{"Desc":"`+sql+`"},{"Desc":"`+sql+`"}]}`)}, `ARGS:/(?i)^json\.Jobs\.\d+\.Desc$/`,
			[]string{posted(t, mime, `{"Jobs":[{"Name":"`+sql+`"}]}`)},
		},
		"fields of a form": {
			[]string{posted(t, form, "items[0][d]="+sql), posted(t, form, "items[1][d]="+sql)}, `ARGS:/^items\x5b\d+\x5d\x5bd\x5d$/`,
			[]string{posted(t, form, "items[x][d]="+sql)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			clean := strings.Join(c.clean, "")
			got := wafctl(strings.NewReader(clean), nil, "tune", small, "--rule-packs", "off", "--output", "property", "-")
			require.Equal(t, cli.ExitAlert, got.code)
			require.Empty(t, got.err, "SQL alone is no evidence of an attack")
			property := strings.TrimSpace(got.out)
			require.Equal(t, "942100:"+c.want+",942190:"+c.want, property)
			file := filepath.Join(t.TempDir(), "exclusions.conf")
			seclang := wafctl(strings.NewReader(clean), nil, "tune", small, "--rule-packs", "off", "--output", "seclang", "-").out
			require.NoError(t, os.WriteFile(file, []byte(seclang), 0o600))
			for _, with := range [][]string{{small, "--exclude-rules", property}, {small + "," + file}} {
				args := append([]string{"check", "--rule-packs", "off", "-"}, with...)
				got = wafctl(strings.NewReader(clean), nil, args...)
				require.Equal(t, cli.ExitClean, got.code, got.out+got.err)
				for _, other := range c.others {
					require.Equal(t, cli.ExitAlert, wafctl(strings.NewReader(other), nil, args...).code, other)
				}
			}
		})
	}
}

func TestIndexesMergeForTheCoreRuleSet(t *testing.T) {
	var clean strings.Builder
	for i := range 3 {
		body := `{"jobs":[` + strings.Repeat(`{"n":"x"},`, i) + `{"desc":"select name from users where id=1 union select 2"}]}`
		clean.WriteString(posted(t, "application/json", body))
	}
	got := wafctl(strings.NewReader(clean.String()), nil, "tune", "--output", "property", "-")
	require.Equal(t, `942100:ARGS:/^json\.jobs\.\d+\.desc$/,942190:ARGS:/^json\.jobs\.\d+\.desc$/`, strings.TrimSpace(got.out))
	got = wafctl(strings.NewReader(clean.String()), nil, "check", "--exclude-rules", strings.TrimSpace(got.out), "-")
	require.Equal(t, cli.ExitClean, got.code, got.out+got.err)
}
