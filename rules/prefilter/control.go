package prefilter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
)

// What a match does to the rules behind it and to how bodies are read. The prefilter follows which body processor is selected. Removals of
// rules and targets, and skips, it need not follow as long as they only take matches away; all else makes the chain divert: from the link
// on that has the action, the engine evaluates.

// effect is a ctl action that changes how a body is read.
type effect struct {
	at        int    // link of the chain that has the action
	processor string // requestBodyProcessor
	force     bool   // forceRequestBodyVariable
}

// readActions sorts the actions of all chains that do not depend on what other chains are.
func (f *dataFlow) readActions() {
	for _, c := range f.chains {
		for i := range c.links {
			l := &c.links[i]
			if l.Operator != nil && !f.isPure(l.Operator) {
				c.divertAt(i, "operator @"+l.Operator.Name+" is not supported")
			}
			for k := range l.Actions {
				f.readAction(c, i, &l.Actions[k])
			}
		}
		if c.skip > 0 && c.skipAfter != "" {
			c.divertAt(len(c.links)-1, "skip and skipAfter together are not supported")
		}
	}
}

// isPure reports whether an operator changes nothing but captured groups.
func (f *dataFlow) isPure(o *corazalink.Operator) bool {
	if _, known := operators[strings.ToLower(o.Name)]; known {
		return true
	}
	_, isOwn := f.own(strings.ToLower(o.Name), o.Argument)
	return isOwn
}

func (f *dataFlow) readAction(c *chain, link int, a *corazalink.Action) {
	switch {
	case a.Assignment != nil:
	case a.Control != nil:
		f.readControl(c, link, a.Control)
	case a.Type == plugintypes.ActionTypeFlow && link > 0: // Coraza evaluates flow actions of the chain's first rule, when all match
	case a.Name == "skipafter":
		c.skipAfter = a.SkipAfter
	case a.Name == "skip":
		c.skip = a.Skip
	case a.Type == plugintypes.ActionTypeFlow && !inert[a.Name]:
		c.divertAt(len(c.links)-1, "action "+a.Name+" is not supported")
	case !inert[a.Name]:
		c.divertAt(link, "action "+a.Name+" is not supported")
	}
}

// readControl takes the ctl actions that select how bodies are read, and has all others divert that need more than a look at the rules
// which they concern: see removals.
func (f *dataFlow) readControl(c *chain, link int, ctl *corazalink.Control) {
	switch {
	case inertControls[ctl.Name]:
	case strings.HasPrefix(ctl.Name, "ruleRemove"):
	case ctl.Name == "requestBodyProcessor" && c.phase == 1:
		c.effects = append(c.effects, effect{at: link, processor: strings.ToUpper(ctl.Value)})
	case ctl.Name == "forceRequestBodyVariable" && c.phase == 1 && strings.EqualFold(ctl.Value, "on"):
		c.effects = append(c.effects, effect{at: link, force: true})
	default:
		c.divertAt(link, "ctl:"+ctl.Name+" is not supported")
	}
}

// guardRemovals has chains divert whose match removes what must not be missing, and notes what others can remove.
func (f *dataFlow) guardRemovals() {
	for _, c := range f.chains {
		c.removable, c.loses, c.lost = false, false, nil
	}
	for _, c := range f.chains {
		if c.dead || c.static && !c.matches && len(c.links) == 1 {
			continue
		}
		for link, ctl := range c.removals {
			f.guardRemoval(c, link, ctl)
		}
	}
}

func (f *dataFlow) guardRemoval(c *chain, link int, ctl *corazalink.Control) {
	concerned := f.concerned(ctl)
	first, last, isRange := idRange(ctl.Value)
	if ctl.Name == "ruleRemoveById" && isRange && first <= 0 && last >= 0 {
		c.divertAt(link, "ctl:ruleRemoveById="+ctl.Value+" removes markers")
		return
	}
	if !f.mayBeRemoved(ctl, concerned) {
		c.divertAt(link, "ctl:"+ctl.Name+"="+ctl.Value+" removes what the prefilter relies on")
		return
	}
	for _, removed := range concerned {
		if strings.HasPrefix(ctl.Name, "ruleRemoveTarget") {
			removed.loses = true
			removed.lost = append(removed.lost, ctl.Variable)
		} else {
			removed.removable = true
		}
	}
}

// guard has chains divert whose match skips what must not be missing. It returns what cannot be followed at all.
func (f *dataFlow) guard() error {
	for place, e := range f.entries {
		c := e.chain
		if c == nil || c.dead || c.static && !c.matches {
			continue
		}
		if c.skips() && !c.static && !f.mayBeSkipped(place) {
			c.divertAt(len(c.links)-1, "it skips rules whose effects the prefilter relies on")
		}
		if c.decisive > 0 {
			for _, e := range c.effects {
				c.divertAt(e.at, "a rule that can alert selects how bodies are read")
			}
			c.effects = nil
		}
		if c.static && c.diverts != "" {
			return fmt.Errorf("prefilter: rule %d at %s matches every transaction: %s", c.id, c.place, c.diverts)
		}
	}
	return nil
}

