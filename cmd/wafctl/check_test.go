package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli/clitest"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/visible"
)

var update = flag.Bool("update", false, "write the golden files anew")

// result is what a command line has printed and ended with.
type result struct {
	out, err string
	code     int
}

// wafctl runs one command line in this process.
func wafctl(stdin io.Reader, change func(*cli.Console), args ...string) result {
	var out, err bytes.Buffer
	c := &cli.Console{Host: clitest.Host, In: stdin, Out: &out, Err: &err}
	if change != nil {
		change(c)
	}
	code := execute(context.Background(), c, args)
	return result{out.String(), err.String(), code}
}

// contentHash is the name of rules that have none; it changes with every change of what all rule sets start with.
var contentHash = regexp.MustCompile(`sha256:[0-9a-f]{12}`)

// golden compares text with a file under testdata.
func golden(t *testing.T, name, text string) {
	t.Helper()
	text = contentHash.ReplaceAllString(text, "sha256:0123456789ab")
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), text, "go test ./cmd/wafctl -update writes it anew")
}

const (
	attack = `{"SRC_IP":"10.1.2.3","SRC_PORT":"40000","DST_IP":"10.9.8.7","DST_PORT":"80","METHOD":"GET","URL":"/?a=../../etc/passwd","DOMAIN":"shop.example","AGENT":"curl/8","L7_PROTOCOL":"http"}`
	clean  = `{"SRC_IP":"10.1.2.3","METHOD":"GET","URL":"/index.html","DOMAIN":"shop.example","AGENT":"Mozilla/5.0","L7_PROTOCOL":"http"}`
	dns    = `{"L7_PROTOCOL":"dns","QUERY":"shop.example"}`
)

// records are lines of every kind.
func records(t *testing.T) string {
	t.Helper()
	sample, err := os.ReadFile("../../testdata/nano-sample.json")
	require.NoError(t, err)
	hostile := "{\"SRC_IP\":\"fe80::1\",\"SRC_PORT\":1,\"METHOD\":\"GET\",\"URL\":\"/\\u001b]0;owned\\u0007\\u202e/?q=\xff\\u0085<script>alert(1)</script>\"}"
	return string(sample) + clean + "\n\n" + dns + "\n" + hostile + "\n" + attack + attack + "\n"
}

func TestCheckPrintsATable(t *testing.T) {
	in := records(t)
	for name, change := range map[string]func(*cli.Console){
		"table-plain.txt":    nil,
		"table-terminal.txt": func(c *cli.Console) { c.Width, c.Color = 180, true },
		"table-narrow.txt":   func(c *cli.Console) { c.Width = 100 },
		"table-80.txt":       func(c *cli.Console) { c.Width = 80 },
	} {
		t.Run(name, func(t *testing.T) {
			got := wafctl(strings.NewReader(in), change, "check", "-")
			require.Equal(t, cli.ExitAlert, got.code)
			require.Empty(t, got.err)
			golden(t, name, got.out)
			requireNoControls(t, strings.NewReplacer(cli.Bold, "", cli.Red, "", cli.Green, "", cli.Yellow, "", cli.Magenta, "", cli.Cyan, "", cli.Plain, "").Replace(got.out))
		})
	}
}

func TestTablesFitNarrowTerminals(t *testing.T) {
	for _, args := range [][]string{
		{"check", "-"}, {"compare", "--with", "alert_on=match", "-"}, {"check", "--profile", byRules, "--rule-packs", "off", "-"},
		{"tune", byRules, "--rule-packs", "off", "-"}, {"rules"}, {"rules", "--gate"}, {"rules", "--field-map", "nginx"},
	} {
		got := wafctl(strings.NewReader(attack+"\n"+encoded), func(c *cli.Console) { c.Width = 80 }, args...)
		require.NotEqual(t, cli.ExitError, got.code, got.err)
		table, _, _ := strings.Cut(got.out, "\nREMOVES: ") // sentences follow
		for line := range strings.Lines(table) {
			inColumns := strings.Count(line, "  ") > 1
			require.False(t, inColumns && runewidth.StringWidth(strings.TrimRight(line, " \n")) > 80, "%v: %s", args, line)
		}
	}
}

// requireNoControls fails when text holds anything but lines of visible characters.
func requireNoControls(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		require.Equal(t, line, cli.Printable(strings.TrimSuffix(line, "\n"))+"\n")
	}
}

func TestCheckPrintsOneObjectARecord(t *testing.T) {
	got := wafctl(strings.NewReader(records(t)+"not json\n"+clean), nil, "check", "--output", "json", "-")
	require.Equal(t, cli.ExitError, got.code)
	golden(t, "check.json", got.out)
	golden(t, "check.err", got.err)
}

