package sensitive

import "strings"

// fieldsReach is how far in front of a value, in bytes, its fields are looked for.
const fieldsReach = 4096

// enclosingFields calls a function with the names of the fields in which a value of JSON, or of an object in JavaScript, stands: first
// its own, then those of the objects and lists around it, "" for one without a name. It ends with the first for which the function
// returns false. The text may be cut, and need not be JSON: then there are no fields.
func enclosingFields(text string, at int, visit func(name string, list bool) bool) {
	least := max(0, at-fieldsReach)
	if !visit(nameBefore(text, least, skipBack(text, least, at, "\"'` \t\r\n")), false) {
		return
	}
	depth := 0
	for i := at - 1; i >= least; i-- {
		switch text[i] {
		case '}', ']':
			depth++
		case '{', '[':
			if depth--; depth >= 0 {
				continue
			}
			depth = 0
			if !visit(nameBefore(text, least, i), text[i] == '[') {
				return
			}
		}
	}
}

// objectReach is how far from a value, in bytes, its object is looked at.
const objectReach = 1024

// object returns the text of the object in which a value stands, as far as it is there; "" when it stands in none.
func object(text string, at int) string {
	least, most := max(0, at-objectReach), min(len(text), at+objectReach)
	start, depth := -1, 0
	for i := at - 1; i >= least && start < 0; i-- {
		switch text[i] {
		case '}':
			depth++
		case '{':
			if depth--; depth < 0 {
				start = i
			}
		}
	}
	if start < 0 {
		return ""
	}
	depth = 0
	for i := at; i < most; i++ {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth < 0 {
				return text[start:i]
			}
		}
	}
	return text[start:most]
}

func skipBack(text string, least, at int, bytes string) int {
	for at > least && strings.IndexByte(bytes, text[at-1]) >= 0 {
		at--
	}
	return at
}

// nameBefore returns the name of the field whose value starts at a place, "" when it has none.
func nameBefore(text string, least, at int) string {
	at = skipBack(text, least, at, " \t\r\n")
	if at <= least || text[at-1] != ':' && text[at-1] != '=' {
		return ""
	}
	end := skipBack(text, least, at-1, " \t\r\n")
	if end > least && (text[end-1] == '"' || text[end-1] == '\'') {
		end--
	}
	start := end
	for start > least && (isAlphanumeric(text[start-1]) || strings.IndexByte("_-.$", text[start-1]) >= 0) {
		start--
	}
	return text[start:end]
}