// mayBeSkipped reports whether a skip from a place to its marker only takes matches away.
func (f *dataFlow) mayBeSkipped(place int) bool {
	end := f.skipEnd(place)
	if end < 0 {
		return false
	}
	c := f.entries[place].chain
	for i := place + 1; i < end; i++ {
		s := f.entries[i].chain
		if s == nil || s.phase != c.phase {
			continue
		}
		if c.skip > 0 && (s.dead || s.removable || s.static && s.skips()) {
			return false // how far it skips is not known
		}
		if s.dead {
			continue
		}
		if s.isReliedOn() {
			return false
		}
		if s.static && s.skips() && s.matches {
			if own := f.skipEnd(i); own < 0 || own > end {
				return false
			}
		}
	}
	return true
}

// isReliedOn reports whether the prefilter relies on that the chain runs.
func (c *chain) isReliedOn() bool {
	last := len(c.links) - 1
	return len(c.effects) > 0 || c.static && c.matches && c.removes() || c.static && slices.ContainsFunc(c.writes, func(w *write) bool {
		return !w.ignorable() && (c.matches || w.link < last)
	})
}

// removes reports whether the chain removes rules or targets.
func (c *chain) removes() bool {
	for range c.removals {
		return true
	}
	return false
}

// removals yields the ctl actions that remove rules or targets, with the links that have them.
func (c *chain) removals(yield func(link int, ctl *corazalink.Control) bool) {
	for i := range c.links {
		for k := range c.links[i].Actions {
			if ctl := c.links[i].Actions[k].Control; ctl != nil && strings.HasPrefix(ctl.Name, "ruleRemove") && !yield(i, ctl) {
				return
			}
		}
	}
}

// controlsEarly reports whether a link before the last has a ctl action, which takes effect also when the chain does not match.
func (c *chain) controlsEarly() bool {
	return slices.ContainsFunc(c.links[:len(c.links)-1], func(l corazalink.Link) bool {
		return slices.ContainsFunc(l.Actions, func(a corazalink.Action) bool { return a.Control != nil })
	}) || c.diverts != "" && c.decisive < len(c.links)
}

// skipEnd returns the place behind the last entry that a chain can skip, -1 when the marker to which it skips does not follow. A skip
// counts markers, and no rules that were removed.
func (f *dataFlow) skipEnd(place int) int {
	c := f.entries[place].chain
	left := c.skip
	for i := place + 1; i < len(f.entries); i++ {
		switch e := f.entries[i]; {
		case c.skip == 0 && e.marker != "" && e.marker == c.skipAfter:
			return i
		case c.skip == 0 || e.chain != nil && (e.chain.phase != c.phase || e.chain.removable || e.chain.dead):
		default:
			if left--; left == 0 {
				return i + 1
			}
		}
	}
	if c.skip > 0 {
		return len(f.entries)
	}
	return -1
}

// concerned returns the chains that a removal names.
func (f *dataFlow) concerned(ctl *corazalink.Control) (all []*chain) {
	for _, c := range f.chains {
		if c.isNamedBy(ctl) {
			all = append(all, c)
		}
	}
	return all
}

// isNamedBy reports whether a removal names the chain.
func (c *chain) isNamedBy(ctl *corazalink.Control) bool {
	switch by := ctl.Name[strings.LastIndex(ctl.Name, "By"):]; by {
	case "ById":
		first, last, isRange := idRange(ctl.Value)
		return isRange && first <= c.id && c.id <= last
	case "ByTag":
		return slices.Contains(c.tags, ctl.Value)
	case "ByMsg":
		return c.links[0].Message == ctl.Value
	}
	return false
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

// mayBeRemoved reports whether the removal of rules, or of a target of theirs, only takes matches away. Counts can match because
// something is missing.
func (f *dataFlow) mayBeRemoved(ctl *corazalink.Control, concerned []*chain) bool {
	ofTarget := strings.HasPrefix(ctl.Name, "ruleRemoveTarget")
	return !slices.ContainsFunc(concerned, func(c *chain) bool {
		switch {
		case c.dead:
			return false
		case !ofTarget:
			return c.isReliedOn() || c.static && c.matches && c.skips()
		}
		return slices.ContainsFunc(c.links, func(l corazalink.Link) bool { return c.reliesOnTarget(&l, ctl) })
	})
}

// reliesOnTarget reports whether a link can match without a target what it does not match with it, or the prefilter relies on that it matches.
func (c *chain) reliesOnTarget(l *corazalink.Link, ctl *corazalink.Control) bool {
	return slices.ContainsFunc(l.Targets, func(t corazalink.Target) bool {
		isOther := ctl.KeyRx == nil && ctl.Key != "" && t.KeyRx == nil && t.Key != "" && strings.ToLower(t.Key) != ctl.Key
		return t.Variable == ctl.Variable && !isOther && (t.Count && !grows(l) || c.static || len(c.effects) > 0)
	})
}

// grows reports whether a link matches a larger number when it matches a smaller one.
func grows(l *corazalink.Link) bool {
	operator := strings.ToLower(l.Operator.Name)
	return !l.Operator.Negated && (operator == "gt" || operator == "ge") && len(l.Transformations) == 0
}
