package main

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

const chartSchema = "../../build/helm/fluent-bit-waf/values.schema.json"

// ofFluentBit are properties that Fluent Bit itself reads in every filter and output.
var ofFluentBit = []setting.Property{
	{Name: "alias", Help: "name of the instance in metrics and logs"},
	{Name: "log_level", Help: "log level of the instance", Values: []string{"off", "error", "warn", "info", "debug", "trace"}},
}

// TestSchemaOfTheChartIsCurrent keeps what the chart takes as properties what the code has: a misspelled one fails the installation.
func TestSchemaOfTheChartIsCurrent(t *testing.T) {
	content, err := os.ReadFile(chartSchema)
	require.NoError(t, err)
	text := string(content)
	ofFilter, ofOutput := filter.Properties(), filter.OutputProperties()
	shared := slices.DeleteFunc(slices.Clone(ofFilter), func(p setting.Property) bool { return !slices.Contains(names(ofOutput), p.Name) })
	ofOutput = slices.DeleteFunc(ofOutput, func(p setting.Property) bool { return p.Name == "alert_to" }) // made of destinations
	ofOutput = append(append(ofOutput, ofFluentBit...),
		setting.Property{Name: "retry_limit", Help: "how often a chunk is tried again after a failed delivery; no_limits unless set"},
		setting.Property{Name: "storage.total_limit_size", Help: "what chunks on disk may take that wait for the output"})
	for name, definition := range map[string]string{
		"properties":       schemaOf(t, shared, nil),
		"outputProperties": schemaOf(t, ofOutput, names(shared)),
		"filterProperties": schemaOf(t, append(ofFilter, ofFluentBit...), names(shared)),
	} {
		place := regexp.MustCompile(`(?m)^    "` + name + `": \{\n(?:      .*\n)*    \}`).FindStringIndex(text)
		require.NotNil(t, place, name)
		text = text[:place[0]] + `    "` + name + `": ` + definition + text[place[1]:]
	}
	if *update {
		require.NoError(t, os.WriteFile(chartSchema, []byte(text), 0o644))
	}
	content, err = os.ReadFile(chartSchema)
	require.NoError(t, err)
	require.Equal(t, text, string(content), `"make generate" writes it anew`)
}

// schemaOf returns the JSON schema of a map of properties. Those in shared refer to the definition that describes them.
func schemaOf(t *testing.T, properties []setting.Property, shared []string) string {
	t.Helper()
	var lines []string
	for _, p := range properties {
		var schema any = schemaOfValue(p)
		if slices.Contains(shared, p.Name) {
			schema = map[string]string{"$ref": "#/definitions/properties/properties/" + p.Name}
		}
		var line strings.Builder
		encoder := json.NewEncoder(&line)
		encoder.SetEscapeHTML(false)
		require.NoError(t, encoder.Encode(schema))
		lines = append(lines, `        "`+p.Name+`": `+strings.TrimSpace(line.String()))
	}
	return "{\n      \"type\": \"object\",\n      \"additionalProperties\": false,\n      \"properties\": {\n" +
		strings.Join(lines, ",\n") + "\n      }\n    }"
}

// schemaOfValue describes a value. YAML reads the words on and off as booleans; the chart writes them as words again.
func schemaOfValue(p setting.Property) map[string]any {
	if len(p.Values) == 0 {
		return map[string]any{"type": []string{"string", "number", "boolean"}, "description": p.Help}
	}
	var allowed []any
	for _, v := range p.Values {
		allowed = append(allowed, v)
		if v == "on" || v == "off" {
			allowed = append(allowed, v == "on")
		}
	}
	return map[string]any{"enum": allowed, "description": p.Help}
}
