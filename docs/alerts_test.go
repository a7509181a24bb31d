package docs

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
)

// example is a block of the page about alerts that shows a file which tests of package filter write.
var example = regexp.MustCompile("(?s)(<!-- alert: ([a-z-]+) -->\n```(?:json|text)\n).*?```")

// TestAlertsPage compares the alerts on the page with those that the tests of package filter make of the sample. "make generate"
// writes them anew.
func TestAlertsPage(t *testing.T) {
	page := read(t, "alerts.md")
	seen := map[string]bool{}
	current := example.ReplaceAllStringFunc(page, func(block string) string {
		found := example.FindStringSubmatch(block)
		seen[found[2]] = true
		return found[1] + alertOf(t, found[2]) + "```"
	})
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile("alerts.md", []byte(current), 0o644))
		page = current
	}
	require.Equal(t, current, page)
	for _, format := range alert.Formats() {
		require.True(t, seen[format], "no alert in format %s", format)
		require.Contains(t, page, "`"+format+"`")
	}
}

// alertOf returns the alert of a golden file as the page shows it.
func alertOf(t *testing.T, name string) string {
	t.Helper()
	file := "../filter/testdata/sample-" + name + ".txt"
	if name == string(alert.MSA) {
		file = "../filter/testdata/sample-msa.json"
	}
	text := read(t, file)
	if !strings.HasPrefix(text, "{") {
		return text
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var b strings.Builder
	fold(t, &b, decoder, "")
	if name != string(alert.Record) {
		return b.String() + "\n"
	}
	members, verdict, found := strings.Cut(b.String(), "\n  \"waf\": ")
	require.True(t, found)
	return strings.Join(strings.SplitN(members, "\n", 5)[:4], "\n") + "\n  …\n  \"waf\": " + verdict + "\n"
}

// widest is how many characters a line of a page may have for what fits in it.
const widest = 100

// shown is how many elements of a list the page has that does not fit in a line.
const shown = 1

// fold writes the next value, members in their order: in one line where it fits, else one line for each member. Of a long list it writes
// the first elements, and of a long text its start.
func fold(t *testing.T, b *strings.Builder, decoder *json.Decoder, indent string) {
	t.Helper()
	var raw json.RawMessage
	require.NoError(t, decoder.Decode(&raw))
	line := inLine(t, raw)
	start := strings.LastIndexByte(b.String(), '\n') + 1
	room := widest - utf8.RuneCountInString(b.String()[start:])
	if utf8.RuneCountInString(line) <= room {
		b.WriteString(line)
		return
	}
	if raw[0] == '"' {
		b.WriteString(strings.TrimRight(string([]rune(line)[:room-len(`…"`)]), `\`) + `…"`)
		return
	}
	inner := json.NewDecoder(bytes.NewReader(raw))
	inner.UseNumber()
	open, err := inner.Token()
	require.NoError(t, err)
	b.WriteString(open.(json.Delim).String())
	for n := 0; inner.More(); n++ {
		if n > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n" + indent + "  ")
		if raw[0] == '[' && n == shown {
			b.WriteString("…")
			break
		}
		if raw[0] == '{' {
			key, err := inner.Token()
			require.NoError(t, err)
			quoted, err := json.Marshal(key)
			require.NoError(t, err)
			b.Write(quoted)
			b.WriteString(": ")
		}
		fold(t, b, inner, indent+"  ")
	}
	b.WriteString("\n" + indent + string(raw[len(raw)-1]))
}

// inLine writes a value with one space after each comma and colon.
func inLine(t *testing.T, raw []byte) string {
	t.Helper()
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, raw))
	var b strings.Builder
	inText := false
	text := compact.String()
	for i := 0; i < len(text); i++ {
		c := text[i]
		b.WriteByte(c)
		switch {
		case c == '\\':
			i++
			b.WriteByte(text[i])
		case c == '"':
			inText = !inText
		case !inText && (c == ',' || c == ':'):
			b.WriteByte(' ')
		}
	}
	return b.String()
}
