// Package docs tests that what the pages say is so: commands run, names exist, links lead somewhere.
package docs

import (
	"compress/gzip"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tags are those that the Makefile builds with.
const tags = "no_fs_access,coraza.disabled_operators.rbl,coraza.disabled_operators.inspectFile"

func pages(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("*.md")
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return append(all, "../README.md", "../SECURITY.md")
}

func read(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	return string(text)
}

// tools builds wafctl once and returns the folder in which it is.
var tools = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "docs")
	if err != nil {
		return "", err
	}
	// Go's cache of test results then knows that these depend on the program.
	if _, err := os.ReadDir("../cmd/wafctl"); err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-tags", tags, "-o", filepath.Join(dir, "wafctl"), "./cmd/wafctl")
	build.Dir = ".."
	build.Stderr = os.Stderr
	return dir, build.Run()
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := tools(); err == nil {
		os.RemoveAll(dir) //nolint:errcheck // in the system's temporary folder
	}
	os.Exit(code)
}

// block is a fenced block of commands (those with their output, "console", have a test beside wafctl), and the comment in front of it, which says whether it is run.
type block struct {
	line    int
	comment string
	text    string
}

var fence = regexp.MustCompile("(?m)(?:^<!-- (.*) -->\n)?^```(?:sh|bash|shell)\n((?:.*\n)*?)^```$")

func blocks(text string) (all []block) {
	for _, m := range fence.FindAllStringSubmatchIndex(text, -1) {
		b := block{line: strings.Count(text[:m[0]], "\n") + 1, text: text[m[4]:m[5]]}
		if m[2] >= 0 {
			b.comment = text[m[2]:m[3]]
		}
		all = append(all, b)
	}
	return all
}

// TestCommandsRun runs the blocks marked "run" of each page, one after the other in one folder, which has what pages speak of. In
// blocks marked "run each" every line is a command of its own, and 1 is an answer, too: something alerts, something differs.
func TestCommandsRun(t *testing.T) {
	ran := 0
	for _, page := range pages(t) {
		found := blocks(read(t, page))
		if len(found) == 0 {
			continue
		}
		t.Run(page, func(t *testing.T) {
			dir := workplace(t)
			for _, b := range found {
				why, isReason := strings.CutPrefix(b.comment, "not run: ")
				if isReason {
					assert.NotEmpty(t, why)
					continue
				}
				switch b.comment {
				case "run":
					code, out := shell(t, dir, b.text)
					require.Zero(t, code, "%s:%d: %s\n%s", page, b.line, b.text, out)
				case "run each":
					for line := range strings.Lines(b.text) {
						code, out := shell(t, dir, line)
						require.LessOrEqual(t, code, 1, "%s:%d: %s\n%s", page, b.line, line, out)
					}
				default:
					require.Fail(t, "unmarked", "%s:%d: a block of commands is marked <!-- run --> or <!-- not run: why -->", page, b.line)
				}
				ran++
			}
		})
	}
	assert.GreaterOrEqual(t, ran, 5)
}

// shell runs commands in a folder, and returns how they ended and what they printed.
func shell(t *testing.T, dir, commands string) (code int, out string) {
	t.Helper()
	bin, err := tools()
	require.NoError(t, err)
	sh := exec.CommandContext(t.Context(), "sh", "-euc", commands)
	sh.Dir = dir
	sh.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "NO_COLOR=1")
	text, err := sh.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		require.NoError(t, err)
	}
	return sh.ProcessState.ExitCode(), string(text)
}

// workplace returns a folder with the examples of the pages, the sample of an attack, an access log, two folders of rules, and
// the shipped pipelines.
func workplace(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("examples")))
	require.NoError(t, os.CopyFS(filepath.Join(dir, "conf"), os.DirFS("../conf")))
	require.NoError(t, os.CopyFS(filepath.Join(dir, "old"), os.DirFS("examples")))
	const rule = `SecRule ARGS "@contains x" "id:1,phase:2,deny,log,msg:'x'"` + "\n"
	const access = `{"remote_addr":"198.51.100.23","request_method":"GET","request_uri":"/","status":"200","http_user_agent":"curl/8"}` + "\n"
	require.NoError(t, os.Mkdir(filepath.Join(dir, "new"), 0o755))
	for name, text := range map[string]string{
		"record.json": read(t, "../testdata/nano-sample.json"), "access.ndjson": access, "new/own.conf": rule,
		"records.ndjson.gz": compressed(t, read(t, "examples/records.ndjson")),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func compressed(t *testing.T, text string) string {
	t.Helper()
	var b strings.Builder
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	for _, page := range pages(t) {
		text := read(t, page)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			there := text
			if target != "" {
				path := filepath.Join(filepath.Dir(page), target)
				info, err := os.Stat(path)
				if !assert.NoError(t, err, "%s: %s", page, m[1]) || info.IsDir() {
					continue
				}
				there = read(t, path)
			}
			if anchor != "" {
				assert.Contains(t, anchors(there), anchor, "%s: %s", page, m[1])
			}
		}
	}
}

// anchors returns the names under which the headings of a page can be linked to.
func anchors(text string) (all []string) {
	drop := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		all = append(all, strings.ReplaceAll(drop.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return all
}

func TestTheTableOfContentsHasEveryPage(t *testing.T) {
	contents := read(t, "README.md")
	all, err := filepath.Glob("*.md")
	require.NoError(t, err)
	for _, page := range all {
		if page != "README.md" {
			assert.Contains(t, contents, "]("+page+")")
		}
	}
}
