package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/proxy"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	listening "github.com/fluent-bit-waf/fluent-bit-waf/filter/receive"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/redact"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

const (
	docs   = "../../docs"
	readme = "../../README.md"
)

// crsDetails are the properties that the configuration page keeps in a table of their own.
var crsDetails = []string{
	"detection_paranoia", "enforce_bodyproc_urlencoded", "reporting_level", "restricted_extensions", "restricted_headers_basic",
	"restricted_headers_extended", "allowed_request_content_type_charset", "max_num_args", "arg_name_length", "arg_length",
	"total_arg_length", "max_file_size", "combined_file_sizes", "validate_utf8_encoding", "static_extensions", "paranoia",
	"executing_paranoia", "modsec_req_body_access", "modsec_req_body_limit", "modsec_req_body_json_depth_limit",
	"modsec_arguments_limit", "modsec_resp_body_access", "modsec_resp_body_limit", "modsec_resp_body_mimetype",
}

func names(table []setting.Property) (list []string) {
	for _, p := range table {
		list = append(list, p.Name)
	}
	return list
}

// requireCurrent compares the generated parts of a page with what they should be, or writes them.
func requireCurrent(t *testing.T, path string, parts map[string]string) {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	text := string(content)
	for name, part := range parts {
		before, rest, found := strings.Cut(text, "<!-- generated: "+name+" -->\n")
		require.True(t, found, name)
		old, after, found := strings.Cut(rest, "<!-- end -->")
		require.True(t, found, name)
		if !*update {
			require.Equal(t, part, old, "make generate writes it anew")
		}
		text = before + "<!-- generated: " + name + " -->\n" + part + "<!-- end -->" + after
	}
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
}

// TestConfigurationPageIsCurrent keeps the reference of all properties what the code says.
func TestConfigurationPageIsCurrent(t *testing.T) {
	ofRules, ofFilter := names(rules.Properties()), names(filter.Properties())
	part := func(table []setting.Property, belongs func(name string) bool) string {
		return valueTable(slices.DeleteFunc(table, func(p setting.Property) bool { return !belongs(p.Name) }))
	}
	pace := []string{"reload_interval", "inspect_budget"} // say nothing of alerts
	isWriting := func(name string) bool { return slices.Contains(cli.Writing, name) && !slices.Contains(pace, name) }
	requireCurrent(t, filepath.Join(docs, "configuration.md"), map[string]string{
		"rules": part(filter.Properties(), func(name string) bool {
			return slices.Contains(ofRules, name) && !slices.Contains(crsDetails, name)
		}),
		"crs": part(filter.Properties(), func(name string) bool { return slices.Contains(crsDetails, name) }),
		"filter": part(filter.Properties(), func(name string) bool {
			return !slices.Contains(ofRules, name) && !slices.Contains(crsDetails, name) && !isWriting(name)
		}),
		"alerts": part(filter.Properties(), isWriting),
		"output": part(filter.OutputProperties(), func(name string) bool { return !slices.Contains(ofFilter, name) }),
		"input":  part(listening.InputProperties(), func(string) bool { return true }),
	})
}

// valueTable writes properties with the values that they take.
func valueTable(properties []setting.Property) string {
	var b strings.Builder
	b.WriteString("\n| property | values | default | meaning |\n|---|---|---|---|\n")
	escape := strings.NewReplacer("|", `\|`, "<", "&lt;")
	code := func(text string) string {
		if text == "" {
			return ""
		}
		return "`" + text + "`"
	}
	for _, p := range properties {
		var values []string
		for _, v := range p.Values {
			values = append(values, code(v))
		}
		if p.Default == "on" || p.Default == "off" && strings.HasPrefix(p.Help, "on ") {
			values = []string{"`on`", "`off`"}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", p.Name, strings.Join(values, " "), code(p.Default), escape.Replace(p.Help))
	}
	return b.String() + "\n"
}

// TestEnvironmentPageIsCurrent keeps the table of modsecurity-crs-docker's variables what the proxy makes of them.
func TestEnvironmentPageIsCurrent(t *testing.T) {
	ofRules := names(rules.Properties()) // the page has them in a table of their own
	variables := slices.DeleteFunc(proxy.Variables(), func(v proxy.Variable) bool { return slices.Contains(ofRules, strings.ToLower(v.Name)) })
	requireCurrent(t, filepath.Join(docs, "migrate-from-crs-docker.md"), map[string]string{"environment": variableTable(variables)})
}

// variableTable writes variables with what they set, those that set the same together.
func variableTable(all []proxy.Variable) string {
	type row struct{ flag, note string }
	names := map[row][]string{}
	var rows []row
	for _, v := range all {
		r := row{note: v.Note}
		switch {
		case v.Setting == "":
			r.flag = "none"
		case v.Setting == strings.ToLower(v.Name):
			r.flag = "same name"
		default:
			r.flag = "`" + cli.FlagName(v.Setting) + "`"
		}
		if names[r] == nil {
			rows = append(rows, r)
		}
		names[r] = append(names[r], v.Name)
	}
	var b strings.Builder
	b.WriteString("\n| variables | flag | note |\n|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", strings.Join(names[r], ", "), r.flag, r.note)
	}
	return b.String() + "\n"
}

// TestRedactionPageIsCurrent keeps the lists of names and places what the code knows.
func TestRedactionPageIsCurrent(t *testing.T) {
	requireCurrent(t, filepath.Join(docs, "redaction.md"), map[string]string{
		"names": nameTable(&redact.BuiltIn), "places": placeTable(redact.Places), "escapes": "\n- " + strings.Join(redact.Escapes(), "\n- ") + "\n\n",
	})
}

