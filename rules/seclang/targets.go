package seclang

import "strings"

// SplitTargets cuts a list of targets at its bars and commas, which ModSecurity takes for the same thing: what follows XML: or JSON: is a path
// and may have commas in parentheses and brackets, and an expression ends with its slash. Spaces around a target go.
func SplitTargets(list string) (targets []string) {
	for {
		end := targetEnd(list)
		targets = append(targets, strings.TrimSpace(list[:end]))
		if end == len(list) {
			return targets
		}
		list = list[end+1:]
	}
}

// targetEnd returns the place of the separator behind the first target, the length of the list when there is none.
func targetEnd(list string) int {
	at := strings.IndexAny(list, ":|,")
	if at < 0 {
		return len(list)
	}
	if list[at] != ':' {
		return at
	}
	variable, key := strings.ToUpper(strings.TrimLeft(list[:at], " \t!&")), list[at+1:]
	switch {
	case variable == "XML" || variable == "JSON":
		return at + 1 + pathEnd(key)
	case strings.HasPrefix(key, "'/"):
		return at + 1 + separator(key, expressionEnd(key, 2))
	case strings.HasPrefix(key, "/"):
		return at + 1 + separator(key, expressionEnd(key, 1))
	}
	return at + 1 + separator(key, 0)
}

// separator returns the place of the first bar or comma from a place on.
func separator(s string, from int) int {
	if n := strings.IndexAny(s[from:], "|,"); n >= 0 {
		return from + n
	}
	return len(s)
}

// expressionEnd returns the place behind the slash that ends an expression.
func expressionEnd(s string, from int) int {
	for i := from; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '/':
			return i + 1
		}
	}
	return len(s)
}

// pathEnd returns the place of the bar, or of the comma outside of parentheses and brackets, that ends a path.
func pathEnd(s string) int {
	depth := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '|', c == ',' && depth <= 0:
			return i
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		}
	}
	return len(s)
}
