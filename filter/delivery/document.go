package delivery

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// value is one value of a JSON text. Its texts are parts of that text, so nothing is decoded and what is not changed is
// written as it came.
type value struct {
	kind  byte    // '{', '[', '"', or 0 for a number, true, false and null
	key   []byte  // name of an object's member without quotes, escapes as they stand; nil elsewhere
	text  []byte  // a scalar as it stands, a string with its quotes; nil for objects and lists
	items []value // members of an object, elements of a list
}

// parseDocument returns the members of a text that is one JSON object. The text must not change while they are in use.
func parseDocument(text []byte) (*value, bool) {
	if !isObject(text) {
		return nil, false
	}
	doc, _ := (&scanner{text: text}).value()
	return &doc, true
}

// isObject tells whether text is one JSON object. It refuses nesting deeper than 10,000, as encoding/json does.
func isObject(text []byte) bool {
	start := bytes.TrimLeft(text, " \t\r\n")
	return len(start) > 0 && start[0] == '{' && json.Valid(text)
}

// scanner splits a valid JSON text.
type scanner struct {
	text []byte
	at   int
}

// next skips spaces and separators and returns the byte behind them.
func (s *scanner) next() byte {
	for {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\r', '\n', ',', ':':
			s.at++
		default:
			return c
		}
	}
}

// value returns the next value; false at the end of an object or a list.
func (s *scanner) value() (value, bool) {
	switch c := s.next(); c {
	case '{', '[':
		s.at++
		return value{kind: c, items: s.items(c == '{')}, true
	case '}', ']':
		s.at++
		return value{}, false
	case '"':
		return value{kind: '"', text: s.str()}, true
	default:
		return value{text: s.literal()}, true
	}
}

func (s *scanner) items(named bool) []value {
	var items []value
	for {
		var key []byte
		if named && s.next() == '"' {
			key = s.str()
			key = key[1 : len(key)-1]
		}
		item, more := s.value()
		if !more {
			return items
		}
		item.key = key
		items = append(items, item)
	}
}

// str returns the string that starts here, with its quotes.
func (s *scanner) str() []byte {
	start := s.at
	s.at++
	for s.text[s.at] != '"' {
		if s.text[s.at] == '\\' {
			s.at++
		}
		s.at++
	}
	s.at++
	return s.text[start:s.at]
}

// literal returns the number or word that starts here.
func (s *scanner) literal() []byte {
	start := s.at
	for s.at < len(s.text) && bytes.IndexByte([]byte(" \t\r\n,:]}"), s.text[s.at]) < 0 {
		s.at++
	}
	return s.text[start:s.at]
}

// append writes the value as compact JSON, without its key.
func (v *value) append(dst []byte) []byte {
	switch v.kind {
	case '{':
		dst = append(dst, '{')
		for i := range v.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, '"')
			dst = append(dst, v.items[i].key...)
			dst = append(dst, '"', ':')
			dst = v.items[i].append(dst)
		}
		return append(dst, '}')
	case '[':
		dst = append(dst, '[')
		for i := range v.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = v.items[i].append(dst)
		}
		return append(dst, ']')
	default:
		return append(dst, v.text...)
	}
}

// size is the number of bytes that append writes.
func (v *value) size() int {
	if v.kind != '{' && v.kind != '[' {
		return len(v.text)
	}
	n := len(`{}`)
	for i := range v.items {
		n += v.items[i].sizeInside()
	}
	return n + max(0, len(v.items)-1)
}

// sizeInside is the size of a value with its key, as it counts inside an object or a list.
func (v *value) sizeInside() int {
	if v.key == nil {
		return v.size()
	}
	return len(`"":`) + len(v.key) + v.size()
}

// member returns the last member with a name, as readers of JSON do; nil when there is none.
func (v *value) member(name string) *value {
	for i := len(v.items) - 1; i >= 0; i-- {
		if string(v.items[i].key) == name {
			return &v.items[i]
		}
	}
	return nil
}

// at follows a path of names and, in lists, of decimal positions; nil when it leads nowhere.
func (v *value) at(path ...string) *value {
	for _, name := range path {
		if v == nil {
			return nil
		}
		if i, err := strconv.Atoi(name); err == nil && v.kind == '[' && i < len(v.items) {
			v = &v.items[i]
		} else {
			v = v.member(name)
		}
	}
	return v
}

func (v *value) isNumber() bool {
	return v.kind == 0 && strings.IndexByte("-0123456789", v.text[0]) >= 0
}
