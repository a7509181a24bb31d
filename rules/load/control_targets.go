package load

import (
	"fmt"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// settleControls writes the actions ctl:ruleRemoveById and ctl:ruleRemoveTargetBy… with one range of ids and one target each. Coraza takes the
// rest of a list for a part of the name, ignores unknown variables, and reports malformed ids only where nobody reads it.
func (p *Program) settleControls(u *Unit, i int) {
	if len(u.Directives) == 0 {
		return
	}
	var problem error
	r := &u.Rules[i]
	expanded := r.WithExpanded(func(a seclang.Action) []string {
		values, err := p.vocabulary.expandControl(a)
		if err != nil && problem == nil {
			problem = fmt.Errorf("ctl:%s: %w", a.Value, err)
		}
		return values
	})
	switch {
	case problem != nil:
		p.Reject(u, problem)
	case expanded.Args != r.Args:
		u.rewrite(i, expanded)
	}
}

// expandControl returns the values with one range and one target each of an action that removes rules or targets by lists, nil of others.
func (v *Vocabulary) expandControl(a seclang.Action) (values []string, err error) {
	control, value, _ := strings.Cut(a.Value, "=")
	if a.Name != "ctl" || !strings.HasPrefix(strings.ToLower(control), "ruleremove") {
		return nil, nil
	}
	rules, targets, hasTargets := strings.Cut(value, ";")
	ranges := []string{rules}
	if strings.HasSuffix(strings.ToLower(control), "byid") {
		ranges = strings.FieldsFunc(rules, func(c rune) bool { return c == ' ' || c == ',' })
		if err := checkRanges(ranges); err != nil {
			return nil, err
		}
	}
	list, edited := []string{""}, false
	if strings.HasPrefix(strings.ToLower(control), "ruleremovetarget") {
		if !hasTargets {
			return nil, fmt.Errorf("no target (want one after a semicolon, such as 942100;ARGS:q)")
		}
		list = seclang.SplitTargets(targets)
	}
	for _, target := range list {
		if hasTargets {
			if err := v.checkRemovedTarget(target); err != nil {
				return nil, err
			}
			loose := ignoringCase(target)
			edited = edited || loose != target
			target = ";" + loose
		}
		for _, ids := range ranges {
			values = append(values, control+"="+ids+target)
		}
	}
	if len(values) == 1 && !edited {
		return nil, nil
	}
	return values, nil
}

// ignoringCase returns a target that is to be excluded with an expression that finds names in any case. Coraza compares it with names in lower
// case, so that one with upper case would find none.
func ignoringCase(target string) string {
	variable, key, _ := strings.Cut(target, ":")
	isPath := strings.HasSuffix(strings.ToUpper(variable), "XML") || strings.HasSuffix(strings.ToUpper(variable), "JSON")
	expression, isExpression := strings.CutPrefix(strings.TrimPrefix(key, "'"), "/")
	if isPath || !isExpression || strings.ToLower(key) == key || strings.HasPrefix(expression, "(?i)") {
		return target
	}
	return strings.TrimSuffix(target, expression) + "(?i)" + expression
}

// checkRanges reports ids that Coraza cannot read. Those of markers, 0, are fine for it.
func checkRanges(ranges []string) error {
	for _, ids := range ranges {
		if low, high, err := seclang.ParseRange(ids); err != nil || low < 0 || high < low {
			return fmt.Errorf("malformed rule %q (want an id or a range of ids such as 942100-942199)", ids)
		}
	}
	if len(ranges) == 0 {
		return fmt.Errorf("no rule (want an id or a range of ids such as 942100-942199)")
	}
	return nil
}

// checkRemovedTarget reports a target that an action cannot remove.
func (v *Vocabulary) checkRemovedTarget(target string) error {
	if strings.HasPrefix(target, "!") || strings.HasPrefix(target, "&") {
		return fmt.Errorf("malformed target %q (want a variable such as ARGS:q)", target)
	}
	return v.checkUpdatedTarget(target)
}

// checkUpdatedTarget reports a target whose variable Coraza does not have.
func (v *Vocabulary) checkUpdatedTarget(target string) error {
	variable, key, _ := strings.Cut(strings.TrimLeft(target, "!&"), ":")
	hasKeys, known := v.Variable(variable)
	switch {
	case !known:
		return fmt.Errorf("unknown variable %q of the target %q (commas and bars separate targets; write a key that contains them as an expression)",
			variable, target)
	case key != "" && !hasKeys:
		return fmt.Errorf("malformed target %q (%s has no keys)", target, strings.ToUpper(variable))
	}
	return nil
}
