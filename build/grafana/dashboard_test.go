// Package grafana tests the dashboards beside it.
package grafana

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/metrics"
)

// dashboard is what Grafana 10 and newer read of a dashboard, as far as these have it: unknown keys are mistakes.
type dashboard struct {
	Annotations          struct{ List []any }
	Description          string
	Editable             bool
	FiscalYearStartMonth int
	GraphTooltip         int
	Links                []any
	Panels               []panel
	Refresh              string
	SchemaVersion        int
	Tags                 []string
	Templating           struct{ List []variable }
	Time                 struct{ From, To string }
	Timepicker           struct{}
	Timezone             string
	Title, UID           string
	Version              int
	WeekStart            string
}

type variable struct {
	AllValue, Definition, Description, Label, Name, Regex, Type string
	Current                                                     struct {
		Selected    bool
		Text, Value any
	}
	Datasource        *source
	Hide              int
	IncludeAll, Multi bool
	Options           []any
	Query             any
	Refresh, Sort     int
	SkipURLSync       bool
}

type source struct{ Type, UID string }

type panel struct {
	ID                       int
	Type, Title, Description string
	Collapsed                bool
	Panels                   []any
	Datasource               source
	GridPos                  struct{ H, W, X, Y int }
	FieldConfig              struct {
		Defaults struct {
			Color      struct{ Mode string }
			Custom     any
			Decimals   *int
			Mappings   []any
			Min        *float64
			Thresholds struct {
				Mode  string
				Steps []struct {
					Color string
					Value *float64
				}
			}
			Unit string
		}
		Overrides []any
	}
	Options         any
	Targets         []target
	Transformations []struct {
		ID      string
		Options any
	}
}

type target struct {
	RefID                                       string
	Datasource                                  source
	EditorMode, LegendFormat, QueryType, Format string
	Expr                                        string // Prometheus and Loki
	Instant, Range                              bool
	MaxLines                                    int
	Alias, Query, TimeField                     string // OpenSearch
	BucketAggs, Metrics                         []any
}