func TestCheckTellsWhatRulesDidNotSee(t *testing.T) {
	const behind = `{"REQ_HEADER":"GET / HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: x\r\nAccept: */*\r\n\r\nmore"}`
	const noHead = `{"REQ_HEADER":"more"}`
	got := wafctl(strings.NewReader(behind+noHead+clean), nil, "check", "-")
	require.Contains(t, got.out, "3 records: 0 alerts, 2 clean, 1 not HTTP, 2 partly inspected\n")
	got = wafctl(strings.NewReader(behind+"\n"+noHead+"\n"+clean), nil, "check", "--output", "json", "-")
	require.Equal(t, `{"line":1,"http":true,"alert":false,"rule_ids":[],"score":0,"msg":"","partial":["headers"]}
{"line":2,"http":false,"alert":false,"rule_ids":[],"score":0,"msg":"","partial":["headers"]}
{"line":3,"http":true,"alert":false,"rule_ids":[],"score":0,"msg":""}
`, got.out)
	got = wafctl(strings.NewReader(behind), nil, "check", "--explain", "-")
	require.Contains(t, got.out, "standard input:1: clean, partly inspected: headers, read with the field map nano\n")
	got = wafctl(strings.NewReader(behind), nil, "check", "--explain", "--output", "json", "-")
	require.Contains(t, got.out, `"partial":["headers"]`)
}

func TestExitCodesOfCheck(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		args []string
		code int
	}{
		"nothing":                   {"", nil, cli.ExitClean},
		"clean":                     {clean, nil, cli.ExitClean},
		"nothing that is HTTP":      {dns + "\nstarted", nil, cli.ExitError},
		"something that is HTTP":    {dns + "\n" + clean, nil, cli.ExitClean},
		"a plain attack":            {plainAttack, nil, cli.ExitAlert},
		"a plain clean request":     {plainClean + "\nstarted", nil, cli.ExitClean},
		"an attack":                 {attack, nil, cli.ExitAlert},
		"an attack below the limit": {attack, []string{"--anomaly-inbound", "1000"}, cli.ExitClean},
		"any match":                 {attack, []string{"--anomaly-inbound", "1000", "--alert-on", "match"}, cli.ExitAlert},
		"its rules excluded":        {attack, []string{"--exclude-rules", "930000-932999", "--exclude-rules=tag:attack-generic"}, cli.ExitClean},
		"not JSON":                  {attack + "\nnot json", nil, cli.ExitError},
		"an unknown flag":           {attack, []string{"--unknown"}, cli.ExitError},
	} {
		t.Run(name, func(t *testing.T) {
			got := wafctl(strings.NewReader(c.in), nil, append(append([]string{"check"}, c.args...), "-")...)
			require.Equal(t, c.code, got.code, "%s%s", got.out, got.err)
		})
	}
}

func TestAllProblemsOfACommandLineAreTold(t *testing.T) {
	got := wafctl(nil, nil, "check", "--emit-formt", "msa", "--alert-on=everything", "--blocking-paranoia", "9", "--output", "yaml",
		"--field-map", "missing.key", "--rules", "missing.conf", "--keep", "all", "--keep", "alerts", "-x")
	require.Equal(t, cli.ExitError, got.code)
	require.Empty(t, got.out)
	golden(t, "problems.err", got.err)
}

func TestCommandLinesThatAreRefused(t *testing.T) {
	for line, want := range map[string]string{
		"chek":              "unknown command \"chek\" (did you mean check?)",
		"frobnicate":        "unknown command \"frobnicate\" (want auth, check, ",
		"check":             "no file (want one or more, or - for standard input)",
		"frob --output x":   "unknown command \"frob\" (want ",
		"--verbose":         "--verbose: unknown flag",
		"check --output":    "flag needs an argument: --output",
		"check missing":     "read records: open missing: no such file or directory",
		"check no-such-*":   "no file matches \"no-such-*\"",
		"version --verbose": "--verbose: unknown flag",
		"rules --check=no":  "invalid argument \"no\" for \"--check\" flag",
	} {
		t.Run(line, func(t *testing.T) {
			got := wafctl(nil, nil, strings.Fields(line)...)
			require.Equal(t, cli.ExitError, got.code)
			require.Contains(t, got.err, want)
		})
	}
}

func TestCompressedFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	for name, wrap := range map[string]func(io.Writer) io.WriteCloser{
		"gzip": func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"zstd": func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z },
	} {
		path := filepath.Join(dir, name)
		var packed bytes.Buffer
		w := wrap(&packed)
		_, err := io.WriteString(w, clean+"\n"+attack)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		require.NoError(t, os.WriteFile(path, packed.Bytes(), 0o600))
		for _, args := range [][]string{{"check", path}, {"check", "-"}} {
			got := wafctl(bytes.NewReader(packed.Bytes()), nil, args...)
			require.Equal(t, cli.ExitAlert, got.code, got.err)
			require.Contains(t, got.out, "2 records: 1 alert, 1 clean, 0 not HTTP\n")
		}
		cut := wafctl(bytes.NewReader(packed.Bytes()[:packed.Len()-9]), nil, "check", "-")
		require.Equal(t, cli.ExitError, cut.code)
		require.Contains(t, cut.err, "unexpected EOF")
	}
}

func TestSeveralFilesAreNamed(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a": clean + "\n" + attack, "b\x1b": attack} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b\x1b")
	got := wafctl(nil, nil, "check", a, b)
	require.Contains(t, got.out, a+":2  -  ")
	require.Contains(t, got.out, filepath.Join(dir, `b\x1b`)+":1  -  ")
	narrow := wafctl(nil, func(c *cli.Console) { c.Width = 100 }, "check", a, b)
	require.Regexp(t, `(?m)^….*/a:2  -  +CRITICAL`, narrow.out, "the number of the line is not cut")
	got = wafctl(nil, nil, "check", "--output", "json", a, b)
	require.Contains(t, got.out, `{"file":"`+a+`","line":2,"http":true,"alert":true`)
}

// lineSource gives so many lines without holding them, and notes the memory in use on the way.
type lineSource struct {
	line  []byte
	left  int
	given int
	most  uint64
}

func (s *lineSource) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n := 0
	for s.left > 0 && len(p)-n >= len(s.line) {
		n += copy(p[n:], s.line)
		s.left--
		s.given++
	}
	if s.given%5000 < n/len(s.line) {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		s.most = max(s.most, m.HeapAlloc)
	}
	return n, nil
}

func TestMemoryDoesNotGrowWithTheInput(t *testing.T) {
	const records = 100_000
	line := fmt.Sprintf("{\"L7_PROTOCOL\":\"dns\",\"QUERY\":%q}\n", strings.Repeat("x", 1000))
	source := &lineSource{line: []byte(line), left: records}
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	got := wafctl(source, nil, "check", "-")
	require.Equal(t, cli.ExitError, got.code, got.err)
	require.Contains(t, got.out, "100,000 records: 0 alerts, 0 clean, 100,000 not HTTP")
	require.Less(t, int64(source.most)-int64(before.HeapAlloc), int64(60<<20), "of an input of %d MB", records*len(line)>>20)
}

func TestLongLinesAreToldAndLeftOut(t *testing.T) {
	long := `{"URL":"` + strings.Repeat("x", evaluation.MaxLine) + "\"}\n"
	got := wafctl(strings.NewReader(clean+"\n"+long+attack), nil, "check", "-")
	require.Equal(t, cli.ExitError, got.code)
	require.Contains(t, got.err, "wafctl: standard input:2: longer than 16 MiB\n")
	require.Contains(t, got.out, "      3  -  ")
}

// secretive has a secret in every part that a command prints, and controls of the direction of text.
const secretive = `{"L7_PROTOCOL":"http","SRC_IP":"192.0.2.9","METHOD":"POST","URL":"/?t=../../etc/passwd&access_token=Zq7Xy9Wv2Kp4Lm6001&\u202e=1","RETCODE":"200",` +
	`"REQ_HEADER":"POST /?t=../../etc/passwd&access_token=Zq7Xy9Wv2Kp4Lm6001&\u202e=1 HTTP/1.1\r\nHost: h.example\r\nCookie: a=\"x;Zq7Xy9Wv2Kp4Lm6001\"\r\n` +
	`X-Api-Key: Zq7Xy9Wv2Kp4Lm6001\r\nContent-Type: text/plain\r\n\r\n","REQ_BODY":"password: <script>Zq7Xy9Wv2Kp4Lm6001</script>","RSP_BODY":"ok \u2067"}`

