package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
)

// archive is a directory with a log of each day, the older ones compressed as rotation leaves them.
func archive(t *testing.T, days int) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "archive")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "older", ".trash"), 0o755))
	for day := range days {
		var text strings.Builder
		for n := range 200 {
			uri := fmt.Sprintf("/orders/%d", n)
			if n%50 == day {
				uri += "?q=../../etc/passwd"
			}
			fmt.Fprintf(&text, "192.0.2.%d - - [%02d/May/2026:%02d:00:00 +0000] \"GET %s HTTP/1.1\" 200 612 \"-\" \"Mozilla/5.0\"\n", n, day+1, n%24, uri)
		}
		write(t, dir, day, text.String())
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".access.log.swp"), []byte(plainAttack), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "older", ".trash", "access.log"), []byte(plainAttack), 0o600))
	return dir
}

func write(t *testing.T, dir string, day int, text string) {
	t.Helper()
	name, packed := fmt.Sprintf("2026-05-%02d.log", day+1), bytes.Buffer{}
	switch day % 3 {
	case 0:
		packed.WriteString(text)
	case 1:
		name += ".gz"
		w := gzip.NewWriter(&packed)
		_, err := w.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, w.Close())
	case 2:
		name = filepath.Join("older", name+".zst")
		w, err := zstd.NewWriter(&packed)
		require.NoError(t, err)
		_, err = w.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, w.Close())
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), packed.Bytes(), 0o600))
}

func TestDirectoriesAreReadInAFixedOrder(t *testing.T) {
	dir := archive(t, 9)
	for _, output := range []string{"table", "json"} {
		args := []string{"check", "--output", output}
		whole := wafctl(nil, nil, append(args, dir)...)
		require.Equal(t, cli.ExitAlert, whole.code, whole.err)
		if output == "table" {
			require.Contains(t, whole.out, "1,800 records: 36 alerts, 1,764 clean, 0 not HTTP\n")
		}
		var ordered []string
		for _, name := range []string{"01.log", "02.log.gz", "04.log", "05.log.gz", "07.log", "08.log.gz"} {
			ordered = append(ordered, filepath.Join(dir, "2026-05-"+name))
		}
		for _, name := range []string{"03", "06", "09"} {
			ordered = append(ordered, filepath.Join(dir, "older", "2026-05-"+name+".log.zst"))
		}
		require.Equal(t, wafctl(nil, nil, append(args, ordered...)...).out, whole.out)
		require.Equal(t, whole.out, wafctl(nil, nil, append(args, filepath.Join(filepath.Dir(dir), "ar*"))...).out, "a pattern")
		byPattern := wafctl(nil, nil, append(args, filepath.Join(dir, "*.log"), filepath.Join(dir, "*.gz"), filepath.Join(dir, "older"))...)
		require.Equal(t, cli.ExitAlert, byPattern.code, byPattern.err)
		require.Equal(t, strings.Count(whole.out, "passwd"), strings.Count(byPattern.out, "passwd"))
		for range 3 {
			require.Equal(t, whole.out, wafctl(nil, nil, append(args, dir)...).out, "in each run")
		}
	}
}

func TestUnreadableFilesOfADirectoryAreReportedInTheirOrder(t *testing.T) {
	dir := archive(t, 4)
	whole := filepath.Join(dir, "2026-05-02.log.gz")
	content, err := os.ReadFile(whole)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(whole, content[:len(content)-9], 0o600))
	got := wafctl(nil, nil, "check", dir)
	require.Equal(t, cli.ExitError, got.code)
	require.Contains(t, got.err, "read records: "+whole+": unexpected EOF")
	require.Contains(t, got.out, "2026-05-04.log:4  2026-05-04T03:00:00Z", "the rest is read")

	empty := t.TempDir()
	got = wafctl(nil, nil, "check", empty, dir, "nothing-*")
	require.Equal(t, cli.ExitError, got.code)
	require.Contains(t, got.err, "no files in "+empty)
	require.Contains(t, got.err, `no file matches "nothing-*"`)
	require.Empty(t, got.out, "nothing is read when an argument stands for nothing")
	got = wafctl(strings.NewReader(clean), nil, "check", "-", dir, "-")
	require.Contains(t, got.err, "- is given more than once")
}

