package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tags are those of the Makefile, so that what it has built is not built again.
const tags = "no_fs_access,coraza.disabled_operators.rbl,coraza.disabled_operators.inspectFile"

// wafctl builds the program and returns its help.
func wafctl(t *testing.T) func(args ...string) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wafctl")
	build := exec.Command("go", "build", "-tags", tags, "-o", path, "./cmd/wafctl")
	build.Dir = "../../.."
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return func(args ...string) (string, error) {
		out, err := exec.Command(path, args...).Output()
		return string(out), err
	}
}

func TestThePageSaysWhatHelpSays(t *testing.T) {
	help := wafctl(t)
	page, err := manual("1.2.3", "2026-11-22", help)
	require.NoError(t, err)
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, ".") {
			assert.Regexp(t, `^\.(TH|SH|SS|PP|TP|nf|fi)\b`, line)
		}
	}
	plain := strings.NewReplacer(`\-`, "-", `\e`, `\`, `\&`, "", `\fB`, "", `\fI`, "", `\fR`, "").Replace(page)
	words := regexp.MustCompile(`\S+`)
	root, err := help("--help")
	require.NoError(t, err)
	rootText := parse(root)
	for _, c := range rootText.section("Commands").items() {
		text, err := help(c.name, "--help", "--all")
		require.NoError(t, err)
		_, part, found := strings.Cut(plain, ".SS wafctl "+c.name+"\n")
		require.True(t, found, c.name)
		part, _, _ = strings.Cut(part, ".SS ")
		missing := map[string]bool{}
		for _, word := range words.FindAllString(text, -1) {
			if !strings.Contains(part, word) {
				missing[word] = true
			}
		}
		assert.Empty(t, missing, c.name)
		for _, flag := range regexp.MustCompile(`(?m)^ {2,6}(?:-\w, )?(--[\w-]+)`).FindAllStringSubmatch(text, -1) {
			assert.Regexp(t, `(?m)^(-\w, )?`+flag[1]+`\b`, part, c.name)
		}
	}
}

func TestManReadsThePageWithoutWarnings(t *testing.T) {
	mandoc, err := exec.LookPath("mandoc")
	if err != nil && os.Getenv("TEST_TOOLS") != "required" {
		t.Skip("mandoc is not installed (Debian: apt-get install mandoc)")
	}
	require.NoError(t, err)
	page, err := manual("1.2.3", "2026-11-22", wafctl(t))
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "wafctl.1")
	require.NoError(t, os.WriteFile(file, []byte(page), 0o600))
	out, err := exec.Command(mandoc, "-T", "lint", "-W", "warning", file).CombinedOutput()
	assert.NoError(t, err, "%s", out)
}

func TestTextIsNeverACommandOfMan(t *testing.T) {
	assert.Equal(t, "\\&.SH a\\-b\n\\&'x\n\\e", escape(".SH a-b\n'x\n\\"))
}
