package wafprocessor

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/otel/wafprocessor/internal/metadata"
)

var update = flag.Bool("update", false, "write config.schema.json")

// loaded returns a configuration of testdata/config.yaml.
func loaded(t *testing.T, name string) (*confmap.Conf, *Config) {
	t.Helper()
	file, err := confmaptest.LoadConf("testdata/config.yaml")
	require.NoError(t, err)
	part, err := file.Sub(component.NewIDWithName(metadata.Type, name).String())
	require.NoError(t, err)
	c := createDefaultConfig()
	require.NoError(t, part.Unmarshal(c))
	return part, c.(*Config)
}

func TestConfigurationsAreReadAsInFluentBit(t *testing.T) {
	_, c := loaded(t, "")
	require.NoError(t, confmap.Validate(c))
	for name, want := range map[string]string{"emit_tag": alertTag, "emit_format": "record", "inspect_budget": "off", "incident_tag": "", "rules": ""} {
		require.Equal(t, want, c.Get(name), name)
	}
	_, c = loaded(t, "api")
	require.NoError(t, confmap.Validate(c))
	for name, want := range map[string]string{
		"preset": "api", "blocking_paranoia": "2", "exclude_rules": "920350,tag:attack-xss,942100:ARGS:q", "rule_packs": "off", "redact": "on",
		"inspect_budget": "50ms", "emit_format": "ecs",
	} {
		require.Equal(t, want, c.Get(name), name)
	}
	_, c = loaded(t, "attributes")
	require.NoError(t, confmap.Validate(c))
	require.Empty(t, c.Get("emit_tag"))
	require.Equal(t, "security", c.alertKey())
}

func TestProblemsOfAConfiguration(t *testing.T) {
	for name, wants := range map[string][]string{
		"typo":      {"unknown property blocking_paranoai (did you mean blocking_paranoia?)"},
		"fluentbit": {"property emit_tag does not exist here: alerts are log records of the same pipeline: see alert_records"},
		"values":    {"property rules: malformed value map[crs:true] (want a text, a number, a switch or a list of these)"},
		"range":     {`property anomaly_inbound: malformed number "many"`, `property flood_window: malformed time "1y"`},
		"incidents": {"property alert_detail: requires incidents on"},
		"several":   {"unknown property blocking_paranoai", "property rules: malformed value", `property flood_window: malformed time "1y"`},
	} {
		_, c := loaded(t, name)
		err := confmap.Validate(c)
		for _, want := range wants {
			require.ErrorContains(t, err, want)
		}
	}
}

func TestEveryPropertyOfTheFilterIsHereOrElsewhere(t *testing.T) {
	known := map[string]bool{}
	for _, p := range filter.Properties() {
		known[p.Name] = true
	}
	for name := range elsewhere {
		require.True(t, known[name], name)
	}
	require.Len(t, Properties(), len(known)-len(elsewhere))
}

func TestTheSchemaIsCurrentAndHolds(t *testing.T) {
	want, err := schema()
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile("config.schema.json", want, 0o644))
	}
	text, err := os.ReadFile("config.schema.json")
	require.NoError(t, err)
	require.Equal(t, string(want), string(text), "go test -run TheSchema -update writes it")

	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("config.schema.json", document))
	s, err := compiler.Compile("config.schema.json")
	require.NoError(t, err)
	for name, valid := range map[string]bool{
		"": true, "api": true, "attributes": true, "typo": false, "fluentbit": false, "values": false,
	} {
		part, _ := loaded(t, name)
		plain, err := json.Marshal(part.ToStringMap())
		require.NoError(t, err)
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(plain))
		require.NoError(t, err)
		err = s.Validate(value)
		require.Equal(t, valid, err == nil, "%s: %v", name, err)
	}
}

// schema describes Config, for editors and for the documentation of distributions.
func schema() ([]byte, error) {
	type object = map[string]any
	scalar := []string{"string", "number", "boolean", "null"}
	properties := object{"alert_records": object{
		"type": "boolean", "default": true, "description": "Adds a log record of its own for each alert.",
	}}
	for _, p := range Properties() {
		one := object{"description": p.Help + "."}
		switch {
		case p.Values != nil && p.Default != "on" && p.Default != "off":
			one["enum"] = p.Values
		default:
			one["type"] = append(scalar[:len(scalar):len(scalar)], "array")
			one["items"] = object{"type": scalar[:3]}
		}
		if p.Default != "" {
			one["default"] = p.Default
		}
		properties[p.Name] = one
	}
	text, err := json.MarshalIndent(object{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": metadata.ScopeName, "title": "processor/waf",
		"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false,
	}, "", "  ")
	return append(text, '\n'), err
}
