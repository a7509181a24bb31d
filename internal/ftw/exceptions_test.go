package ftw_test

import (
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/ftw"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// exceptions are the reasons why tests do not pass, by form and test.
type exceptions map[string]map[string]string

// accused lists tests of which records with parts only match rules, and the whole exchange none.
const accused = "parts accused"

func readExceptions(t *testing.T, all []ftw.Test) exceptions {
	t.Helper()
	text, err := os.ReadFile("testdata/exceptions.yaml")
	require.NoError(t, err)
	var groups []struct {
		Forms  []string
		Reason string
		Why    string
		Tests  []string
	}
	require.NoError(t, yaml.Unmarshal(text, &groups))
	exists := map[string]bool{}
	for i := range all {
		exists[all[i].ID] = true
	}
	listed := exceptions{"plain": {}, "heads": {}, "parts": {}, accused: {}}
	for _, g := range groups {
		require.NotEmpty(t, g.Reason)
		require.NotEmpty(t, g.Why)
		for _, f := range g.Forms {
			require.Contains(t, listed, f)
			for _, id := range g.Tests {
				require.True(t, exists[id], "listed test %s does not exist", id)
				require.Empty(t, listed[f][id], "test %s is listed twice for %s", id, f)
				listed[f][id] = g.Reason
			}
		}
	}
	return listed
}

// ruleLevels returns the paranoia level from which each rule is active.
func ruleLevels(t *testing.T) map[int]int {
	t.Helper()
	files, err := fs.Glob(coreruleset.FS, "@owasp_crs/*.conf")
	require.NoError(t, err)
	levels := map[int]int{}
	for _, file := range files {
		text, err := fs.ReadFile(coreruleset.FS, file)
		require.NoError(t, err)
		directives, err := seclang.Split(file, string(text))
		require.NoError(t, err)
		for _, d := range directives {
			if !d.Is("SecRule") && !d.Is("SecAction") {
				continue
			}
			r, err := seclang.ParseRule(d)
			require.NoError(t, err)
			for _, tag := range r.All("tag") {
				if level, isLevel := strings.CutPrefix(tag, "paranoia-level/"); isLevel {
					levels[r.ID()], err = strconv.Atoi(level)
					require.NoError(t, err)
				}
			}
		}
	}
	require.Equal(t, paranoiaLevels, levels[920273])
	return levels
}