func TestOnlyTheSpanOfTimeIsInspected(t *testing.T) {
	dir := archive(t, 6)
	for name, c := range map[string]struct {
		flags []string
		want  string
	}{
		"from a day on":             {[]string{"--since", "2026-05-05"}, "400 records: 8 alerts, 392 clean, 0 not HTTP; 800 outside --since and --until\n"},
		"to an hour with a zone":    {[]string{"--until", "2026-05-01T03:00:00+02:00"}, "9 records: 1 alert, 8 clean, 0 not HTTP; 1,191 outside --since and --until\n"},
		"one hour":                  {[]string{"--since", "2026-05-02T05:00:00Z", "--until", "2026-05-02 06:00:00"}, "9 records: 1 alert, 8 clean, 0 not HTTP; 1,191 outside --since and --until\n"},
		"so long ago, which is all": {[]string{"--since", "2000000h"}, "1,200 records: 24 alerts, 1,176 clean, 0 not HTTP\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got := wafctl(nil, nil, append(append([]string{"check"}, c.flags...), dir)...)
			require.Equal(t, cli.ExitAlert, got.code, got.err)
			require.Contains(t, got.out, "\n"+c.want)
		})
	}
	for problem, flags := range map[string][]string{
		`--since: malformed time "soon"`:                          {"--since", "soon"},
		"--since: negative":                                       {"--since", "-3h"},
		"--until: 2026-05-01 is before --since":                   {"--since", "2026-05-02", "--until", "2026-05-01"},
		"--since: cannot be combined with --explain and --profil": {"--since", "2026-05-02", "--explain"},
	} {
		got := wafctl(nil, nil, append(append([]string{"check"}, flags...), dir)...)
		require.Equal(t, cli.ExitError, got.code)
		require.Contains(t, got.err, problem)
	}
}

func TestRecordsWithoutATimeHaveThatOfTheirFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "records.ndjson")
	batch := `{"records":[` + timed(attack, "2026-05-01T00:00:00Z") + `,` + timed(clean, "2026-05-03T00:00:00Z") + `]}`
	require.NoError(t, os.WriteFile(file, []byte(attack+"\nnot JSON\n"+batch+"\n"), 0o600))
	modified := time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)
	require.NoError(t, os.Chtimes(file, modified, modified))
	for since, want := range map[string]string{
		"2026-05-02": "3 records: 2 alerts, 1 clean, 0 not HTTP; 1 line could not be read\n", // a line with several records stays whole
		"2026-05-04": "0 records: 0 alerts, 0 clean, 0 not HTTP; 2 outside --since and --until; 1 line could not be read\n",
	} {
		got := wafctl(nil, nil, "check", "--since", since, file)
		require.Equal(t, cli.ExitError, got.code)
		require.Contains(t, got.err, file+":2: ")
		require.Contains(t, got.out, want)
	}
}

// timed returns a record with a time.
func timed(record, at string) string { return `{"BEGIN_TIME":"` + at + `",` + record[1:] }

func TestIncidentsOfAnArchiveAreTheSameInEachRun(t *testing.T) {
	files := intrusion(t)
	dir := filepath.Dir(files[0])
	want := wafctl(nil, nil, "incidents", "--output", "json", dir)
	require.Equal(t, cli.ExitAlert, want.code, want.err)
	require.Contains(t, want.out, `"pivot"`)
	for range 3 {
		require.Equal(t, want.out, wafctl(nil, nil, "incidents", "--output", "json", dir).out, "with the ids of alerts")
	}
	before := wafctl(nil, nil, "incidents", "--until", "2026-03-03", dir)
	require.Equal(t, cli.ExitClean, before.code, before.err)
	require.Contains(t, before.out, "0 incidents in ")
}
