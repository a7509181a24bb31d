package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// The build tags of the Makefile, and the one that makes chunks with certain tags panic.
const tags = "no_fs_access,coraza.disabled_operators.rbl,coraza.disabled_operators.inspectFile,waf_fault"

// host is a running testdata/host with the plugin loaded.
type host struct {
	t    *testing.T
	in   io.WriteCloser
	out  *bufio.Scanner
	log  []string // lines of the log since the last command, "LEVEL TEXT"
	emit []string // emitted events since the last command, "WAY TAG HEX"
}

// variant is one way to compile and run the host.
type variant struct {
	name  string
	flags []string
	run   []string // the command that runs it, without its path
}

var (
	plain     = variant{name: "plain"}
	old       = variant{name: "without emitter", flags: []string{"-DOLD"}}
	addresses = variant{name: "address sanitizer", flags: []string{"-fsanitize=address", "-fno-omit-frame-pointer"}}
)

// object builds the plugin with its link once and returns their directory.
var object = sync.OnceValues(func() (string, error) {
	build := exec.Command("go", "build", "-tags", tags, "-buildmode=c-shared", "-o", filepath.Join(objectDir, "out_waf.so"), ".")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the plugin: %w\n%s", err, out)
	}
	return objectDir, os.Symlink("out_waf.so", filepath.Join(objectDir, "flb-filter_waf.so"))
})

var objectDir string

func TestMain(m *testing.M) {
	var err error
	if objectDir, err = os.MkdirTemp("", "waf-object-"); err != nil {
		panic(err)
	}
	code := m.Run()
	if err := os.RemoveAll(objectDir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// start compiles a variant of the host, runs it and loads the plugin.
func start(t *testing.T, v variant) *host {
	t.Helper()
	dir, err := object()
	require.NoError(t, err)
	program := filepath.Join(t.TempDir(), "host")
	args := append([]string{"-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-g", "-rdynamic", "-o", program}, v.flags...)
	compile := exec.Command("cc", append(args, "../testdata/host/host.c", "-ldl", "-lpthread")...)
	out, err := compile.CombinedOutput()
	if strings.Contains(string(out), "asan") {
		t.Skipf("the C compiler has no address sanitizer: %s", out)
	}
	require.NoError(t, err, "%s", out)

	command := append(append([]string{}, v.run...), program)
	run := exec.Command(command[0], command[1:]...)
	run.Stderr = os.Stderr
	// Leaks are not looked for: what only Go's memory refers to looks like one.
	run.Env = append(os.Environ(), "ASAN_OPTIONS=detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0")
	in, err := run.StdinPipe()
	require.NoError(t, err)
	stdout, err := run.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, run.Start())
	h := &host{t: t, in: in, out: bufio.NewScanner(stdout)}
	h.out.Buffer(nil, 64<<20)
	t.Cleanup(func() {
		in.Close()
		err := run.Wait()
		if !t.Failed() {
			require.NoError(t, err, "the host's end")
		}
	})
	require.Equal(t, "waf event_type 1 flags 0 later zero one object", h.do("load", dir))
	return h
}

// do runs one command and returns its answer.
func (h *host) do(words ...string) string {
	h.t.Helper()
	h.log, h.emit = nil, nil
	_, err := fmt.Fprintln(h.in, strings.Join(words, " "))
	require.NoError(h.t, err)
	for h.out.Scan() {
		line := h.out.Text()
		switch kind, rest, _ := strings.Cut(line, " "); kind {
		case "log":
			h.log = append(h.log, rest)
		case "emit":
			h.emit = append(h.emit, rest)
		case "=":
			return rest
		default:
			h.t.Logf("host: %s", line)
		}
	}
	require.FailNow(h.t, "the host ended", "command %q: %v", words, h.out.Err())
	return ""
}

// init starts an instance with properties as name and value in turn.
func (h *host) init(id int, name string, properties ...string) string {
	h.t.Helper()
	properties = append([]string{"inspect_budget", "off"}, properties...) // machines are busy
	return h.do(append([]string{"init", fmt.Sprint(id), name}, assignments(properties)...)...)
}

func assignments(properties []string) []string {
	var words []string
	for n := 0; n < len(properties); n += 2 {
		words = append(words, properties[n]+"="+toHex([]byte(properties[n+1])))
	}
	return words
}

// filter sends a chunk through an instance and returns what cb_filter answered and the new chunk.
func (h *host) filter(id int, tag string, chunk []byte, source string) (answer string, out []byte) {
	h.t.Helper()
	answer, digits, _ := strings.Cut(h.do("filter", fmt.Sprint(id), tag, toHex(chunk), source), " ")
	return answer, fromHex(h.t, digits)
}

func toHex(data []byte) string {
	if len(data) == 0 {
		return "-"
	}
	return hex.EncodeToString(data)
}

func fromHex(t *testing.T, digits string) []byte {
	t.Helper()
	if digits == "-" {
		return nil
	}
	data, err := hex.DecodeString(digits)
	require.NoError(t, err)
	return data
}
