package architecture

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sentence is the end of a sentence, as in prose.
var sentence = regexp.MustCompile(`[.!?](\s|$)`)

func TestEveryPackageSaysInThreeSentencesWhatItIsFor(t *testing.T) {
	for name, p := range packages(t) {
		if len(p.GoFiles)+len(p.CgoFiles) == 0 {
			continue // tests only
		}
		if strings.HasPrefix(name, "otel/") && strings.Contains(name, "/internal/") {
			continue // mdatagen has written them
		}
		text, fewest := comment(t, name), 3
		if name == "rules/setting" {
			fewest = 2
		}
		want := "Package " + filepath.Base(name) + " "
		if p.IsCommand() {
			want = "Command " + filepath.Base(name) + " "
		}
		assert.True(t, strings.HasPrefix(text, want), "%s: its comment begins with %q", name, want)
		assert.GreaterOrEqual(t, len(sentence.FindAllString(text, -1)), fewest, "%s: %s", name, text)
	}
}

// comment returns the comment of a package, which only one of its files has.
func comment(t *testing.T, name string) (text string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, name, "*.go"))
	require.NoError(t, err)
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.PackageClauseOnly)
		require.NoError(t, err)
		if doc := strings.TrimSpace(file.Doc.Text()); doc != "" {
			assert.Empty(t, text, "%s: a second comment", path)
			text = doc
		}
	}
	return text
}
