package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFindingsNameFileLineAndWhatToWrite(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		want       []string
	}{
		"a page":                    {"docs/a.md", "Fine.\nThe page tells it.", []string{`docs/a.md:2: "tells": write shows, reports, explains or logs`}},
		"a misspelled word":         {"docs/a.md", "It rec" + "ieves records.", []string{`docs/a.md:1: "rec` + `ieves": write receives`}},
		"British spelling":          {"docs/a.md", "It has col" + "our.", []string{`docs/a.md:1: "col` + `our": write color`}},
		"code on a page":            {"docs/a.md", "```\nblanks\n```\n`blanks` [x](blanks.md) <!-- blanks -->", nil},
		"words that contain one":    {"docs/a.md", "A lookup retells nothing, and blankets cost.", nil},
		"any case, and several":     {"docs/a.md", "Leave out blanks.", []string{`docs/a.md:1: "Leave out": write exclude, skip or omit`, `docs/a.md:1: "blanks": write spaces`}},
		"a string in Go":            {"a.go", "package a\n\nconst b = \"says why\"\n", []string{`a.go:3: "says why": write shows, names or explains`}},
		"a comment in Go":           {"a.go", "package a\n\n// B says why blanks are used.\nconst B = 1\n", []string{`a.go:3: "blanks": write spaces`}},
		"names in Go":               {"a.go", "package a\n\nvar judged, blanks int\n\ntype a struct {\n\tb int `json:\"judged\"`\n}\n", nil},
		"a string of several lines": {"a.go", "package a\n\nconst b = `x\nblanks`\n", []string{`a.go:4: "blanks": write spaces`}},
		"comments of rules":         {"rules/a.conf", "# It leaves out blanks.\nSecRule ARGS \"@rx blanks\" # judged", []string{`rules/a.conf:1: "leaves out": write exclude, skip or omit`, `rules/a.conf:1: "blanks": write spaces`, `rules/a.conf:2: "judged": write evaluated`}},
		"alert rules":               {"build/prometheus/alerts.yaml", "description: A false alarm.", []string{`build/prometheus/alerts.yaml:1: "false alarm": write false positive`}},
		"a name that is not a typo": {"docs/a.md", "MITRE ATT&CK", nil},
		"a rate":                    {"docs/a.md", "100 records a second", []string{`docs/a.md:1: "records a second": write per second`}},
	} {
		t.Run(name, func(t *testing.T) {
			read := readerOf(c.file)
			require.NotNil(t, read)
			var got []string
			for _, f := range check(c.file, read([]byte(c.text))) {
				got = append(got, f.String())
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestTestsAndDataAreNotRead(t *testing.T) {
	for _, name := range []string{"a_test.go", "filter/testdata/a.md", "docs/examples/a.conf", "rules/packs/tests/a.yaml", "go.sum", "docs/images/a.png"} {
		require.Nil(t, readerOf(name), name)
	}
}

func TestAllFilesOfARepositoryAreChecked(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	git := func(args ...string) {
		out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	git("init", "--quiet")
	write("README.md", "Fine.\n")
	write("docs/a.md", "Fine.\n")
	git("add", ".")
	got, err := checkAll(dir)
	require.NoError(t, err)
	require.Empty(t, got)

	write("docs/a.md", "Fine.\nNot blanks.\n")
	write("docs/new.md", "blanks, but unknown to Git\n")
	require.NoError(t, os.Remove(filepath.Join(dir, "README.md")))
	got, err = checkAll(dir)
	require.NoError(t, err)
	require.Equal(t, []finding{{"docs/a.md", 2, "blanks", "write spaces"}}, got)

	_, err = checkAll(t.TempDir())
	require.ErrorContains(t, err, "list files")
}
