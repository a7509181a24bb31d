package fieldmap

import (
	"errors"
	"fmt"
	"strings"
)

// ParseKeyFile reads the text of a key file of ModSecurity for Anylog: a line name:key says under which key a record has a
// value. Case of the name is ignored, spaces are trimmed, lines without a colon are skipped. Names that the file does not
// mention keep Nano's keys.
func ParseKeyFile(path, text string) (*Map, error) {
	keys, problems := readKeys(path, text)
	if problems != nil {
		return nil, errors.Join(problems...)
	}
	m := newMap(path)
	m.Name, m.Title, m.bodyLimit = path, "key file", nano().bodyLimit
	for _, e := range nano().entries {
		if key, given := keys[e.action.field]; given {
			e.keys = []string{key}
		}
		m.read(e.target, e.action, e.keys)
		delete(keys, e.action.field)
	}
	for _, name := range names {
		if field, _ := fieldNamed(name); keys[field] != "" {
			m.read(name, action{target: target{reading: asField, field: field}}, []string{keys[field]})
		}
	}
	m.detectByMethodOrHead()
	return m, nil
}

// readKeys returns the keys that a key file gives.
func readKeys(path, text string) (keys map[Field]string, problems []error) {
	keys = map[Field]string{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		left, key, hasColon := strings.Cut(line, ":")
		left, key = strings.ToLower(strings.TrimSpace(left)), strings.TrimSpace(key)
		if !hasColon || strings.HasPrefix(left, "#") {
			continue
		}
		field, known := fieldNamed(left)
		switch {
		case !known:
			problems = append(problems, fmt.Errorf("%s:%d: unknown name %q (want one of %s)", path, number, left, strings.Join(names[:], " ")))
		case key == "":
			problems = append(problems, fmt.Errorf("%s:%d: name %q has no key", path, number, left))
		case strings.Count(key, ".") >= maxPathParts:
			problems = append(problems, fmt.Errorf("%s:%d: key %q has more than %d parts", path, number, key, maxPathParts))
		default:
			keys[field] = key
		}
	}
	return keys, problems
}

// detectByMethodOrHead makes a map fit records with a method and request target, or with a raw head.
func (m *Map) detectByMethodOrHead() {
	for _, e := range m.entries {
		var conditions uint64
		switch e.action.field {
		case Method:
			conditions = 1
		case URI:
			conditions = 2
		case RequestHead:
			conditions = 3
		default:
			continue
		}
		for _, key := range e.keys {
			m.root.places(key, func(n *node) { n.detects |= conditions })
		}
		m.detects |= conditions
	}
}

func fieldNamed(name string) (Field, bool) {
	for field, n := range names {
		if n == name {
			return Field(field), true
		}
	}
	return 0, false
}

// KeyFileNames returns the names that key files know.
func KeyFileNames() []string { return append([]string(nil), names[:]...) }
