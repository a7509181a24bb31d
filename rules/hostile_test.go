package rules

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

func TestHostileFilesAreRefusedWithTheirPlace(t *testing.T) {
	for name, c := range map[string]struct {
		files  map[string]string
		make   func(t *testing.T, dir string)
		source string // DIR when empty
		want   string
	}{
		"a file that links to itself": {
			files: map[string]string{"main.conf": "\nInclude loop.conf\n"},
			make: func(t *testing.T, dir string) {
				require.NoError(t, os.Symlink("loop.conf", filepath.Join(dir, "loop.conf")))
			},
			want: "DIR/main.conf:2: include: DIR/loop.conf: too many levels of symbolic links",
		},
		"a directory that links to itself": {
			files: map[string]string{"main.conf": "Include sub/*.conf\n"},
			make:  func(t *testing.T, dir string) { require.NoError(t, os.Symlink(".", filepath.Join(dir, "sub"))) },
			want:  `DIR/main.conf:1: include of "DIR/sub/main.conf"is circular`,
		},
		"a directory in place of a file": {
			files: map[string]string{"main.conf": "Include rules.conf\n", "rules.conf/x": ""},
			want:  "DIR/main.conf:1: include: DIR/rules.conf: is a directory, not a file",
		},
		"a pipe": {
			make: func(t *testing.T, dir string) {
				require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe.conf"), 0o600))
			},
			source: "DIR/pipe.conf", want: "rule file: DIR/pipe.conf: not a regular file",
		},
		"a pipe as data": {
			files: map[string]string{"a.conf": `SecRule ARGS "@pmFromFile pipe" "id:1,deny"`},
			make:  func(t *testing.T, dir string) { require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600)) },
			want:  "DIR/a.conf:1: @pmFromFile: DIR/pipe: not a regular file",
		},
		"a device": {
			make: func(t *testing.T, dir string) {
				require.NoError(t, os.Symlink("/dev/zero", filepath.Join(dir, "zero.conf")))
			},
			source: "DIR/zero.conf", want: "rule file: DIR/zero.conf: not a regular file",
		},
		"100 MB": {
			files: map[string]string{"main.conf": "# first\nInclude big.conf\n"},
			make: func(t *testing.T, dir string) {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "big.conf"), nil, 0o600))
				require.NoError(t, os.Truncate(filepath.Join(dir, "big.conf"), 100<<20))
			},
			want: "DIR/main.conf:2: include: DIR/big.conf: larger than 32 MB",
		},
		"a circle of includes": {
			files: map[string]string{"main.conf": "Include a.conf\n", "a.conf": "Include b.conf\n", "b.conf": "SecAction \"id:1,pass\"\nInclude ./a.conf\n"},
			want:  `DIR/b.conf:2: include of "DIR/a.conf"is circular`,
		},
		"includes that grow without end": {
			files: includesOfIncludes(),
			want:  "more than 4096 files are read",
		},
		"a missing file":        {files: map[string]string{"main.conf": "Include gone.conf\n"}, want: `DIR/main.conf:1: include "gone.conf" matches no file, here and below DIR`},
		"a missing data file":   {files: map[string]string{"a.conf": `SecRule ARGS "@pmFromFile gone.data" "id:1,deny"`}, want: "DIR/a.conf:1: @pmFromFile: gone.data: no such file or directory"},
		"remote rules":          {files: map[string]string{"a.conf": "\nSecRemoteRules key https://rules.example/all\n"}, want: "DIR/a.conf:2: SecRemoteRules is not allowed: rules are never fetched from the network"},
		"an include of a URL":   {files: map[string]string{"main.conf": "Include https://rules.example/all.conf\n"}, want: `DIR/main.conf:1: Include "https://rules.example/all.conf" is not allowed: rules are never fetched from the network`},
		"data of a URL":         {files: map[string]string{"a.conf": `SecRule ARGS "@pmFromFile https://rules.example/x" "id:1,deny"`}, want: `DIR/a.conf:1: @pmFromFile: "https://rules.example/x" is not allowed: data is never fetched from the network`},
		"an operator that runs": {files: map[string]string{"a.conf": `SecRule FILES_TMPNAMES "@inspectFile /bin/true" "id:7,deny"`}, want: "DIR/a.conf:1: rule 7: operator @inspectFile: programs are never executed"},
		"an action that runs":   {files: map[string]string{"a.conf": `SecAction "id:8,pass,exec:/bin/true"`}, want: "DIR/a.conf:1: rule 8: action exec:/bin/true: programs are never executed"},
		"a script":              {files: map[string]string{"a.conf": "SecRuleScript /bin/true \"id:9\""}, want: "DIR/a.conf:1: SecRuleScript is not allowed: scripts are never run"},
		"not text":              {files: map[string]string{"a.conf": "\x7fELF\x02\x01\x01\x00\n"}, want: `DIR/a.conf:1: ` + "\x7f" + `ELF`},
		"open section":          {files: map[string]string{"a.conf": "<IfModule security2_module>\n"}, want: "DIR/a.conf:1: <ifmodule> is not closed"},
		"closed section":        {files: map[string]string{"a.conf": "</IfModule>\n"}, want: "DIR/a.conf:1: </IfModule> closes no section"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, c.files)
			if c.make != nil {
				c.make(t, dir)
			}
			source := strings.ReplaceAll(c.source, "DIR", dir)
			if source == "" {
				source = dir
			}
			_, err := library.Open(config(t, setting.Map{"rules": source}))
			require.ErrorContains(t, err, strings.ReplaceAll(c.want, "DIR", dir))
		})
	}
}

