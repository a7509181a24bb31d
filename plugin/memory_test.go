package main

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/fluent-bit-waf/fluent-bit-waf/plugin/host"
	"github.com/stretchr/testify/require"
)

func TestCodeIsReleasedAndComesBack(t *testing.T) {
	before := residentOfFiles(t)
	require.Greater(t, host.ReleasePages(), 1<<20, "bytes of code and constants")
	require.Less(t, residentOfFiles(t), before)
}

// residentOfFiles returns the pages of files that the process has in memory, in kB.
func residentOfFiles(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	_, figure, found := strings.Cut(string(status), "RssFile:")
	require.True(t, found)
	kilobytes, err := strconv.Atoi(strings.Fields(figure)[0])
	require.NoError(t, err)
	return kilobytes
}
