package grafana

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// flat reads an alert of the golden files, by the names of its fields with points between them.
func flat(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../filter/testdata/" + file)
	require.NoError(t, err)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var nested map[string]any
	require.NoError(t, decoder.Decode(&nested))
	fields := map[string]string{}
	var walk func(prefix string, in map[string]any)
	walk = func(prefix string, in map[string]any) {
		for key, value := range in {
			if inner, is := value.(map[string]any); is {
				walk(prefix+key+".", inner)
				continue
			}
			fields[prefix+key] = fmt.Sprint(value)
		}
	}
	walk("", nested)
	return fields
}

// parsing is the part of a LogQL query that makes labels of an alert: what stands between the selector and the filters for
// the dashboard's variables.
var parsing = regexp.MustCompile("(?s)\\{\\$selector\\} (.*?) \\| source_ip=~`\\$source`")

// lokiParsing returns that part, which all queries of the dashboard have in common.
func lokiParsing(t *testing.T) string {
	t.Helper()
	common := ""
	for _, p := range dashboards(t)["alerts-loki.json"].Panels {
		for _, q := range p.Targets {
			found := parsing.FindStringSubmatch(q.Expr)
			require.NotNil(t, found, p.Title)
			if common == "" {
				common = found[1]
			}
			require.Equal(t, common, found[1], p.Title)
		}
	}
	return common
}

var (
	jsonLabel   = regexp.MustCompile(`(\w+)="([^"]+)"`)
	formatLabel = regexp.MustCompile("(\\w+)=`([^`]*)`")
	lokiFuncs   = template.FuncMap{
		"trunc": func(n int, text string) string { return text[:min(n, len(text))] },
		"regexReplaceAll": func(pattern, text, by string) string {
			return regexp.MustCompile(pattern).ReplaceAllString(text, by)
		},
	}
)

// labels runs the stages json and label_format of a query over the fields of an alert, as Loki does.
func labels(t *testing.T, query string, fields map[string]string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for stage := range strings.SplitSeq(query, "| ") {
		switch name, args, _ := strings.Cut(stage, " "); name {
		case "json":
			for _, l := range jsonLabel.FindAllStringSubmatch(args, -1) {
				all[l[1]] = fields[l[2]]
			}
		case "label_format":
			for _, l := range formatLabel.FindAllStringSubmatch(args, -1) {
				text, err := template.New(l[1]).Option("missingkey=zero").Funcs(lokiFuncs).Parse(l[2])
				require.NoError(t, err, l[1])
				var b strings.Builder
				require.NoError(t, text.Execute(&b, all), l[1])
				all[l[1]] = b.String()
			}
		}
	}
	return all
}

func TestLokiReadsTheDefaultFormatAndECS(t *testing.T) {
	query := lokiParsing(t)
	for file, format := range map[string]string{"sample-msa.json": "msa", "sample-ecs.txt": "ecs"} {
		fields := flat(t, file)
		got := labels(t, query, fields)
		want := map[string]string{
			"source_ip": "192.168.1.105", "destination_ip": "192.168.1.55", "host": "192.168.1.55", "path": "/", "outcome": "blocked", "severity": "2",
		}
		for label, value := range want {
			require.Equal(t, value, got[label], "%s of %s", label, format)
		}
		require.Equal(t, firstOf(fields, "rule_id", "rule.id"), got["rule_id"], format)
		require.Equal(t, firstOf(fields, "msg", "rule.name"), got["rule_name"], format)
		require.Contains(t, []string{"rce", "lfi"}, got["category"], format)
	}
	unrefused := flat(t, "sample-msa.json")
	unrefused["retcode"] = "200"
	require.Equal(t, "not recorded", labels(t, query, unrefused)["outcome"])
}

func firstOf(fields map[string]string, names ...string) string {
	for _, name := range names {
		if fields[name] != "" {
			return fields[name]
		}
	}
	return ""
}

// step is one processor of an ingest pipeline: those that only move, set and replace texts.
type step struct {
	Rename *struct {
		Field         string
		Target        string `json:"target_field"`
		IgnoreMissing bool   `json:"ignore_missing"`
	}
	Set  *struct{ Field, Value string }
	Gsub *struct{ Field, Pattern, Replacement string }
}

var mustache = regexp.MustCompile(`\{\{\{([\w.]+)\}\}\}`)

// ingested runs the ingest pipeline for alerts in the default format, as OpenSearch does.
func ingested(t *testing.T, fields map[string]string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("opensearch-ingest-pipeline.json")
	require.NoError(t, err)
	var pipeline struct {
		Description string
		Processors  []step
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&pipeline))
	for _, s := range pipeline.Processors {
		switch {
		case s.Rename != nil:
			value, has := fields[s.Rename.Field]
			require.True(t, has || s.Rename.IgnoreMissing, s.Rename.Field)
			require.NotContains(t, fields, s.Rename.Target)
			for name := range fields {
				require.False(t, strings.HasPrefix(s.Rename.Target, name+".") && name != s.Rename.Field, "%s is a text, not an object", name)
			}
			delete(fields, s.Rename.Field)
			fields[s.Rename.Target] = value
		case s.Set != nil:
			fields[s.Set.Field] = mustache.ReplaceAllStringFunc(s.Set.Value, func(name string) string { return fields[strings.Trim(name, "{}")] })
		case s.Gsub != nil:
			fields[s.Gsub.Field] = regexp.MustCompile(s.Gsub.Pattern).ReplaceAllString(fields[s.Gsub.Field], s.Gsub.Replacement)
		}
	}
	return fields
}

func TestOpenSearchReadsTheDefaultFormat(t *testing.T) {
	ecs := flat(t, "sample-ecs.txt")
	got := ingested(t, flat(t, "sample-msa.json"))
	text, err := os.ReadFile("alerts-opensearch.json")
	require.NoError(t, err)
	for _, match := range fieldNames["alerts-opensearch.json"].FindAllStringSubmatch(string(text), -1) {
		switch name := strings.Join(match[1:], ""); name {
		case "@timestamp": // Fluent Bit's output writes it
		case "rule.id", "rule.name", "rule.category": // formats name alerts after different rules
			require.NotEmpty(t, got[name], name)
		default:
			require.Equal(t, ecs[name], got[name], name)
		}
	}
	unrefused := flat(t, "sample-msa.json")
	unrefused["retcode"] = "200"
	require.Equal(t, "not recorded", ingested(t, unrefused)["waf.outcome"])
}

// TestCategoriesOfTheDefaultFormat compares what the dashboards derive from the id of a rule with the categories of the rules.
func TestCategoriesOfTheDefaultFormat(t *testing.T) {
	f, err := filter.New(nil, setting.Map{}, func(filter.Level, string) {})
	require.NoError(t, err)
	defer f.Close()
	counts := map[string]map[string]int{}
	for _, r := range f.Rules() {
		if id := strconv.Itoa(r.ID); r.Detection && r.Category() != "" {
			if counts[id[:3]] == nil {
				counts[id[:3]] = map[string]int{}
			}
			counts[id[:3]][r.Category()]++
		}
	}
	require.Greater(t, len(counts), 15)
	query := lokiParsing(t)
	for group, categories := range counts {
		most := ""
		for category, n := range categories {
			if n > categories[most] {
				most = category
			}
		}
		alert := flat(t, "sample-msa.json")
		alert["rule_id"] = group + "123"
		require.Equal(t, most, labels(t, query, alert)["category"], "Loki: rules %s", group)
		require.Equal(t, most, ingested(t, alert)["rule.category"], "OpenSearch: rules %s", group)
	}
}
