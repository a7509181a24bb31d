package seclang

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Target is one variable that a rule looks at, or excludes.
type Target struct {
	Variable string // upper case, for instance REQUEST_HEADERS
	Key      string // selector, "" for the whole collection
	IsRegex  bool   // Key is a regular expression (written between slashes)
	Count    bool   // &VARIABLE: the number of values
	Exclude  bool   // !VARIABLE:key
}

// Operator is the test of a rule.
type Operator struct {
	Name     string // without @, as written, for instance rx
	Argument string
	Negated  bool
}

// Action is one action of a rule; Name is in lower case.
type Action struct{ Name, Value string }

// Rule is a SecRule or SecAction taken apart. A SecAction has no targets and no operator name.
type Rule struct {
	Directive
	Targets  []Target
	Operator Operator
	Actions  []Action
}

// ID returns the rule's id, 0 when it has none (a chained rule).
func (r *Rule) ID() int {
	value, _ := r.Action("id")
	id, err := strconv.Atoi(strings.Trim(value, "'"))
	if err != nil {
		return 0
	}
	return id
}

// Action returns the value of the last action with a name.
func (r *Rule) Action(name string) (value string, found bool) {
	for _, a := range r.Actions {
		if a.Name == name {
			value, found = a.Value, true
		}
	}
	return value, found
}

// All returns the values of all actions with a name, in order.
func (r *Rule) All(name string) []string {
	var values []string
	for _, a := range r.Actions {
		if a.Name == name {
			values = append(values, a.Value)
		}
	}
	return values
}

// Chained reports whether the next rule belongs to this one.
func (r *Rule) Chained() bool {
	_, found := r.Action("chain")
	return found
}

// ParseRule takes a SecRule or SecAction apart.
func ParseRule(d Directive) (Rule, error) {
	r := Rule{Directive: d}
	if d.Is("SecAction") {
		r.Actions = ParseActions(unquote(d.Args))
		return r, nil
	}
	targets, rest, _ := strings.Cut(d.Args, " ")
	rest = strings.TrimLeft(rest, " ")
	operator, rest, err := cutQuoted(rest)
	if err != nil {
		return r, fmt.Errorf("%s: operator of %s: %w", d.Place(), d.Name, err)
	}
	if r.Targets, err = ParseTargets(targets); err != nil {
		return r, fmt.Errorf("%s: %w", d.Place(), err)
	}
	r.Operator = parseOperator(strings.ReplaceAll(operator, `\"`, `"`))
	r.Actions = ParseActions(unquote(strings.TrimSpace(rest)))
	return r, nil
}

// ParseTargets reads VARIABLE|VARIABLE:key|VARIABLE:/regex/|&COUNTED|!EXCLUDED:key as Coraza does: a slash begins an expression wherever it
// stands in a key, and what follows XML: is a path.
func ParseTargets(s string) ([]Target, error) {
	var targets []Target
	p := targetParser{}
	for i := 0; i < len(s); i++ {
		if !p.ends(s, i) {
			p.read(s[i])
			continue
		}
		t, err := p.finish(s[i])
		if err != nil {
			return nil, fmt.Errorf("target without a variable name before %q", s[i:])
		}
		targets = append(targets, t)
		switch {
		case p.quoted:
			i += 2 // the closing quote, and the bar behind it
		case p.state == inRegex:
			i++
		}
		p = targetParser{escaped: p.escaped}
	}
	return targets, nil
}

// targetParser reads one target.
type targetParser struct {
	state     targetState
	name, key []byte
	target    Target
	quoted    bool // the expression stands in single quotes
	escaped   bool // behind a backslash in an expression
}

type targetState uint8

const (
	inName targetState = iota
	inKey
	inRegex
	inPath
)

// ends reports whether the byte at a place is the last of a target.
func (p *targetParser) ends(s string, i int) bool {
	return i+1 == len(s) || s[i] == '|' && p.state != inRegex || s[i] == '/' && p.state == inRegex && !p.escaped
}

