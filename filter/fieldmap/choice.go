package fieldmap

import (
	"fmt"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
)

// Choice is what the property field_map names: one map, or several of which the one that fits a record is used.
type Choice struct{ maps []*Map }

// Open returns the maps that a property names: auto, nano, gelf, or the path of a key file.
func Open(name string) (*Choice, error) {
	switch name {
	case "auto":
		return &Choice{maps: []*Map{Nano(), GELF()}}, nil
	case "nano":
		return &Choice{maps: []*Map{Nano()}}, nil
	case "gelf":
		return &Choice{maps: []*Map{GELF()}}, nil
	}
	m, err := readKeyFile(name)
	if err != nil {
		return nil, fmt.Errorf("field map %q (want auto, nano, gelf or a key file): %w", name, err)
	}
	return &Choice{maps: []*Map{m}}, nil
}

// For returns the map that fits a record: the first that knows one of its keys as the method or a head, nil when none does.
func (c *Choice) For(body []byte) *Map {
	if len(c.maps) == 1 {
		return c.maps[0]
	}
	pairs, isMap := record.ReadMap(body)
	if !isMap {
		return nil
	}
	for pairs.Next() {
		for _, m := range c.maps {
			switch field, known := m.keys[pairs.Key]; {
			case known && (field == Method || field == RequestHead || field == URI || field == Protocol7):
				return m
			}
		}
	}
	return nil
}
