package seclang

import "strings"

// WithOperator returns the directive with another spelling of its operator's name.
func (r *Rule) WithOperator(name string) Directive {
	return r.withArgs(strings.Replace(r.Args, "@"+r.Operator.Name, "@"+name, 1))
}

// WithoutActions returns the directive without the actions that drop picks.
func (r *Rule) WithoutActions(drop func(Action) bool) Directive {
	before, list := "", unquote(r.Args)
	if r.Is("SecRule") {
		_, rest, _ := cutWord(r.Args)
		if _, rest, _ = cutWord(rest); rest == "" {
			return r.Directive
		}
		before, list = strings.TrimSuffix(r.Args, rest), unquote(rest)
	}
	var kept []string
	for _, part := range splitActions(list) {
		if a := parseAction(part); a.Name != "" && !drop(a) {
			kept = append(kept, strings.TrimSpace(part))
		}
	}
	return r.withArgs(before + `"` + strings.Join(kept, ",") + `"`)
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
