package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testtool"
)

// musl is a host with another C library than the plugin's; it has no coroutines to offer.
var musl = variant{name: "musl", cc: "musl-gcc", object: plain.object, flags: []string{"-DOLD"}}

// The loader's reason is the message that users see, and that the page about compatibility explains.
func TestMuslHostsAreRefusedWithTheDocumentedReason(t *testing.T) {
	testtool.Program(t, musl.cc, "musl-tools")
	loader := map[string]string{"amd64": "ld-linux-x86-64.so.2", "arm64": "ld-linux-aarch64.so.1"}[runtime.GOARCH]
	reason := "Error loading shared library " + loader + ": No such file or directory (needed by "
	h := launch(t, musl)
	objects, err := musl.object()
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Symlink(filepath.Join(objects, "out_waf.so"), filepath.Join(dir, "out_waf.so")))
	require.Equal(t, reason+filepath.Join(dir, "out_waf.so")+")", h.do("load", dir))

	page, err := os.ReadFile("../docs/compatibility.md")
	require.NoError(t, err)
	require.Contains(t, string(page), reason)

	compile(t, plain, "-O2", "-fPIC", "-fvisibility=hidden", "-shared", "-o", filepath.Join(dir, "in_nano.so"), "nano/in_nano.c", "-ldl")
	require.Equal(t, "refused", h.do("input-load", dir))
	require.Len(t, h.log, 1)
	require.True(t, strings.HasPrefix(h.log[0], "1 [input:nano] in_nano.so needs "+dir+"/out_waf.so of the same version: "+reason), h.log)
}
