package fluentbit

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// lists are the plugins of a pipeline in YAML.
var lists = map[string]Kind{"inputs": Input, "filters": Filter, "outputs": Output}

// yaml reads a file in YAML. Nodes keep the lines that values stand in.
func (c *Config) yaml(path string, text []byte, depth int) error {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if len(document.Content) == 0 {
		return nil
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("%s: no pipeline (want service, pipeline and other keys)", Place{path, root.Line})
	}
	// Variables serve in what stands before them, too.
	for key, value := range members(root) {
		if strings.EqualFold(key.Value, "env") {
			for name, v := range members(value) {
				c.env[name.Value] = v.Value
			}
		}
	}
	for key, value := range members(root) {
		if err := c.yamlPart(path, strings.ToLower(key.Value), value, depth); err != nil {
			return err
		}
	}
	return nil
}

// yamlPart reads what stands under one key at the top of a file.
func (c *Config) yamlPart(path, key string, value *yaml.Node, depth int) error {
	switch key {
	case "service":
		c.add(c.yamlSection(path, Service, value))
	case "includes":
		for _, file := range value.Content {
			if err := c.include(file.Value, Place{path, file.Line}, depth); err != nil {
				return err
			}
		}
	case "plugins":
		for _, file := range value.Content {
			at := Place{path, file.Line}
			c.Plugins = append(c.Plugins, Property{Key: key, Value: c.expand(file.Value, at), Place: at})
		}
	case "pipeline":
		for name, list := range members(value) {
			kind, known := lists[strings.ToLower(name.Value)]
			if !known {
				return fmt.Errorf("%s: unknown key %q in pipeline (want inputs, filters or outputs)", Place{path, name.Line}, name.Value)
			}
			for _, one := range list.Content {
				c.add(c.yamlSection(path, kind, one))
			}
		}
	}
	return nil
}

// yamlSection reads the properties of one plugin.
func (c *Config) yamlSection(path string, kind Kind, node *yaml.Node) Section {
	s := Section{Kind: kind, Place: Place{path, node.Line}}
	for key, value := range members(node) {
		at := Place{path, key.Line}
		switch {
		case strings.EqualFold(key.Value, "processors"):
			for signal, list := range members(value) {
				if !strings.EqualFold(signal.Value, "logs") {
					continue
				}
				for _, one := range list.Content {
					s.Processors = append(s.Processors, c.yamlSection(path, Processor, one))
				}
			}
		case value.Kind == yaml.SequenceNode:
			var parts []string
			for _, part := range value.Content {
				parts = append(parts, c.expand(part.Value, at))
			}
			s.Properties = append(s.Properties, Property{Key: key.Value, Value: strings.Join(parts, ","), Place: at, List: true})
		case value.Kind == yaml.ScalarNode:
			s.Properties = append(s.Properties, Property{Key: key.Value, Value: c.expand(value.Value, at), Place: at})
		}
	}
	return s
}

// members calls yield with each key of a mapping and its value.
func members(node *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		if node.Kind == yaml.AliasNode {
			node = node.Alias
		}
		if node.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			value := node.Content[i+1]
			if value.Kind == yaml.AliasNode {
				value = value.Alias
			}
			if !yield(node.Content[i], value) {
				return
			}
		}
	}
}