// includesOfIncludes returns files of which each includes the next one ten times.
func includesOfIncludes() map[string]string {
	files := map[string]string{"main.conf": "Include f0.conf\n"}
	for i := range 6 {
		files[fmt.Sprintf("f%d.conf", i)] = strings.Repeat(fmt.Sprintf("Include f%d.conf\n", i+1), 10)
	}
	files["f6.conf"] = "# the end\n"
	return files
}

func TestEveryBrokenRuleIsReportedAtOnce(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.conf": `SecRule ARGS "@rx a(?R)?b" "id:1,phase:2,deny,severity:2"
SecRule ARGS "@rx (a)?(?(1)b|c)" "id:2,phase:2,deny,severity:2"
SecRule ARGS "@rx (?=a" "id:3,phase:2,deny,severity:2"
SecRule ARGS "@rx a\1" "id:4,phase:2,deny,severity:2"
SecRule ARGS "@rx fine" "id:5,phase:2,deny,severity:2"
SecRule ARGZ "@rx a" "id:6,phase:2,deny,severity:2"
SecRule ARGS "@fuzzyHash x 1" "id:7,phase:2,deny,severity:2"
SecRule ARGS "@guess x" "id:8,phase:2,deny,severity:2"
SecRule ARGS "@rx a" "id:9,phase:2,deny,t:sqlHexDecode"
SecRule ARGS "@rx a" "id:10,phase:2,wink"
SecRule ARGS "@rx a" "phase:2,deny"
SecRule ARGS "@rx a" "id:5,phase:2,deny"
SecRule ARGS "@rx a" "id:11,phase:2,deny,chain"
  SecRule ARGS "@rx a**" "t:lowercase"
SecRule ARGS "@rx last" "id:12,phase:2,deny,severity:2"
SecDefaultAction "phase:2,log,pass"
SecDefaultAction "phase:2,log,deny"
SecFoo bar
SecRule ARGS "open
`})
	want := []string{
		`1: rule 1: pattern cannot be compiled: "(?R)" is not supported`,
		`2: rule 2: pattern cannot be compiled: "(?(1" is not supported`,
		"3: rule 3: pattern cannot be compiled: missing closing )",
		"4: rule 4: pattern cannot be compiled: reference to undefined group number 1",
		"6: rule 6: unknown variable ARGZ",
		"7: rule 7: operator @fuzzyHash: Coraza does not implement it",
		"8: rule 8: unknown operator @guess",
		`9: rule 9: invalid transformation name "sqlHexDecode"`,
		`10: rule 10: invalid action "wink"`,
		"11: SecRule: rule has no id",
		"12: rule 5: the id is already used by the rule at DIR/a.conf:5",
		"13: rule 11: pattern cannot be compiled: invalid nested repetition operator",
		"17: SecDefaultAction: phase 2 already has one at DIR/a.conf:16",
		`18: SecFoo: unknown directive "secfoo"`,
		`19: SecRule: expected terminating quote`,
	}
	c := config(t, setting.Map{"rules": dir, "rule_packs": "off"})
	_, err := library.Open(c)
	require.Error(t, err)
	for _, line := range want {
		require.ErrorContains(t, err, filepath.Join(dir, "a.conf")+":"+strings.ReplaceAll(line, "DIR", dir))
	}
	require.Len(t, strings.Split(err.Error(), "\n"), len(want))

	report := Check(c)
	require.Len(t, append(report.Refused, report.Broken...), len(want))
	require.Equal(t, "7 rules loaded, 13 skipped", report.Summary(), "rules 5 and 12, and those of the engine")

	lax := open(t, setting.Map{"rules": dir, "rules_strict": "off"})
	require.Len(t, lax.Warnings(), len(want))
	require.Contains(t, lax.Warnings()[len(want)-1], "; skipped")
	transaction := sample()
	transaction.URI = "/?a=fine&b=last"
	v, err := lax.Inspect(transaction)
	require.NoError(t, err)
	require.Equal(t, []int{5, 12}, ids(v))
}

// heap returns the bytes in use after everything that is not has been collected.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestFailedLoadsLeaveNothingBehind(t *testing.T) {
	dir := t.TempDir()
	copyCRS(t, dir)
	write(t, dir, map[string]string{"zz.conf": `SecRule ARGS "@rx (?=broken" "id:1,phase:2,deny"`})
	c := config(t, setting.Map{"rules": dir})
	load := func() {
		_, err := library.Open(c)
		require.ErrorContains(t, err, "pattern cannot be compiled")
	}
	load()
	before := heap()
	for range 3 {
		load()
	}
	require.Less(t, heap()-before, int64(1<<20), "bytes that three failed loads of CRS leave")
}
