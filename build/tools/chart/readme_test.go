package chart

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// row is one value of the chart as its README lists it.
type row struct{ name, standard, meaning string }

// rows flattens a mapping of values.yaml. A mapping without comments inside is one value.
func rows(t *testing.T, prefix string, mapping *yaml.Node) (all []row) {
	t.Helper()
	for i := 0; i < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		name := prefix + key.Value
		if value.Kind == yaml.MappingNode && explains(value) {
			all = append(all, rows(t, name+".", value)...)
			continue
		}
		var standard any
		require.NoError(t, value.Decode(&standard))
		text, err := json.Marshal(standard)
		require.NoError(t, err)
		all = append(all, row{name, string(text), meaning(key.HeadComment)})
	}
	return all
}

// explains reports whether a mapping has comments inside.
func explains(mapping *yaml.Node) bool {
	for i := 0; mapping.Kind == yaml.MappingNode && i < len(mapping.Content); i += 2 {
		if mapping.Content[i].HeadComment != "" || explains(mapping.Content[i+1]) {
			return true
		}
	}
	return false
}

// meaning returns a comment as one line; what an empty line separates from the value is about something else.
func meaning(comment string) string {
	parts := strings.Split(comment, "\n\n")
	var words []string
	for line := range strings.Lines(parts[len(parts)-1]) {
		words = append(words, strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "#"))...)
	}
	return strings.Join(words, " ")
}

func TestTheReadmeOfTheChartIsCurrent(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(chartDir, "values.yaml"))
	require.NoError(t, err)
	var document yaml.Node
	require.NoError(t, yaml.Unmarshal(text, &document))
	var table strings.Builder
	table.WriteString("| value | default | meaning |\n|---|---|---|\n")
	var standard []string
	for _, r := range rows(t, "", document.Content[0]) {
		if r.meaning == "" {
			standard = append(standard, "`"+r.name+"`")
			continue
		}
		fmt.Fprintf(&table, "| `%s` | `%s` | %s |\n", r.name, r.standard, strings.ReplaceAll(r.meaning, "|", `\|`))
	}
	fmt.Fprintf(&table, "\nOther values, with their defaults in values.yaml: %s.\n", strings.Join(standard, ", "))
	const start, end = "<!-- generated: values -->\n", "<!-- end -->"
	file := filepath.Join(chartDir, "README.md")
	page, err := os.ReadFile(file)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(page), start)
	require.True(t, found)
	_, after, found := strings.Cut(rest, end)
	require.True(t, found)
	want := before + start + table.String() + end + after
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, string(page), `"make manifests" writes it anew`)
}
