package load

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// known is what directives that remove or change rules ask of the rules before them.
type known struct {
	id      int
	tags    []string
	message string
}

// references settles directives that name other rules. ModSecurity compares tags and messages as regular expressions and
// forgives names of rules that do not exist; Coraza compares them as they are, refuses unknown ids, and panics on
// SecRuleRemoveByMsg when a rule without a message is loaded. So each directive is written with the ids it means, and one
// that means none is omitted with a warning.
type references struct {
	program *Program
	before  []known
	ids     map[int]string // places of all rules, those that come later too
}

func (p *Program) settleReferences(all []Unit) {
	refs := references{program: p, ids: map[int]string{}}
	for i := range all {
		if id := all[i].ID(); id != 0 && len(all[i].Directives) > 0 {
			refs.ids[id] = all[i].place()
		}
	}
	for i := range all {
		u := &all[i]
		switch {
		case len(u.Directives) == 0:
		case u.IsRule() && u.ID() != 0:
			message, _ := u.Rules[0].Action("msg")
			refs.before = append(refs.before, known{u.ID(), u.Rules[0].All("tag"), message})
		default:
			refs.settle(u)
		}
	}
}

func (refs *references) settle(u *Unit) {
	d := u.Directives[0]
	words := d.Words()
	by, isRemoval := strings.CutPrefix(strings.ToLower(d.Name), "secruleremoveby")
	update, isUpdate := strings.CutPrefix(strings.ToLower(d.Name), "secruleupdatetargetby")
	switch {
	case len(words) == 0:
	case isRemoval && by == "id":
		refs.byID(u, "SecRuleRemoveById", words, nil)
	case isRemoval:
		refs.byText(u, by, "SecRuleRemoveById", words[0], nil)
	case isUpdate && (len(words) < 2 || update != "id" && len(words) > 2):
		refs.program.Reject(u, fmt.Errorf("%d arguments (want the rules and the targets)", len(words)))
	case isUpdate:
		refs.updateTargets(u, update, words)
	case d.Is("SecRuleUpdateActionById") && len(words) > 1:
		actions := seclang.CompleteSetvars(withoutGaps(words[len(words)-1]))
		refs.byID(u, "SecRuleUpdateActionById", words[:len(words)-1], []string{actions})
	}
}

// updateTargets writes one directive for each target: Coraza takes a comma for a part of a name.
func (refs *references) updateTargets(u *Unit, by string, words []string) {
	last := len(words) - 1
	targets := seclang.SplitTargets(words[last])
	for i, target := range targets {
		if err := refs.program.vocabulary.checkUpdatedTarget(target); err != nil {
			refs.program.Reject(u, err)
			return
		}
		if strings.HasPrefix(target, "!") {
			targets[i] = ignoringCase(target)
		}
	}
	if by == "id" {
		refs.byID(u, "SecRuleUpdateTargetById", words[:last], targets)
	} else {
		refs.byText(u, by, "SecRuleUpdateTargetById", words[0], targets)
	}
}

// withoutGaps removes the spaces between actions, at which Coraza would cut the list.
func withoutGaps(actions string) string {
	parts := strings.Split(actions, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return strings.Join(parts, ",")
}

// byID writes one directive for each id or range of ids that names a rule, and for each argument.
func (refs *references) byID(u *Unit, directive string, words, arguments []string) {
	var lines []string
	d := u.Directives[0]
	for _, part := range strings.FieldsFunc(strings.Join(words, " "), func(c rune) bool { return c == ' ' || c == ',' }) {
		low, high, err := seclang.ParseIDs(part)
		if err != nil {
			refs.program.Reject(u, err)
			return
		}
		at := slices.IndexFunc(refs.before, func(k known) bool { return low <= k.id && k.id <= high })
		if at < 0 {
			refs.warn(&d, part, low, high)
			continue
		}
		if low == high {
			part = strconv.Itoa(low)
		}
		lines = append(lines, directivesFor(directive, part, arguments)...)
		if arguments == nil {
			refs.before = slices.DeleteFunc(refs.before, func(k known) bool { return low <= k.id && k.id <= high })
		}
	}
	u.setLines(lines)
}

// byText writes one directive for all rules that have a tag or a message, which is a regular expression when no rule has it
// as it is written.
func (refs *references) byText(u *Unit, by, directive, wanted string, arguments []string) {
	ids := refs.having(by, func(text string) bool { return text == wanted })
	if ids == nil {
		if expression, err := regexp.Compile(wanted); err == nil {
			ids = refs.having(by, expression.MatchString)
		}
	}
	if ids == nil {
		refs.program.leave(u, fmt.Sprintf("no earlier rule has this %s: %q", by, wanted))
		return
	}
	var lines []string
	for _, id := range ids {
		lines = append(lines, directivesFor(directive, strconv.Itoa(id), arguments)...)
	}
	if arguments == nil {
		refs.before = slices.DeleteFunc(refs.before, func(k known) bool { return slices.Contains(ids, k.id) })
	}
	u.setLines(lines)
}

// having returns the ids of the rules one of whose tags, or whose message, passes a test.
func (refs *references) having(by string, test func(string) bool) (ids []int) {
	for _, k := range refs.before {
		if by == "tag" && slices.ContainsFunc(k.tags, test) || by != "tag" && k.message != "" && test(k.message) {
			ids = append(ids, k.id)
		}
	}
	return ids
}

func (refs *references) warn(d *seclang.Directive, part string, low, high int) {
	why := "there is no rule " + part
	for id, place := range refs.ids {
		if low <= id && id <= high {
			why = fmt.Sprintf("rule %s comes later, at %s", part, place)
			break
		}
	}
	refs.program.Warnings = append(refs.program.Warnings, fmt.Sprintf("%s: %s has no effect: %s", d.Place(), d.Name, why))
}

// directivesFor writes a directive for rules, once for each argument, or without one.
func directivesFor(directive, ids string, arguments []string) (lines []string) {
	if arguments == nil {
		return []string{directive + " " + ids}
	}
	for _, argument := range arguments {
		lines = append(lines, directive+" "+ids+` "`+argument+`"`)
	}
	return lines
}

// setLines puts other directives in the place of the unit's, for the same line of the same file.
func (u *Unit) setLines(lines []string) {
	d := u.Directives[0]
	u.Directives = nil
	for _, line := range lines {
		u.Directives = append(u.Directives, seclang.NewDirective(d.File, d.Line, line))
	}
}
