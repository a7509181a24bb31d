package fluentbit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/receive"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// Misuse is a property that the plugins waf and nano do not take as it is written.
type Misuse struct {
	Section  *Section
	Property *Property
	Problem  string
}

// String says where the property is and what is wrong with it.
func (m Misuse) String() string {
	return fmt.Sprintf("%s: %s: property %s: %s", m.Property.Place, m.Section.Title(), m.Property.Key, m.Problem)
}

// Misuses returns what is wrong with the names of properties in the sections of waf and nano, and with lists.
func (c *Config) Misuses() (all []Misuse) {
	for s := range c.All() {
		known, others := tables(s)
		if known == nil {
			continue
		}
		for i := range s.Properties {
			p := &s.Properties[i]
			if problem := s.misuse(p, known, others); problem != "" {
				all = append(all, Misuse{s, p, problem})
			}
		}
	}
	return all
}

// tables returns the properties of a plugin and of its other kind, nil when it is not ours.
func tables(s *Section) (known, others []string) {
	inFilter, inOutput := names(filter.Properties()), names(filter.OutputProperties())
	switch {
	case s.Name() == "waf" && s.Kind == Output:
		return inOutput, inFilter
	case s.Name() == "waf" && s.Kind != Input:
		return inFilter, inOutput
	case s.Name() == "nano" && s.Kind == Input:
		return names(receive.InputProperties()), nil
	}
	return nil, nil
}

func names(table []setting.Property) (list []string) {
	for _, p := range table {
		list = append(list, p.Name)
	}
	return list
}

func (s *Section) misuse(p *Property, known, others []string) string {
	key := strings.ToLower(p.Key)
	switch {
	case slices.Contains(known, key) && p.List && strings.Contains(p.Value, ","):
		text := "'" + p.Value + "'"
		if strings.ContainsAny(p.Value, "?@") { // options of destinations may be secret
			text = "its parts with commas between them"
		}
		return "Fluent Bit takes a list for several properties of the same name; write one text: " + text
	case slices.Contains(known, key) && s.Find(p.Key) != p:
		return "given twice"
	case slices.Contains(known, key), isOfHost(s.Kind, key):
		return ""
	case slices.Contains(others, key):
		owner := Output
		if s.Kind == Output {
			owner = Filter
		}
		return fmt.Sprintf("belongs to the %s waf", owner)
	}
	if near := setting.Nearest(key, known); near != "" {
		return fmt.Sprintf("unknown; did you mean %s?", near)
	}
	return "unknown; docs/configuration.md lists all"
}

// ofHost are the properties that Fluent Bit takes itself, whatever the plugin. Those that end with a dot are the first parts of names.
var ofHost = map[Kind][]string{
	Input:  {"tag", "threaded", "routable", "mem_buf_limit", "storage.", "host", "port", "listen", "net.", "tls", "tls.", "thread.", "tag_from_name"},
	Output: {"match", "match_regex", "retry_limit", "workers", "host", "port", "ipv6", "net.", "tls", "tls.", "storage.", "no_multiplex"},
	Filter: {"match", "match_regex"},
}

func isOfHost(kind Kind, key string) bool {
	if kind == Processor {
		kind = Filter
	}
	general := []string{"name", "alias", "log_level", "log_suppress_interval", "condition"}
	return slices.ContainsFunc(slices.Concat(general, ofHost[kind]), func(name string) bool {
		return key == name || strings.HasSuffix(name, ".") && strings.HasPrefix(key, name)
	})
}
