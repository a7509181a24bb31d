package seclang

import "strings"

// WithOperator returns the directive with another name for its operator, which may be implied. Arguments stay as they are.
func (r *Rule) WithOperator(name string) Directive {
	targets, rest, _ := strings.Cut(r.Args, " ")
	operator, rest, err := cutQuoted(strings.TrimLeft(rest, " "))
	if err != nil {
		return r.Directive
	}
	text, negated := strings.CutPrefix(operator, "!")
	if named, isNamed := strings.CutPrefix(text, "@"); isNamed {
		_, text, _ = strings.Cut(named, " ")
	}
	written := "@" + name + " " + text
	if negated {
		written = "!" + written
	}
	return r.withArgs(targets + ` "` + written + `"` + rest)
}

// WithArgument returns the directive with another argument for its operator, which is named.
func (r *Rule) WithArgument(argument string) Directive {
	targets, rest, _ := strings.Cut(r.Args, " ")
	operator, rest, err := cutQuoted(strings.TrimLeft(rest, " "))
	if err != nil {
		return r.Directive
	}
	name, _, _ := strings.Cut(operator, " ")
	return r.withArgs(targets + ` "` + name + " " + argument + `"` + rest)
}

// WithoutActions returns the directive without the actions that drop picks.
func (r *Rule) WithoutActions(drop func(Action) bool) Directive {
	return r.withActions(func(list string) string {
		var kept []string
		for _, part := range splitActions(list) {
			if a := parseAction(part); a.Name != "" && !drop(a) {
				kept = append(kept, strings.TrimSpace(part))
			}
		}
		return strings.Join(kept, ",")
	})
}

// WithExpanded returns the directive with other actions in the place of those for which expand has values: one for each value.
func (r *Rule) WithExpanded(expand func(Action) (values []string)) Directive {
	return r.withActions(func(list string) string {
		var written []string
		for _, part := range splitActions(list) {
			a := parseAction(part)
			values := expand(a)
			if len(values) == 0 {
				written = append(written, part)
			}
			for _, value := range values {
				written = append(written, a.Name+":'"+value+"'")
			}
		}
		return strings.Join(written, ",")
	})
}

// WithVariable returns the directive with another value in each setvar that assigns a variable such as tx.name, or removes it. What adds to
// the variable stays.
func (r *Rule) WithVariable(name, value string) Directive {
	return r.withActions(func(list string) string {
		parts := splitActions(list)
		for i, part := range parts {
			a := parseAction(part)
			written, assigned, _ := strings.Cut(a.Value, "=")
			written = strings.TrimPrefix(strings.TrimSpace(written), "!")
			if a.Name != "setvar" || !strings.EqualFold(written, name) || strings.HasPrefix(assigned, "+") || strings.HasPrefix(assigned, "-") {
				continue
			}
			parts[i] = "setvar:'" + name + "=" + value + "'"
		}
		return strings.Join(parts, ",")
	})
}

// WithCompleteSetvars returns the directive with CompleteSetvars of its actions.
func (r *Rule) WithCompleteSetvars() Directive { return r.withActions(CompleteSetvars) }

// CompleteSetvars gives each setvar in a list of actions that has no value the one that it means, 1. Coraza wants one, also of a setvar
// that removes a variable.
func CompleteSetvars(list string) string {
	parts := splitActions(list)
	for i, part := range parts {
		if a := parseAction(part); a.Name != "setvar" || strings.Contains(a.Value, "=") {
			continue
		}
		text := strings.TrimSpace(part)
		if inner, isQuoted := strings.CutSuffix(text, "'"); isQuoted {
			parts[i] = inner + "=1'"
		} else {
			parts[i] = text + "=1"
		}
	}
	return strings.Join(parts, ",")
}

// withActions returns the directive with another list of actions.
func (r *Rule) withActions(edit func(list string) string) Directive {
	before, list := "", unquote(r.Args)
	if r.Is("SecRule") {
		_, rest, _ := cutWord(r.Args)
		if _, rest, _ = cutWord(rest); rest == "" {
			return r.Directive
		}
		before, list = strings.TrimSuffix(r.Args, rest), unquote(rest)
	}
	return r.withArgs(before + `"` + edit(list) + `"`)
}

func (r *Rule) withArgs(args string) Directive {
	return NewDirective(r.File, r.Line, r.Name+" "+args)
}

// Words returns the arguments of a directive without their quotes.
func (d *Directive) Words() (words []string) {
	for rest := d.Args; rest != ""; {
		w, after, complete := cutWord(rest)
		if !complete {
			return append(words, rest)
		}
		words = append(words, w.text)
		rest = after
	}
	return words
}
