package seclang

import "strings"

// canonical returns the arguments of a directive in the one spelling that Coraza reads: words separated by spaces, operator
// and actions in double quotes, targets without quotes and with bars between them. ModSecurity and Apache also separate with tabs, quote with
// single quotes or not at all, quote targets, and put commas between them. Arguments that have no such form come back as they are, for the parser to
// complain about.
func canonical(name, args string) string {
	switch strings.ToLower(name) {
	case "secrule":
		return canonicalRule(args)
	case "secaction":
		if actions, complete := canonicalText(args); complete && actions != "" {
			return actions
		}
	default:
		if w, rest, complete := cutWord(args); complete && w.quote == '\'' && rest == "" {
			return w.inDoubleQuotes()
		}
	}
	return args
}

func canonicalRule(args string) string {
	targets, rest, complete := cutWord(args)
	if !complete || rest == "" {
		return args
	}
	operator, rest, complete := cutWord(rest)
	if !complete {
		return args
	}
	actions, complete := canonicalText(rest)
	if !complete {
		return args
	}
	written := strings.Join(SplitTargets(targets.text), "|")
	return strings.TrimSpace(written + " " + operator.inDoubleQuotes() + " " + actions)
}

// canonicalText writes all that is left of a line, quoted or not, as one text in double quotes.
func canonicalText(s string) (text string, complete bool) {
	if s == "" {
		return "", true
	}
	if s[0] != '"' && s[0] != '\'' {
		return word{text: s}.inDoubleQuotes(), true
	}
	w, rest, complete := cutWord(s)
	return w.inDoubleQuotes(), complete && rest == ""
}

// word is one argument of a directive.
type word struct {
	text  string // what stands between the quotes
	quote byte   // 0 when there are none
}

// cutWord reads an argument as Apache does: up to white space, or up to the same quote; a backslash keeps a quote in the
// text.
func cutWord(s string) (w word, rest string, complete bool) {
	if s == "" || s[0] != '"' && s[0] != '\'' {
		end := strings.IndexAny(s, " \t")
		if end < 0 {
			end = len(s)
		}
		return word{text: s[:end]}, strings.TrimLeft(s[end:], " \t"), true
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return word{text: s[1:i], quote: s[0]}, strings.TrimLeft(s[i+1:], " \t"), true
		}
	}
	return word{}, s, false
}

// inDoubleQuotes writes the word so that it reads the same between double quotes.
func (w word) inDoubleQuotes() string {
	if w.quote == '"' {
		return `"` + w.text + `"`
	}
	text := w.text
	if w.quote == '\'' {
		text = strings.ReplaceAll(text, `\'`, `'`)
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		if text[i] == '"' && (i == 0 || text[i-1] != '\\') {
			b.WriteByte('\\')
		}
		b.WriteByte(text[i])
	}
	b.WriteByte('"')
	return b.String()
}
