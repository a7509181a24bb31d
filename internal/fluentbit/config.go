// Package fluentbit reads configurations of Fluent Bit, YAML and classic, as far as programs need that explain what
// is wrong with one. It finds which plugins a pipeline has, in which order and with which properties, and the file
// and line of each. Programs of Fluent Bit themselves are not needed for it.
package fluentbit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Config is a configuration with everything that it includes.
type Config struct {
	Path    string
	Plugins []Property // paths of shared objects that it loads, in order
	Service Section
	Inputs  []Section
	Filters []Section
	Outputs []Section
	Unset   []Property // environment variables that it uses and that have no value, each where it is first used

	env map[string]string
}

// Section is one plugin of a pipeline.
type Section struct {
	Kind       Kind
	Place      Place
	Properties []Property
	Processors []Section // of an input or output, for logs
}

// Kind is what a plugin does in a pipeline.
type Kind string

// The kinds of plugins.
const (
	Service   Kind = "service"
	Input     Kind = "input"
	Filter    Kind = "filter"
	Output    Kind = "output"
	Processor Kind = "processor"
)

// Property is one line of a section. Variables in its value are expanded.
type Property struct {
	Key   string
	Value string
	Place Place
	List  bool // the value is a list, which Fluent Bit takes for the same property several times; Value has commas between its parts
}

// Place is a line of a file.
type Place struct {
	File string
	Line int
}

func (p Place) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// Name is the name of the plugin, in lower case.
func (s *Section) Name() string { return strings.ToLower(s.Get("name")) }

// Title is what Fluent Bit's log calls the plugin, as far as the section tells.
func (s *Section) Title() string { return string(s.Kind) + " " + s.Name() }

// Get implements setting.Getter. Names of properties have no case.
func (s *Section) Get(name string) string {
	if p := s.Find(name); p != nil {
		return p.Value
	}
	return ""
}

// Find returns a property, nil when the section does not have it. Of one that is given twice, it is the first, as for Fluent Bit.
func (s *Section) Find(name string) *Property {
	for i := range s.Properties {
		if strings.EqualFold(s.Properties[i].Key, name) {
			return &s.Properties[i]
		}
	}
	return nil
}

// Named returns the plugins of one kind and name, processors included.
func (c *Config) Named(kind Kind, name string) (found []*Section) {
	for section := range c.All() {
		if section.Kind == kind && section.Name() == name {
			found = append(found, section)
		}
	}
	return found
}

// All calls yield with every plugin of the pipeline in the order in which records meet them.
func (c *Config) All() func(yield func(*Section) bool) {
	return func(yield func(*Section) bool) {
		for _, list := range [][]Section{c.Inputs, c.Filters, c.Outputs} {
			for i := range list {
				if !yield(&list[i]) {
					return
				}
				for j := range list[i].Processors {
					if !yield(&list[i].Processors[j]) {
						return
					}
				}
			}
		}
	}
}

// maxIncludes bounds how deep files include each other.
const maxIncludes = 16

// Read reads a file: YAML when its name ends so, classic otherwise, as Fluent Bit does.
func Read(path string) (*Config, error) {
	c := &Config{Path: path, Service: Section{Kind: Service}, env: map[string]string{}}
	if err := c.file(path, maxIncludes); err != nil {
		return nil, err
	}
	if err := c.pluginsFile(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Config) file(path string, depth int) error {
	if depth == 0 {
		return fmt.Errorf("read %s: files include each other more than %d levels deep", path, maxIncludes)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if !info.Mode().IsRegular() { // what is read from a pipe, Fluent Bit would not find there again
		return fmt.Errorf("read configuration: %s is not a regular file", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if ext := strings.ToLower(filepath.Ext(path)); ext == ".yaml" || ext == ".yml" {
		return c.yaml(path, text, depth)
	}
	return c.classic(path, string(text), depth)
}

// include reads files that another one includes; a pattern may find several, or none.
func (c *Config) include(pattern string, at Place, depth int) error {
	path := c.expand(pattern, at)
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(at.File), path)
	}
	found := []string{path}
	if strings.Contains(path, "*") {
		var err error
		if found, err = filepath.Glob(path); err != nil {
			return fmt.Errorf("%s: malformed pattern %q: %w", at, pattern, err)
		}
	}
	for _, one := range found {
		if err := c.file(one, depth-1); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
	}
	return nil
}

// pluginsFile reads the list of plugins that the service section names.
func (c *Config) pluginsFile() error {
	p := c.Service.Find("plugins_file")
	if p == nil {
		return nil
	}
	if err := c.include(p.Value, p.Place, maxIncludes); err != nil {
		return err
	}
	return nil
}

// add puts a section where it belongs.
func (c *Config) add(s Section) {
	switch s.Kind {
	case Service:
		c.Service.Properties = append(c.Service.Properties, s.Properties...)
	case Input:
		c.Inputs = append(c.Inputs, s)
	case Filter:
		c.Filters = append(c.Filters, s)
	case Output:
		c.Outputs = append(c.Outputs, s)
	}
}

// expand puts the values of variables in the place of ${NAME}. One without a value is empty, as for Fluent Bit.
func (c *Config) expand(text string, at Place) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		name, behind, closed := strings.Cut(rest, "}")
		if !found || !closed {
			b.WriteString(text)
			return b.String()
		}
		value, set := c.env[name]
		if !set {
			value, set = os.LookupEnv(name)
		}
		if !set {
			c.note(name, at)
		}
		b.WriteString(before + value)
		text = behind
	}
}

func (c *Config) note(variable string, at Place) {
	for _, p := range c.Unset {
		if p.Key == variable {
			return
		}
	}
	c.Unset = append(c.Unset, Property{Key: variable, Place: at})
}
