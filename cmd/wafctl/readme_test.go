package main

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/stretchr/testify/require"
)

const readme = "../../README.md"

// crsDetails are the properties that the configuration page keeps in a table of their own.
var crsDetails = []string{
	"detection_paranoia", "enforce_bodyproc_urlencoded", "reporting_level", "restricted_extensions", "restricted_headers_basic",
	"restricted_headers_extended", "allowed_request_content_type_charset", "max_num_args", "arg_name_length", "arg_length",
	"total_arg_length", "max_file_size", "combined_file_sizes", "validate_utf8_encoding", "static_extensions", "paranoia",
	"executing_paranoia", "modsec_req_body_access", "modsec_req_body_limit", "modsec_req_body_json_depth_limit",
	"modsec_arguments_limit", "modsec_resp_body_access", "modsec_resp_body_limit", "modsec_resp_body_mimetype",
}

func TestReadmeIsCurrent(t *testing.T) {
	requireCurrent(t, readme, map[string]string{"msa": flatAlert(t)})
}

// requireCurrent compares the generated parts of a page with what they should be, or writes them.
func requireCurrent(t *testing.T, path string, parts map[string]string) {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	text := string(content)
	for name, part := range parts {
		before, rest, found := strings.Cut(text, "<!-- generated: "+name+" -->\n")
		require.True(t, found, name)
		old, after, found := strings.Cut(rest, "<!-- end -->")
		require.True(t, found, name)
		if !*update {
			require.Equal(t, part, old, "make generate writes it anew")
		}
		text = before + "<!-- generated: " + name + " -->\n" + part + "<!-- end -->" + after
	}
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
}

func runSample(t *testing.T, args ...string) []byte {
	t.Helper()
	got := wafctl(strings.NewReader(nanoSample(t)), nil, append([]string{"run", "--listen", "-"}, args...)...)
	require.Equal(t, cli.ExitClean, got.code, got.err)
	return []byte(got.out)
}

func jsonBlock(t *testing.T, text []byte) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, bytes.TrimSpace(text), "", "  "))
	short := list.ReplaceAllFunc(b.Bytes(), func(items []byte) []byte {
		return []byte("[" + strings.Join(strings.Fields(strings.Trim(string(items), "[]")), " ") + "]")
	})
	return "\n```json\n" + string(short) + "\n```\n\n"
}

// list is a list of texts or numbers that json.Indent has written over several lines.
var list = regexp.MustCompile(`\[\n[^\[\]{}]*\]`)

func flatAlert(t *testing.T) string {
	return jsonBlock(t, runSample(t, "--include-payload", "off"))
}
