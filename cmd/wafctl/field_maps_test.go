package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
)

const fieldMapsPage = "../../docs/field-maps.md"

// codeBlock returns the code block that follows a mark on a page.
func codeBlock(t *testing.T, page, mark string) string {
	t.Helper()
	_, rest, found := strings.Cut(page, "<!-- "+mark+" -->\n```")
	require.True(t, found, mark)
	text, _, found := strings.Cut(rest, "\n```")
	require.True(t, found, mark)
	_, text, _ = strings.Cut(text, "\n")
	return text + "\n"
}

// replaced puts text behind a mark, in place of what stands there up to the next blank line or heading.
func replaced(t *testing.T, page, mark, end, text string) string {
	t.Helper()
	head, rest, found := strings.Cut(page, "<!-- "+mark+" -->")
	require.True(t, found, mark)
	_, tail, found := strings.Cut(rest, end)
	require.True(t, found, mark)
	return head + "<!-- " + mark + " -->" + text + end + tail
}

func TestFieldMapsPageIsCurrent(t *testing.T) {
	have, err := os.ReadFile(fieldMapsPage)
	require.NoError(t, err)
	page := string(have)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}

	own := wafctl(nil, nil, "map", "--field-map", write("own.yaml", codeBlock(t, page, "map")), write("access.ndjson", codeBlock(t, page, "record")))
	require.Equal(t, cli.ExitClean, own.code, own.err)
	output := "\n```\n$ wafctl map --field-map own.yaml access.ndjson\n" + strings.TrimRight(strings.ReplaceAll(own.out, dir+"/", ""), "\n")
	want := replaced(t, page, "output", "\n```\n\n- **name**", output)
	want = replaced(t, want, "built-in maps", "\n\n`wafctl map --show", "\n| name | source |\n|---|---|"+builtInTable(t))
	want = replaced(t, want, "targets", "\n\nHeaders come", "\n| target | is |\n|---|---|"+targetTable())
	want = replaced(t, want, "names", ".\n", " `"+strings.Join(fieldmap.KeyFileNames(), "` `")+"`")
	if *update {
		require.NoError(t, os.WriteFile(fieldMapsPage, []byte(want), 0o644))
		page = want
	}
	require.Equal(t, want, page, "go test ./cmd/wafctl -run FieldMapsPage -update writes it anew")

	other := write("tickets.yaml", codeBlock(t, page, "other map"))
	got := wafctl(strings.NewReader(codeBlock(t, page, "other record")), nil, "map", "--field-map", other, "-")
	for _, argument := range []string{"ARGS:subject = Order 1047", "ARGS:text = 1' UNION", "ARGS:urgent = true"} {
		require.Contains(t, got.out, argument)
	}
	got = wafctl(strings.NewReader(codeBlock(t, page, "other record")), nil, "check", "--field-map", other, "-")
	require.Equal(t, cli.ExitAlert, got.code, got.err)
	require.Regexp(t, `94\d\d\d\d`, got.out)
}

var titleLine = regexp.MustCompile(`(?m)^title: (.*)$`)

func builtInTable(t *testing.T) string {
	var b strings.Builder
	for _, name := range fieldmap.BuiltIn() {
		title := titleLine.FindStringSubmatch(fieldmap.BuiltInText(name))
		require.NotNil(t, title, name)
		fmt.Fprintf(&b, "\n| `%s` | %s |", name, title[1])
	}
	return b.String()
}

func targetTable() string {
	var b strings.Builder
	for _, target := range fieldmap.Targets() {
		fmt.Fprintf(&b, "\n| `%s` | %s |", target.Name, target.Help)
	}
	return b.String()
}

// exampleLine is a plain line in the table of formats.
var exampleLine = regexp.MustCompile("(?m)^\\| [^|]+ \\| `([^`]+)` \\|$")

func TestPlainLinesOfTheFieldMapsPageAreRead(t *testing.T) {
	have, err := os.ReadFile(fieldMapsPage)
	require.NoError(t, err)
	_, page, found := strings.Cut(string(have), "## Plain lines\n")
	require.True(t, found)
	page, _, _ = strings.Cut(page, "\n## ")
	examples := exampleLine.FindAllStringSubmatch(page, -1)
	require.Len(t, examples, 8)
	for _, e := range examples {
		line, short := strings.CutSuffix(e[1], " …")
		if short && !strings.Contains(line, `"`) { // the columns of CloudFront up to one that the page shows
			line = strings.ReplaceAll(line, " ", "\t") + strings.Repeat("\t-", 20)
		}
		got := wafctl(strings.NewReader(line), nil, "map", "-")
		require.Equal(t, cli.ExitClean, got.code, got.err)
		require.Contains(t, got.out, "    GET / HTTP/", line)
		require.Contains(t, got.out, "from 192.0.2.10", line)
		require.Contains(t, got.out, "User-Agent: curl/8.5.0", line+got.out)
	}
}
