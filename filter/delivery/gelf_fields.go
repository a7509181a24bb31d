package delivery

import (
	"strconv"
	"strings"
)

// gelfFields collects members of a GELF document, each name once.
type gelfFields struct {
	names map[string]bool
	text  []byte
}

func newGELFFields() *gelfFields {
	return &gelfFields{names: make(map[string]bool), text: []byte{'{'}}
}

func (g *gelfFields) object() []byte { return append(g.text, '}') }

// add appends a member; its value is JSON.
func (g *gelfFields) add(name string, json []byte) {
	if len(g.text) > len("{") {
		g.text = append(g.text, ',')
	}
	g.text = append(g.text, '"')
	g.text = append(g.text, name...)
	g.text = append(g.text, '"', ':')
	g.text = append(g.text, json...)
}

// addGELF adds the members of a GELF document that gelfHead does not hold.
func (g *gelfFields) addGELF(doc *value) {
	for i := range doc.items {
		v := &doc.items[i]
		switch name := string(v.key); name {
		case "version", "host", "short_message", "timestamp", "level":
		default:
			g.add(name, v.append(nil))
		}
	}
}

// addItems adds everything inside an object or a list. The name of a nested value is the path to it, joined by underscores.
func (g *gelfFields) addItems(v *value, path string) {
	for i := range v.items {
		item := &v.items[i]
		name := strconv.Itoa(i)
		if v.kind == '{' {
			name = fieldName(item.key)
		}
		g.addValue(item, path+"_"+name)
	}
}

// addValue adds one value as GELF knows values: a text or a number. A list of these is one text; null is skipped.
func (g *gelfFields) addValue(v *value, name string) {
	switch {
	case v.kind == '{' || v.kind == '[' && !v.isPlainList():
		g.addItems(v, name)
	case v.kind == '[' && len(v.items) == 0, string(v.text) == "null":
	case v.kind == '[':
		g.add(g.unused(name), v.joined())
	case v.kind == '"' || v.isNumber():
		g.add(g.unused(name), v.text)
	default:
		g.add(g.unused(name), quote(v.text))
	}
}

// unused returns a name that no field has yet. GELF reserves _id.
func (g *gelfFields) unused(name string) string {
	if name == "_id" {
		name = "_id_"
	}
	free := name
	for n := 2; g.names[free]; n++ {
		free = name + "_" + strconv.Itoa(n)
	}
	g.names[free] = true
	return free
}

// fieldName is a key as GELF wants names: letters of ASCII, digits, underscores, dashes and dots. A key of a record that
// came through GELF keeps its one leading underscore.
func fieldName(key []byte) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-':
			return r
		}
		return '_'
	}, string(key))
	return strings.TrimPrefix(name, "_")
}

// isPlainList tells whether a list has no objects and lists inside.
func (v *value) isPlainList() bool {
	for i := range v.items {
		if kind := v.items[i].kind; kind == '{' || kind == '[' {
			return false
		}
	}
	return true
}

// joined returns the elements of a plain list as one JSON string.
func (v *value) joined() []byte {
	text := []byte{'"'}
	for i := range v.items {
		if i > 0 {
			text = append(text, ", "...)
		}
		item := &v.items[i]
		if item.kind == '"' {
			text = append(text, item.text[1:len(item.text)-1]...)
		} else {
			text = append(text, item.text...)
		}
	}
	return append(text, '"')
}
