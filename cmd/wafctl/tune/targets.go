package tune

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/redact"
)

// variable is one in which a rule matched; clean is its key without secrets.
type variable struct{ name, key, clean string }

// arrays are the places in keys at which indexes of arrays differ, by what the keys have in common.
type arrays map[string]*array

// array is what is known of the keys that differ in indexes only.
type array struct {
	indexes []string // of the first key
	differs []bool   // the others have another index there
}

// arraysIn finds them in all that matched. The index of a key that comes alone is taken for a part of its name.
func arraysIn(alerts []falseAlert) arrays {
	all := arrays{}
	for i := range alerts {
		for _, m := range alerts[i].matches {
			for _, v := range m.variables {
				all.Add(v)
			}
		}
	}
	return all
}

func (all arrays) Add(v variable) {
	texts, indexes := splitIndexes(v.key)
	if len(indexes) == 0 || v.clean != v.key {
		return
	}
	shape := shapeOf(v.name, texts)
	a := all[shape]
	if a == nil {
		all[shape] = &array{indexes, make([]bool, len(indexes))}
		return
	}
	for i, index := range indexes {
		a.differs[i] = a.differs[i] || index != a.indexes[i]
	}
}

func shapeOf(name string, texts []string) string { return name + "\x00" + strings.Join(texts, "\x00") }

// target writes what was found as a target: with any number in the place of each index that differs.
func (all arrays) target(v variable) string {
	texts, indexes := splitIndexes(v.key)
	a := all[shapeOf(v.name, texts)]
	if a == nil || v.clean != v.key || !slices.Contains(a.differs, true) {
		return TargetOf(v.name, v.key, v.clean)
	}
	var b strings.Builder
	for i, index := range indexes {
		b.WriteString(patternOf(texts[i]))
		if a.differs[i] {
			index = `\d+`
		}
		b.WriteString(index)
	}
	return v.name + ":" + expression(b.String()+patternOf(texts[len(indexes)]), v.key)
}

// splitIndexes cuts a key at the indexes of arrays in it, as parsers of bodies write them: a.0.b, a[0][b].
func splitIndexes(key string) (texts, indexes []string) {
	start := 0
	for i := 1; i < len(key); i++ {
		end := i
		for end < len(key) && '0' <= key[end] && key[end] <= '9' {
			end++
		}
		dotted := key[i-1] == '.' && (end == len(key) || key[end] == '.')
		bracketed := key[i-1] == '[' && end < len(key) && key[end] == ']'
		if end > i && (dotted || bracketed) {
			texts, indexes = append(texts, key[start:i]), append(indexes, key[i:end])
			start = end
		}
		i = max(i, end-1)
	}
	return append(texts, key[start:]), indexes
}

// TargetOf writes a variable as a target. Keys that SecLang would misread are written as patterns of exactly that key, and those
// with secrets as patterns with anything in their place. The clean key is the one without them.
func TargetOf(name, key, clean string) string {
	switch {
	case name == "XML", name == "REQUEST_XML", name == "RESPONSE_XML":
		return name + ":/*"
	case key == "":
		return name
	case clean == key && strings.Trim(key, plainKey) == "":
		return name + ":" + key
	case clean == key:
		return name + ":" + expression(patternOf(key), key)
	}
	parts := strings.Split(clean, redact.Placeholder)
	for i := range parts {
		parts[i] = patternOf(parts[i])
	}
	return name + ":" + expression(strings.Join(parts, ".+"), clean)
}

// expression returns a pattern of whole keys. Coraza compares keys in lower case with it, ModSecurity as they are.
func expression(pattern, key string) string {
	if strings.ToLower(key) != key {
		return "/(?i)^" + pattern + "$/"
	}
	return "/^" + pattern + "$/"
}

// patternOf returns an expression that matches a key and nothing else.
func patternOf(key string) string {
	var b strings.Builder
	for i := range len(key) {
		switch {
		case key[i] == '.': // easier to read than its number
			b.WriteString(`\.`)
		case strings.IndexByte(plainKey, key[i]) >= 0:
			b.WriteByte(key[i])
		default:
			fmt.Fprintf(&b, `\x%02x`, key[i])
		}
	}
	return b.String()
}

// plainKey are the bytes that mean nothing in a target's key.
const plainKey = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."
