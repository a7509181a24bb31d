package fluentbit

import (
	"fmt"
	"strings"
)

// kinds are the sections of a classic file that matter here.
var kinds = map[string]Kind{"service": Service, "input": Input, "filter": Filter, "output": Output}

// classic reads sections in brackets with a property a line.
func (c *Config) classic(path, text string, depth int) error {
	var section Section
	name := ""
	end := func() {
		if section.Kind != "" {
			c.add(section)
		}
		section = Section{}
	}
	number := 0
	for line := range strings.Lines(text) {
		number++
		at := Place{path, number}
		line = strings.TrimSpace(line)
		switch {
		case line == "", strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "@"):
			if err := c.command(line, at, depth); err != nil {
				return err
			}
		case strings.HasPrefix(line, "["):
			if !strings.HasSuffix(line, "]") {
				return fmt.Errorf("%s: section %q has no closing bracket", at, line)
			}
			end()
			name = strings.ToLower(strings.Trim(line, "[]"))
			section = Section{Kind: kinds[name], Place: at}
		default:
			key, value := line, ""
			if i := strings.IndexAny(line, " \t"); i >= 0 {
				key, value = line[:i], strings.TrimSpace(line[i:])
			}
			switch {
			case name == "":
				return fmt.Errorf("%s: %q stands in front of the first section (want [INPUT], [FILTER], [OUTPUT] …)", at, line)
			case name == "plugins" && strings.EqualFold(key, "path"):
				c.Plugins = append(c.Plugins, Property{Key: key, Value: c.expand(value, at), Place: at})
			}
			section.Properties = append(section.Properties, Property{Key: key, Value: c.expand(value, at), Place: at})
		}
	}
	end()
	return nil
}

// command reads @SET NAME=VALUE and @INCLUDE FILE; others change nothing here.
func (c *Config) command(line string, at Place, depth int) error {
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch strings.ToUpper(word) {
	case "@SET":
		name, value, found := strings.Cut(rest, "=")
		if !found {
			return fmt.Errorf("%s: malformed @SET %q (want NAME=VALUE)", at, rest)
		}
		c.env[strings.TrimSpace(name)] = strings.TrimSpace(value)
	case "@INCLUDE":
		return c.include(rest, at, depth)
	}
	return nil
}
