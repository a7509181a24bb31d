package gate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// entry is a place in the order of the rules: a chain, or a marker.
type entry struct {
	chain  *chain
	rules  []seclang.Rule
	marker string
}

// reading is what the directives of a rule set say.
type reading struct {
	entries []entry
	limits  limits
	trouble string // why the rule set cannot be gated at all
}

// harmless are actions of SecDefaultAction that do not change what matches.
var harmless = map[string]bool{"phase": true, "log": true, "nolog": true, "auditlog": true, "noauditlog": true, "pass": true,
	"deny": true, "block": true, "drop": true, "status": true, "redirect": true, "allow": false}

func read(directives []seclang.Directive) *reading {
	r := &reading{limits: limits{requestBody: 134217728, responseBody: 524288, arguments: 1000, jsonDepth: 1024}}
	for _, d := range directives {
		switch name := strings.ToLower(d.Name); name {
		case "secrule", "secaction":
			r.rule(d)
		case "secmarker":
			r.entries = append(r.entries, entry{marker: strings.Trim(d.Args, `"'`)})
		case "secdefaultaction":
			for _, a := range seclang.ParseActions(strings.Trim(d.Args, `"`)) {
				if !harmless[a.Name] {
					r.fail(d, "default action "+a.Name)
				}
			}
		case "secruleremovebyid":
			r.removeByID(d)
		case "secruleremovebytag":
			r.remove(func(c *chain) bool { return contains(c.tags, strings.Trim(d.Args, `"`)) })
		case "secruleremovebymsg":
			r.remove(func(c *chain) bool { return c.message == strings.Trim(d.Args, `"`) })
		case "secruleupdatetargetbyid", "secruleupdatetargetbytag", "secruleupdatetargetbymsg":
			r.updateTarget(d, name)
		case "secruleupdateactionbyid":
			r.updateAction(d)
		case "secrequestbodylimit", "secresponsebodylimit", "secargumentslimit", "secrequestbodyjsondepthlimit":
			r.limit(d, name)
		case "secrequestbodyaccess":
			r.limits.readRequest = isOn(d.Args)
		case "secresponsebodyaccess":
			r.limits.readResponse = isOn(d.Args)
		case "secresponsebodymimetype":
			r.limits.mimeTypes = strings.Split(strings.Trim(d.Args, `"`), " ")
		case "secresponsebodymimetypesclear":
			r.limits.mimeTypes = nil
		case "secruleengine", "secauditengine", "seccomponentsignature", "secrequestbodyinmemorylimit", "secrequestbodylimitaction",
			"secresponsebodylimitaction", "secrxprefilter", "secdataset", "secresponsebodyjsondepthlimit":
		default:
			r.fail(d, "directive "+d.Name)
		}
	}
	return r
}

func isOn(args string) bool { return strings.EqualFold(strings.Trim(args, `" `), "on") }

func (r *reading) fail(d seclang.Directive, what string) {
	if r.trouble == "" {
		r.trouble = fmt.Sprintf("%s at %s is not known to the gate", what, d.Place())
	}
}

// rule adds a rule, to the chain before it when that expects one.
func (r *reading) rule(d seclang.Directive) {
	parsed, err := seclang.ParseRule(d)
	if err != nil {
		r.fail(d, "rule")
		return
	}
	if n := len(r.entries); n > 0 && r.entries[n-1].chain != nil {
		last := &r.entries[n-1]
		if last.rules[len(last.rules)-1].Chained() {
			last.rules = append(last.rules, parsed)
			return
		}
	}
	c := &chain{id: parsed.ID(), phase: phaseOf(&parsed), place: d.Place(), tags: parsed.All("tag")}
	c.message, _ = parsed.Action("msg")
	c.skips, _ = parsed.Action("skipafter")
	if count, given := parsed.Action("skip"); given {
		if c.skip, err = strconv.Atoi(count); err != nil {
			r.fail(d, "skip")
		}
	}
	r.entries = append(r.entries, entry{chain: c, rules: []seclang.Rule{parsed}})
}

func itoa(n int) string { return strconv.Itoa(n) }

func phaseOf(rule *seclang.Rule) int {
	value, given := rule.Action("phase")
	switch strings.ToLower(value) {
	case "request":
		return 2
	case "response":
		return 4
	case "logging":
		return 5
	}
	if n, err := strconv.Atoi(value); given && err == nil {
		return n
	}
	return 2
}

func (r *reading) remove(leave func(*chain) bool) {
	kept := r.entries[:0]
	for _, e := range r.entries {
		if e.chain == nil || !leave(e.chain) {
			kept = append(kept, e)
		}
	}
	r.entries = kept
}

func (r *reading) removeByID(d seclang.Directive) {
	for _, part := range strings.Fields(strings.Trim(d.Args, `"`)) {
		first, last, ok := idRange(part)
		if !ok {
			r.fail(d, "removal")
			return
		}
		r.remove(func(c *chain) bool { return c.id >= first && c.id <= last })
	}
}

func idRange(s string) (first, last int, ok bool) {
	low, high, isRange := strings.Cut(s, "-")
	first, err := strconv.Atoi(low)
	last = first
	if err == nil && isRange {
		last, err = strconv.Atoi(high)
	}
	return first, last, err == nil
}

// updateTarget follows updates that only take targets away.
func (r *reading) updateTarget(d seclang.Directive, name string) {
	which, text, _ := strings.Cut(d.Args, " ")
	which = strings.Trim(which, `"`)
	targets, err := seclang.ParseTargets(strings.Trim(strings.TrimSpace(text), `"`))
	onlyAway := err == nil && len(targets) > 0 && !slices.ContainsFunc(targets, func(t seclang.Target) bool { return !t.Exclude })
	concerned, ok := r.named(name, which)
	if !ok {
		r.fail(d, "update")
		return
	}
	for _, e := range concerned {
		if onlyAway {
			e.rules[0].Targets = slices.Concat(e.rules[0].Targets, targets)
		} else {
			e.chain.opaque = "its targets are updated"
		}
	}
}

func (r *reading) updateAction(d seclang.Directive) {
	which, _, _ := strings.Cut(d.Args, " ")
	concerned, ok := r.named("secruleupdateactionbyid", strings.Trim(which, `"`))
	if !ok {
		r.fail(d, "update")
	}
	for _, e := range concerned {
		e.chain.opaque = "its actions are updated"
	}
}

// named returns the rules that an update concerns, by id, tag or message as the directive's name says.
func (r *reading) named(directive, which string) (concerned []entry, ok bool) {
	first, last, isID := idRange(which)
	if strings.HasSuffix(directive, "byid") && !isID {
		return nil, false
	}
	for _, e := range r.entries {
		c := e.chain
		switch {
		case c == nil:
		case strings.HasSuffix(directive, "byid") && c.id >= first && c.id <= last,
			strings.HasSuffix(directive, "bytag") && contains(c.tags, which),
			strings.HasSuffix(directive, "bymsg") && c.message == which:
			concerned = append(concerned, e)
		}
	}
	return concerned, true
}

func (r *reading) limit(d seclang.Directive, name string) {
	n, err := strconv.Atoi(strings.Trim(d.Args, `" `))
	if err != nil {
		r.fail(d, "limit")
		return
	}
	switch name {
	case "secrequestbodylimit":
		r.limits.requestBody = n
	case "secresponsebodylimit":
		r.limits.responseBody = n
	case "secargumentslimit":
		r.limits.arguments = n
	default:
		r.limits.jsonDepth = n
	}
}
