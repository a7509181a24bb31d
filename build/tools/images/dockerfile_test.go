// Package images tests the Dockerfile and the Compose file with the code that Docker itself reads them with.
package images

import (
	"go/version"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const dockerfile = "../../Dockerfile"

// shipped are the stages that become images.
var shipped = []string{"wafctl", "waf-proxy", "fluent-bit-waf"}

func stages(t *testing.T) map[string]instructions.Stage {
	t.Helper()
	file, err := os.Open(dockerfile)
	require.NoError(t, err)
	defer file.Close()
	tree, err := parser.Parse(file)
	require.NoError(t, err)
	for _, w := range tree.Warnings {
		t.Errorf("%v: %s", w.Location, w.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, message string, at []parser.Range) {
		t.Errorf("%s: %s at %v", rule, message, at)
	}})
	all, _, err := instructions.Parse(tree.AST, lint)
	require.NoError(t, err)
	named := map[string]instructions.Stage{}
	for _, s := range all {
		named[s.Name] = s
	}
	return named
}

func commands[C instructions.Command](s instructions.Stage) (found []C) {
	for _, command := range s.Commands {
		if c, ok := command.(C); ok {
			found = append(found, c)
		}
	}
	return found
}

func TestImagesDoNotRunAsRoot(t *testing.T) {
	named := stages(t)
	for _, name := range shipped {
		users := commands[*instructions.UserCommand](named[name])
		require.Len(t, users, 1, name)
		assert.Regexp(t, `^[1-9]\d*:[1-9]\d*$`, users[0].User, "numbers, so that Kubernetes can see that it is not root")
		for _, e := range commands[*instructions.EntrypointCommand](named[name]) {
			assert.False(t, e.PrependShell, "the program itself gets the signals")
		}
		assert.Empty(t, commands[*instructions.RunCommand](named[name]), "nothing runs in what is shipped")
	}
}

// TestBuildStepsAreClean applies the rules of hadolint that the parser does not know.
func TestBuildStepsAreClean(t *testing.T) {
	named := stages(t)
	for name, s := range named {
		assert.Regexp(t, `^(scratch|wafctl|[a-z/-]+:\$\{\w+\}(-\w+)?)$`, s.BaseName, "a base image has a version of its own: %s", name)
		assert.Empty(t, commands[*instructions.AddCommand](s), "COPY does what ADD does, without surprises")
		for _, run := range commands[*instructions.RunCommand](s) {
			text := strings.Join(run.CmdLine, " ")
			if strings.Contains(text, "apt-get install") {
				assert.Contains(t, text, "--no-install-recommends")
				assert.Contains(t, text, "--yes")
				assert.Contains(t, text, "rm -rf /var/lib/apt/lists/*")
			}
			assert.NotRegexp(t, `\b(sudo|curl|wget)\b|\bcd /`, text)
		}
	}
	pipefail := commands[*instructions.ShellCommand](named["build"])
	require.Len(t, pipefail, 1)
	assert.Contains(t, pipefail[0].Shell, "pipefail")
}

func TestTheImageRunsWhatTheChartRuns(t *testing.T) {
	const start = "-e /usr/lib/fluent-bit-waf/out_waf.so -e /usr/lib/fluent-bit-waf/in_nano.so -c "
	command := commands[*instructions.CmdCommand](stages(t)["fluent-bit-waf"])[0]
	assert.Contains(t, strings.Join(command.CmdLine, " "), start+"/etc/fluent-bit-waf/pipeline.yaml")
	ports := commands[*instructions.ExposeCommand](stages(t)["fluent-bit-waf"])[0].Ports
	assert.Equal(t, []string{"15155/udp", "2020/tcp"}, ports)
}

func TestTheBuildTakesTheGoOfTheModule(t *testing.T) {
	text, err := os.ReadFile(dockerfile)
	require.NoError(t, err)
	mod, err := os.ReadFile("../../../go.mod")
	require.NoError(t, err)
	wanted := regexp.MustCompile(`(?m)^go (\S+)`).FindSubmatch(mod)
	has := regexp.MustCompile(`(?m)^ARG GO_VERSION=(\S+)$`).FindSubmatch(text)
	require.NotNil(t, has)
	assert.GreaterOrEqual(t, version.Compare("go"+string(has[1]), "go"+string(wanted[1])), 0, "the image has %s, go.mod wants %s", has[1], wanted[1])
}
