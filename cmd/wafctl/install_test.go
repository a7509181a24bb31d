package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/install"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// built returns a directory with files that are named like the plugin's.
func built(t *testing.T, content string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{install.OutputObject, install.InputObject} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(name+content), 0o600))
	}
	return dir
}

func requireInstalled(t *testing.T, dir, content string) {
	t.Helper()
	for name, want := range map[string]string{
		install.OutputObject: install.OutputObject + content, install.FilterObject: install.OutputObject + content, install.InputObject: install.InputObject + content,
		install.PluginList: "[PLUGINS]\n    Path " + dir + "/out_waf.so\n    Path " + dir + "/flb-filter_waf.so\n    Path " + dir + "/in_nano.so\n",
	} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, want, string(got), name)
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o644), info.Mode().Perm(), "another user reads %s", name)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 4, "no temporary files stay")
}

func TestInstallReplacesFilesUnderARunningProgram(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on the way")
	got := wafctl(nil, nil, "install", "--from", built(t, "1"), dir)
	require.Equal(t, cli.ExitClean, got.code, got.err)
	assert.Contains(t, got.out, "plugins_file: "+dir+"/plugins.conf\n")
	requireInstalled(t, dir, "1")

	open, err := os.Open(filepath.Join(dir, install.OutputObject)) // as a Fluent Bit has it
	require.NoError(t, err)
	defer open.Close()
	got = wafctl(nil, nil, "install", "--from", built(t, "2"), dir)
	require.Equal(t, cli.ExitClean, got.code, got.err)
	requireInstalled(t, dir, "2")
	old := make([]byte, 100)
	n, err := open.Read(old)
	require.NoError(t, err)
	require.Equal(t, install.OutputObject+"1", string(old[:n]), "the old file stays as it was")
}

func TestInstallExplainsWhatIsWrong(t *testing.T) {
	dir, from := t.TempDir(), built(t, "")
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	lacking := built(t, "")
	require.NoError(t, os.Remove(filepath.Join(lacking, install.InputObject)))
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"nowhere":          {nil, "want one directory: DIR"},
		"no plugin":        {[]string{"--from", "/nowhere", dir}, "no plugin in /nowhere (--from): "},
		"half a plugin":    {[]string{"--from", lacking, dir}, "in_nano.so"},
		"onto itself":      {[]string{"--from", from, from}, "the plugin is already in " + from},
		"a file in place":  {[]string{"--from", from, file}, "not a directory"},
		"a line break":     {[]string{"--from", from, dir + "/a\nb"}, "cannot contain a line break"},
		"read-only places": {[]string{"--from", from, "/proc/waf"}, "/proc/waf"},
	} {
		t.Run(name, func(t *testing.T) {
			got := wafctl(nil, nil, append([]string{"install"}, c.args...)...)
			assert.Equal(t, cli.ExitError, got.code)
			assert.Contains(t, got.err, c.want)
		})
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing was copied")
}