// nameTable writes the names of secrets.
func nameTable(n *redact.Names) string {
	var b strings.Builder
	b.WriteString("\n| secret | names |\n|---|---|\n")
	for _, row := range []struct {
		what  string
		names []string
	}{
		{"any value of a name that contains", n.Parts},
		{"any value of a name with the word", n.Words},
		{"any value of", n.Whole},
		{"what looks random in the value of a name that ends with", n.Random},
		{"the same, and any value of 6 to 10 digits, of a name that ends with", n.Code},
		{"nothing, although the name ends so", n.Innocuous},
	} {
		fmt.Fprintf(&b, "| %s | `%s` |\n", row.what, strings.Join(row.names, "` `"))
	}
	return b.String() + "\n"
}

// mostExamples of a place are on the page; the tests of the package redact have all.
const mostExamples = 2

// placeTable writes the places of secrets with examples.
func placeTable(places []redact.Place) string {
	var b strings.Builder
	b.WriteString("\n| place | in the | examples |\n|---|---|---|\n")
	escape := strings.NewReplacer("|", `\|`, "\r", `\r`, "\n", `\n`)
	for i := 0; i < len(places); {
		p := &places[i]
		fmt.Fprintf(&b, "| %s | %s | ", p.What, p.In)
		for first := i; i < len(places) && places[i].What == p.What && places[i].In == p.In; i++ {
			switch {
			case i-first >= mostExamples:
				continue
			case i > first:
				b.WriteString("<br>")
			}
			fmt.Fprintf(&b, "`%s`", escape.Replace(places[i].Example))
		}
		b.WriteString(" |\n")
	}
	return b.String() + "\n"
}

// consoleBlock is a block of a page with commands and what they print.
var consoleBlock = regexp.MustCompile("(?s)```console\n(.*?)```")

// TestExamplesOfPagesAreReal runs every command that a page shows with its output.
func TestExamplesOfPagesAreReal(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(docs, "*.md"))
	require.NoError(t, err)
	ran := 0
	for _, path := range append(pages, readme) {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		text := consoleBlock.ReplaceAllStringFunc(string(content), func(block string) string {
			var b strings.Builder
			b.WriteString("```console\n")
			for _, shown := range examplesOf(consoleBlock.FindStringSubmatch(block)[1]) {
				ran++
				got := shown.Run(t)
				if comparable(got) == comparable(shown.output) {
					got = shown.output
				}
				if !*update {
					require.Equal(t, shown.output, got, "%s: %s: make generate writes it anew", path, shown.command)
				}
				b.WriteString("$ " + shown.command + "\n" + got)
			}
			return b.String() + "```"
		})
		if *update && text != string(content) {
			require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		}
	}
	require.Greater(t, ran, 15, "commands in %d pages", len(pages))
}

// example is a command of a page and what the page says that it prints.
type example struct{ command, output string }

func examplesOf(block string) (all []example) {
	for line := range strings.Lines(block) {
		if command, is := strings.CutPrefix(line, "$ "); is {
			all = append(all, example{command: strings.TrimSpace(command)})
		} else {
			all[len(all)-1].output += line
		}
	}
	return all
}

// measured is what differs from run to run or with every version: times and shares of them, the size of a page, names of rules
// that have none.
var measured = regexp.MustCompile(`\b\d+(\.\d+)? (ns|µs|ms|s|%|kB)|sha256:[0-9a-f]{12}`)

func comparable(output string) string {
	return strings.Join(strings.Fields(measured.ReplaceAllString(output, "~")), " ")
}

// word is a word of a command line as a shell reads it; the pages need no more of a shell.
var word = regexp.MustCompile(`'([^']*)'|\S+`)

// Run runs the command where the examples are. A command may read a file with "<" and show only some of its lines with "| head"
// and "| tail".
func (x *example) Run(t *testing.T) string {
	t.Helper()
	t.Chdir(filepath.Join(docs, "examples"))
	defer t.Chdir("../../cmd/wafctl")
	command, filters, _ := strings.Cut(x.command, " | ")
	command, input, _ := strings.Cut(command, " < ")
	stdin := ""
	if input != "" {
		content, err := os.ReadFile(input)
		require.NoError(t, err, x.command)
		stdin = string(content)
	}
	var args []string
	for _, part := range word.FindAllStringSubmatch(command, -1) {
		if strings.HasPrefix(part[0], "'") {
			args = append(args, part[1])
		} else {
			args = append(args, part[0])
		}
	}
	require.Equal(t, "wafctl", args[0], x.command)
	got := wafctl(strings.NewReader(stdin), func(c *cli.Console) { c.Width = 110 }, args[1:]...)
	require.NotEqual(t, cli.ExitError, got.code, "%s\n%s", x.command, got.err)
	return cutLines(t, got.out+got.err, filters)
}

// cutLines does what "head -N" and "tail -N" do.
func cutLines(t *testing.T, text, filters string) string {
	t.Helper()
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n")+"\n", "\n")
	lines = lines[:len(lines)-1]
	for _, f := range strings.Split(filters, " | ") {
		name, count, _ := strings.Cut(f, " -")
		n, err := strconv.Atoi(count)
		switch {
		case f == "":
			continue
		case name == "head" && err == nil:
			lines = lines[:min(n, len(lines))]
		case name == "tail" && err == nil:
			lines = lines[max(0, len(lines)-n):]
		default:
			require.Fail(t, "only head -N and tail -N are known", f)
		}
	}
	return strings.Join(lines, "")
}