func TestNoCommandPrintsSecrets(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "rules.conf")
	require.NoError(t, os.WriteFile(rules, []byte(`
SecRequestBodyAccess On
SecRule ARGS|ARGS_NAMES|REQUEST_HEADERS|REQUEST_COOKIES_NAMES|REQUEST_URI|REQUEST_BODY "@rx (?s)^(.+)$" \
  "id:4711,phase:2,pass,capture,multiMatch,t:none,t:lowercase,msg:'in %{MATCHED_VAR}',logdata:'%{TX.1}',severity:CRITICAL"`), 0o600))
	for name, command := range map[string][]string{
		"table":       {"check", "--alert-on", "match"},
		"json":        {"check", "--alert-on", "match", "--output", "json"},
		"no alert":    {"check", "--output", "json"},
		"explain":     {"check", "--explain"},
		"explanation": {"check", "--explain", "--output", "json"},
		"compare":     {"compare", "--alert-on", "match", "--with", "exclude_rules=4711"},
		"map":         {"map"},
		"map as json": {"map", "--output", "json"},
		"tune":        {"tune", "--alert-on", "match"},
		"exclusions":  {"tune", "--alert-on", "match", "--output", "json"},
		"report":      {"report", "-o", "-", "--alert-on", "match"},
	} {
		t.Run(name, func(t *testing.T) {
			args := slices.Clone(command)
			if command[0] != "map" {
				args = append(args, "--rules", rules, "--rule-packs", "off")
			}
			got := wafctl(strings.NewReader(secretive), nil, append(args, "-")...)
			require.NotEqual(t, cli.ExitError, got.code, got.err)
			require.NotContains(t, strings.ToLower(got.out+got.err), "zq7xy9wv2kp4")
			require.Negative(t, strings.IndexFunc(got.out+got.err, visible.IsBidi))
			if !slices.Contains([]string{"json", "no alert", "report"}, name) {
				shown := wafctl(strings.NewReader(secretive), nil, append(args, "--redact", "off", "-")...)
				require.Contains(t, strings.ToLower(shown.out), "zq7xy9wv2kp4", "redact is respected")
				require.Negative(t, strings.IndexFunc(shown.out, visible.IsBidi))
			}
		})
	}
}

func TestCheckNamesTheRuleThatCausesMostAlerts(t *testing.T) {
	line := func(method, query string, n int) string {
		return strings.Repeat(`{"SRC_IP":"10.1.2.3","METHOD":"`+method+`","URL":"/v1/orders?`+query+`","DOMAIN":"api.example","AGENT":"x","L7_PROTOCOL":"http"}`+"\n", n)
	}
	const attack = "a=../../etc/passwd"
	clients := func(n int) (all string) {
		for i := range n {
			all += strings.ReplaceAll(line("DELETE", "", 2), "10.1.2.3", fmt.Sprintf("10.1.2.%d", 10+i))
		}
		return all
	}
	for name, c := range map[string]struct {
		in   string
		args []string
		want string
	}{
		"most, with a preset for it": {in: line("DELETE", "", 9) + line("GET", attack, 8),
			want: "Rule 911100 causes 9 of 17 alerts. If that traffic is legitimate: --preset api suits REST, GraphQL and RPC services, and wafctl tune proposes exclusions.\n"},
		"most, without a preset for it": {in: line("GET", attack, 10),
			want: "Rule 930120 causes 10 of 10 alerts. If that traffic is legitimate: wafctl tune proposes exclusions.\n"},
		"most, in spite of the preset": {in: line("TRACK", "", 12), args: []string{"--preset", "api"},
			want: "Rule 911100 causes 12 of 12 alerts. If that traffic is legitimate: wafctl tune proposes exclusions.\n"},
		"for all clients": {in: clients(5),
			want: "Rule 911100 causes 10 of 10 alerts, for all 5 clients that alert. It looks like a false positive: " +
				"--preset api suits REST, GraphQL and RPC services, and wafctl tune proposes exclusions.\n"},
		"for most clients": {in: clients(6) + line("GET", attack, 4),
			want: "Rule 911100 causes 12 of 16 alerts, for 6 of 7 clients that alert. It looks like a false positive: " +
				"--preset api suits REST, GraphQL and RPC services, and wafctl tune proposes exclusions.\n"},
		"for few clients": {in: clients(4) + clients(4),
			want: "Rule 911100 causes 16 of 16 alerts. If that traffic is legitimate: " +
				"--preset api suits REST, GraphQL and RPC services, and wafctl tune proposes exclusions.\n"},
		"half":           {in: line("DELETE", "", 8) + line("GET", attack, 8)},
		"too few":        {in: line("DELETE", "", 9)},
		"none any more":  {in: line("DELETE", "", 12), args: []string{"--preset", "api"}},
		"nothing at all": {in: clean + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r := wafctl(strings.NewReader(c.in), nil, append(append([]string{"check"}, c.args...), "-")...)
			_, hint, _ := strings.Cut(r.out, "\nRule ")
			if hint != "" {
				hint = "Rule " + hint
			}
			require.Equal(t, c.want, hint, r.out+r.err)
		})
	}
}