// dashboards reads all of them by file name.
func dashboards(t *testing.T) map[string]*dashboard {
	t.Helper()
	files, err := filepath.Glob("*.json")
	require.NoError(t, err)
	all := map[string]*dashboard{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if !bytes.Contains(text, []byte(`"schemaVersion"`)) {
			continue // the index template
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		all[file] = &dashboard{}
		require.NoError(t, decoder.Decode(all[file]), file)
	}
	require.Len(t, all, 3)
	return all
}

// units are those of Grafana that the panels use.
var units = []string{"none", "short", "bytes", "s", "percentunit", "reqps"}

// panelTypes are panels that every Grafana has.
var panelTypes = []string{"stat", "timeseries", "table", "bargauge", "piechart", "logs"}

func TestDashboardsAreWhatGrafanaReads(t *testing.T) {
	want := map[string]string{"metrics.json": "prometheus", "alerts-loki.json": "loki", "alerts-opensearch.json": "grafana-opensearch-datasource"}
	uids := map[string]bool{}
	for file, d := range dashboards(t) {
		t.Run(file, func(t *testing.T) {
			assert.NotEmpty(t, d.Title)
			assert.NotEmpty(t, d.Description)
			assert.GreaterOrEqual(t, d.SchemaVersion, 39)
			assert.False(t, uids[d.UID], "the uid is taken")
			uids[d.UID] = true

			first := d.Templating.List[0]
			assert.Equal(t, "datasource", first.Type)
			assert.Equal(t, want[file], first.Query)
			for _, v := range d.Templating.List[1:] {
				if v.Type == "query" {
					assert.Equal(t, &source{want[file], "${datasource}"}, v.Datasource)
				}
			}
			ids := map[int]bool{}
			for i := range d.Panels {
				checkPanel(t, &d.Panels[i], want[file])
				assert.False(t, ids[d.Panels[i].ID], "id %d is taken", d.Panels[i].ID)
				ids[d.Panels[i].ID] = true
			}
			checkPlaces(t, d.Panels)
			checkVariables(t, file, d)
		})
	}
}

func checkPanel(t *testing.T, p *panel, datasource string) {
	t.Helper()
	assert.NotEmpty(t, p.Title)
	if p.Type == "row" {
		return
	}
	assert.Contains(t, panelTypes, p.Type, p.Title)
	assert.Regexp(t, `^[A-Z].{20,}\.$`, p.Description, "description of %q", p.Title)
	assert.Contains(t, units, p.FieldConfig.Defaults.Unit, "unit of %q", p.Title)
	assert.Equal(t, source{datasource, "${datasource}"}, p.Datasource, p.Title)
	require.NotEmpty(t, p.Targets, p.Title)
	refs := map[string]bool{}
	for _, q := range p.Targets {
		assert.Equal(t, p.Datasource, q.Datasource, p.Title)
		assert.NotEmpty(t, q.Expr+q.Query, p.Title)
		assert.False(t, refs[q.RefID], "%q has two queries %s", p.Title, q.RefID)
		refs[q.RefID] = true
	}
}

// checkPlaces finds panels that lie on each other or stick out.
func checkPlaces(t *testing.T, panels []panel) {
	t.Helper()
	taken := map[[2]int]string{}
	for _, p := range panels {
		g := p.GridPos
		assert.True(t, g.X >= 0 && g.X+g.W <= 24 && g.W > 0 && g.H > 0, "place of %q", p.Title)
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				assert.Empty(t, taken[[2]int{x, y}], "%q lies on it", p.Title)
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

var variableName = regexp.MustCompile(`\$\{?([a-z]\w*)`)

// checkVariables finds variables that are used and not there, or there and not used.
func checkVariables(t *testing.T, file string, d *dashboard) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var names []string
	for _, v := range d.Templating.List {
		names = append(names, v.Name)
		assert.Regexp(t, `\$\{?`+v.Name+`\b`, string(text), "variable that no query uses")
	}
	for _, found := range variableName.FindAllStringSubmatch(string(text), -1) {
		assert.Contains(t, names, found[1])
	}
}

var metricName = regexp.MustCompile(`\bwaf_[a-z_]+\b`)

// unknownMetrics returns the names in a text that are no metrics of the project.
func unknownMetrics(text string) (unknown []string) {
	for _, name := range metricName.FindAllString(text, -1) {
		if !slices.ContainsFunc(metrics.Families, func(f *metrics.Family) bool {
			if f.TypeName() != "histogram" {
				return f.Name == name
			}
			return slices.Contains([]string{f.Name + "_bucket", f.Name + "_sum", f.Name + "_count"}, name)
		}) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

func TestQueriesNameMetricsThatExist(t *testing.T) {
	for _, file := range []string{"metrics.json", "../prometheus/alerts.yaml", "../prometheus/alerts_test.yaml"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Empty(t, unknownMetrics(string(text)), file)
	}
}

var (
	selected  = regexp.MustCompile(`\b(waf_[a-z_]+?)(?:_bucket|_sum|_count)?\{([^}]*)\}`)
	matcher   = regexp.MustCompile(`(\w+)(?:=|!=|=~|!~)"`)
	grouping  = regexp.MustCompile(`by \(([^)]*)\)`)
	inLegend  = regexp.MustCompile(`\{\{(\w+)\}\}`)
	ofScraped = []string{"job", "instance", "kind", "name", "le"} // labels that all metrics have, and buckets
)

// TestQueriesNameLabelsThatExist finds labels that no metric of a query has: such a query is no error, and shows nothing.
func TestQueriesNameLabelsThatExist(t *testing.T) {
	for _, p := range dashboards(t)["metrics.json"].Panels {
		for _, q := range p.Targets {
			known := slices.Clone(ofScraped)
			for _, found := range selected.FindAllStringSubmatch(q.Expr, -1) {
				i := slices.IndexFunc(metrics.Families, func(f *metrics.Family) bool { return f.Name == found[1] })
				require.GreaterOrEqual(t, i, 0, found[1])
				labels := append(slices.Clone(ofScraped), metrics.Families[i].Labels...)
				for _, m := range matcher.FindAllStringSubmatch(found[2], -1) {
					require.Contains(t, labels, m[1], "%s: %s", p.Title, q.Expr)
				}
				known = append(known, labels...)
			}
			for _, found := range grouping.FindAllStringSubmatch(q.Expr, -1) {
				for _, label := range strings.Split(found[1], ",") {
					require.Contains(t, known, strings.TrimSpace(label), "%s: %s", p.Title, q.Expr)
				}
			}
			for _, found := range inLegend.FindAllStringSubmatch(q.LegendFormat, -1) {
				require.Contains(t, known, found[1], "legend of %q", p.Title)
			}
		}
	}
}

// Every metric is worth a look somewhere.
func TestTheDashboardShowsEveryMetric(t *testing.T) {
	text, err := os.ReadFile("metrics.json")
	require.NoError(t, err)
	for _, f := range metrics.Families {
		if !strings.Contains(string(text), f.Name) {
			require.Contains(t, notShown, f.Name)
		}
	}
}

// notShown are metrics that need no panel: when something happened last, and numbers that say little over time.
var notShown = []string{
	"waf_rules_loaded_timestamp_seconds", "waf_rules_reload_timestamp_seconds", "waf_rules_reload_seconds", "waf_rules_skipped",
}

// alert is one in the format ecs, by the names of its fields.
func alert(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile("../../filter/testdata/sample-ecs.txt")
	require.NoError(t, err)
	var nested map[string]any
	require.NoError(t, json.NewDecoder(bytes.NewReader(text)).Decode(&nested))
	flat := map[string]any{}
	var walk func(prefix string, in map[string]any)
	walk = func(prefix string, in map[string]any) {
		for key, value := range in {
			flat[prefix+key] = value
			if inner, is := value.(map[string]any); is {
				walk(prefix+key+".", inner)
			}
		}
	}
	walk("", nested)
	return flat
}

// fieldNames finds what queries for alerts take for fields of them.
var fieldNames = map[string]*regexp.Regexp{
	"alerts-loki.json":       regexp.MustCompile(`\w+=\\"((?:rule|event|source|destination|url|waf)\.[a-z_.]+)\\"`),
	"alerts-opensearch.json": regexp.MustCompile(`"field": "(@?[a-z_.]+)"|([a-z]+\.[a-z_]+):`),
}

func TestFieldsOfAlertsExist(t *testing.T) {
	fields := alert(t)
	template, err := os.ReadFile("opensearch-index-template.json")
	require.NoError(t, err)
	var mapped struct {
		IndexPatterns []string `json:"index_patterns"`
		Template      struct {
			Mappings struct {
				Properties map[string]struct{ Type string }
			}
		}
	}
	require.NoError(t, json.Unmarshal(template, &mapped))
	for file, names := range fieldNames {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		found := names.FindAllStringSubmatch(string(text), -1)
		require.Greater(t, len(found), 10, file)
		for _, match := range found {
			name := strings.Join(match[1:], "")
			require.Contains(t, fields, name, file)
			if file == "alerts-opensearch.json" {
				require.Contains(t, mapped.Template.Mappings.Properties, name, "opensearch-index-template.json")
			}
		}
	}
}
