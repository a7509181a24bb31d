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

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testtool"
)

// The build tags of the Makefile, and the one that makes chunks with certain tags panic.
const tags = "no_fs_access,coraza.disabled_operators.rbl,coraza.disabled_operators.inspectFile,waf_fault"

// hostProcess is a running testdata/host with the plugin loaded.
type hostProcess struct {
	t    testing.TB
	in   io.WriteCloser
	out  *bufio.Scanner
	log  []string // lines of the log since the last command, "LEVEL TEXT"
	emit []string // emitted events since the last command, "WAY TAG HEX"
}

// variant is one way to compile and run the host, and to build the plugin.
type variant struct {
	name   string
	cc     string // the C compiler
	object func() (dir string, err error)
	flags  []string // of the C compiler, for the host and for in_nano.so
	run    []string // the command that runs the host, without its path
	env    []string
}

var (
	plain = variant{name: "plain", cc: "cc", object: built("plain", "", tags)}
	old   = variant{name: "without emitter", cc: "cc", object: plain.object, flags: []string{"-DOLD"}}

	// Leaks are not looked for: what only Go's memory refers to looks like one.
	sanitized = variant{
		name: "sanitizers", cc: "cc", object: built("sanitized", "", tags+",waf_sanitize"),
		flags: []string{"-fsanitize=address,undefined", "-fno-omit-frame-pointer"},
		env: []string{"ASAN_OPTIONS=detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0",
			"UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1"},
	}

	// Go's runtime checks every pointer that C is given or keeps.
	pointers = variant{name: "cgocheck2", cc: "cc", object: built("cgocheck2", "cgocheck2", tags), env: []string{"GODEBUG=cgocheck=1"}}

	// Go's runtime tells valgrind what its memory is. A preemption writes below the stack pointer.
	valgrind = variant{
		name: "valgrind", cc: "cc", object: built("valgrind", "", tags+",valgrind"), env: []string{"GODEBUG=asyncpreemptoff=1"},
		run: []string{"valgrind", "--quiet", "--fair-sched=yes", "--leak-check=no", "--error-exitcode=9", "--suppressions=../testdata/host/valgrind.supp"},
	}
)

// built returns what builds the plugin with its link once and returns their directory.
func built(name, experiment, tags string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		dir := filepath.Join(objectDir, name)
		build := exec.Command("go", "build", "-tags", tags, "-buildmode=c-shared", "-o", filepath.Join(dir, "out_waf.so"), ".")
		if experiment != "" {
			build.Env = append(os.Environ(), "GOEXPERIMENT="+experiment)
		}
		if out, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("building the plugin: %w\n%s", err, out)
		}
		return dir, os.Symlink("out_waf.so", filepath.Join(dir, "flb-filter_waf.so"))
	})
}

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

// longForm reports whether tests have their full size: with SURVIVE set, as make hosts does.
func longForm() bool { return os.Getenv("SURVIVE") != "" }

// withSanitizers returns variants and, in the long form, the one with sanitizers. Its plugin is another one to build.
func withSanitizers(all ...variant) []variant {
	if longForm() {
		all = append(all, sanitized)
	}
	return all
}

// start runs a variant of the host and loads the plugin.
func start(t testing.TB, v variant) *hostProcess {
	t.Helper()
	h := launch(t, v)
	dir, err := v.object()
	require.NoError(t, err)
	require.Equal(t, "waf event_type 1 flags 0 later zero one object", h.do("load", dir))
	return h
}

// hostPrograms are those that were compiled, by what they were compiled with.
var hostPrograms = map[string]string{}

// hostProgram compiles a variant of the host once and returns its program.
func hostProgram(t testing.TB, v variant) (program string) {
	t.Helper()
	key := fmt.Sprint(v.cc, v.flags)
	if hostPrograms[key] == "" {
		program = filepath.Join(objectDir, fmt.Sprint("host-", len(hostPrograms)))
		compile(t, v, "-rdynamic", "-o", program, "../testdata/host/host.c", "-ldl", "-lpthread")
		hostPrograms[key] = program
	}
	return hostPrograms[key]
}

// launch runs a variant of the host.
func launch(t testing.TB, v variant) *hostProcess {
	t.Helper()
	command := append(append([]string{}, v.run...), hostProgram(t, v))
	run := exec.Command(command[0], command[1:]...)
	run.Stderr = os.Stderr
	run.Env = append(os.Environ(), v.env...)
	in, err := run.StdinPipe()
	require.NoError(t, err)
	stdout, err := run.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, run.Start())
	h := &hostProcess{t: t, in: in, out: bufio.NewScanner(stdout)}
	h.out.Buffer(nil, 64<<20)
	t.Cleanup(func() {
		in.Close()
		err := run.Wait()
		if !t.Failed() {
			require.NoError(t, err, "the host's end")
		}
	})
	return h
}

// compile runs the C compiler. Not every one has the libraries of sanitizers.
func compile(t testing.TB, v variant, args ...string) {
	t.Helper()
	args = append(append([]string{"-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-g"}, v.flags...), args...)
	out, err := exec.Command(v.cc, args...).CombinedOutput()
	for _, library := range []string{"asan", "ubsan"} {
		if strings.Contains(string(out), library) {
			testtool.Missing(t, "lib"+library+" of the C compiler", "gcc")
		}
	}
	require.NoError(t, err, "%s", out)
}

// do runs one command and returns its answer.
func (h *hostProcess) do(words ...string) string {
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
func (h *hostProcess) init(id int, name string, properties ...string) string {
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
func (h *hostProcess) filter(id int, tag string, chunk []byte, source string) (answer string, out []byte) {
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

func fromHex(t testing.TB, digits string) []byte {
	t.Helper()
	if digits == "-" {
		return nil
	}
	data, err := hex.DecodeString(digits)
	require.NoError(t, err)
	return data
}
