// Package seclang reads SecLang text: it splits files into directives with their place, and takes SecRule and SecAction
// apart into targets, operator and actions. It writes
// rules with other operators, actions and arguments, and keeps the rest of their text. It compiles nothing; its readings agree with
// Coraza's parser.
package seclang

import (
	"fmt"
	"strings"
)

// byteOrderMark is what some editors put in front of a text.
const byteOrderMark = "\ufeff"

// Directive is one directive with the place where it starts.
type Directive struct {
	Name string   // as written, for instance SecRule
	Args string   // what follows the name, continuation lines joined
	File string   // as given to Split
	Line int      // of the directive's first line, from 1
	rows []string // the text as the parser wants it, without continuation lines
}

// Is reports whether the directive has a name; case is ignored as SecLang does.
func (d *Directive) Is(name string) bool { return strings.EqualFold(d.Name, name) }

// IsRule reports whether the directive is a rule.
func (d *Directive) IsRule() bool { return d.Is("SecRule") || d.Is("SecAction") }

// Place returns "file:line".
func (d *Directive) Place() string { return fmt.Sprintf("%s:%d", d.File, d.Line) }

// Rows returns the text of the directive as rows for a parser: one, or more when it holds a list in backticks.
func (d *Directive) Rows() []string { return d.rows }

// Split cuts SecLang text into directives. Comments and empty lines are omitted, lines that end with a backslash are
// joined with the next. An error names the place of a directive that does not end before the text does.
func Split(file, text string) ([]Directive, error) {
	var (
		found   []Directive
		current strings.Builder
		start   int
		list    bool // inside a list in backticks
	)
	number := 0
	text = strings.TrimPrefix(text, byteOrderMark)
	for row := range strings.SplitSeq(text, "\n") {
		number++
		row = strings.TrimSpace(row)
		if row == "" || row[0] == '#' {
			continue
		}
		if current.Len() == 0 {
			start = number
		}
		switch {
		case !list && row[len(row)-1] == '`':
			list = true
		case list && row[0] == '`':
			list = false
		}
		switch {
		case list:
			current.WriteString(row + "\n")
		case row[len(row)-1] == '\\':
			current.WriteString(strings.TrimSuffix(row, "\\"))
		default:
			current.WriteString(row)
			found = append(found, NewDirective(file, start, current.String()))
			current.Reset()
		}
	}
	if current.Len() > 0 {
		what := "ends with a backslash, but the text ends there"
		if list {
			what = "opens a list with a backtick that is not closed"
		}
		return found, fmt.Errorf("%s:%d: directive %s", file, start, what)
	}
	return found, nil
}

// NewDirective returns the directive with a text; lines behind the first are a list in backticks. What ModSecurity and Apache
// take for the same thing comes out in one spelling: see canonical.
func NewDirective(file string, line int, text string) Directive {
	head, rest, isList := strings.Cut(text, "\n")
	name, args := head, ""
	if end := strings.IndexAny(head, " \t"); end >= 0 {
		name, args = head[:end], strings.TrimSpace(head[end:])
	}
	args = canonical(name, args)
	row := strings.TrimSpace(name + " " + args)
	rows := []string{row}
	if isList {
		rows = append(rows, strings.Split(rest, "\n")...)
	}
	// Name and arguments are parts of the row, so that the text they come from need not be kept.
	name, args = row[:len(name)], strings.TrimPrefix(row[len(name):], " ")
	return Directive{Name: name, Args: args, File: file, Line: line, rows: rows}
}