func (p *targetParser) read(c byte) {
	switch p.state {
	case inName:
		switch c {
		case '!':
			p.target.Exclude = true
		case '&':
			p.target.Count = true
		case ':':
			p.state = inKey
		default:
			p.name = append(p.name, c)
		}
	case inKey:
		switch {
		case len(p.key) == 0 && (string(p.name) == "XML" || string(p.name) == "JSON"):
			p.state, p.key = inPath, append(p.key, c)
		case c == '/':
			p.state = inRegex
		case c == '\'':
			p.quoted = true
		default:
			p.key = append(p.key, c)
		}
	case inRegex:
		p.key = append(p.key, c)
		p.escaped = c == '\\' && !p.escaped
	case inPath:
		p.key = append(p.key, c)
	}
}

// finish returns the target that a byte ends.
func (p *targetParser) finish(c byte) (Target, error) {
	switch {
	case c == '|':
	case p.state == inName:
		p.name = append(p.name, c)
	case p.state != inRegex && c != '/':
		p.key = append(p.key, c)
	}
	t := p.target
	t.Variable, t.Key = strings.ToUpper(string(p.name)), string(p.key)
	if t.Variable == "" {
		return t, errNoName
	}
	if p.state == inRegex {
		t.Key = "/" + t.Key + "/"
	}
	if pattern, isRegex := expressionIn(t.Key); isRegex {
		t.Key, t.IsRegex = pattern, true
	}
	return t, nil
}

var errNoName = errors.New("no variable name")

// expressionIn returns what stands between the slashes around a key.
func expressionIn(key string) (pattern string, isRegex bool) {
	if len(key) < 2 || key[0] != '/' || key[len(key)-1] != '/' {
		return "", false
	}
	pattern = key[1 : len(key)-1]
	backslashes := len(pattern) - len(strings.TrimRight(pattern, `\`))
	return pattern, backslashes%2 == 0
}

func parseOperator(s string) Operator {
	var op Operator
	if strings.HasPrefix(s, "!") {
		op.Negated, s = true, s[1:]
	}
	if !strings.HasPrefix(s, "@") {
		op.Name, op.Argument = "rx", strings.TrimSpace(s)
		return op
	}
	name, argument, _ := strings.Cut(s[1:], " ")
	op.Name, op.Argument = strings.TrimSpace(name), strings.TrimSpace(argument)
	return op
}

// ParseActions reads name, name:value and name:'value' separated by commas.
func ParseActions(s string) []Action {
	var actions []Action
	for _, part := range splitActions(s) {
		if a := parseAction(part); a.Name != "" {
			actions = append(actions, a)
		}
	}
	return actions
}

// splitActions cuts a list of actions at the commas outside of single quotes.
func splitActions(s string) (parts []string) {
	start, quoted := 0, false
	for i := 0; i <= len(s); i++ {
		switch {
		case i == len(s) || s[i] == ',' && !quoted && !escaped(s, i):
			parts = append(parts, s[start:i])
			start = i + 1
		case s[i] == '\'' && !escaped(s, i):
			quoted = !quoted
		}
	}
	return parts
}

func escaped(s string, i int) bool { return i > 0 && s[i-1] == '\\' }

func parseAction(s string) Action {
	name, value, _ := strings.Cut(s, ":")
	value = strings.TrimSpace(value)
	if len(value) >= 2 && value[0] == '\'' && value[len(value)-1] == '\'' {
		value = value[1 : len(value)-1]
	}
	return Action{Name: strings.ToLower(strings.TrimSpace(name)), Value: value}
}

// cutQuoted reads a text in double quotes; a quote behind a backslash belongs to the text.
func cutQuoted(s string) (inner, rest string, err error) {
	if s == "" || s[0] != '"' {
		return "", "", fmt.Errorf("%q does not start with a double quote", s)
	}
	backslashes := 0
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			backslashes++
			continue
		case s[i] == '"' && backslashes%2 == 0:
			return s[1:i], s[i+1:], nil
		}
		backslashes = 0
	}
	return "", "", fmt.Errorf("%q has no closing double quote", s)
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}
