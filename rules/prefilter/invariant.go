package prefilter

import (
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
)

// isDeadForCandidates reports whether a chain runs in no transaction, not even in those that the engine evaluates: an invariant chain skips it.
func (f *dataFlow) isDeadForCandidates(c *chain) bool {
	at := f.order[c]
	for place := range f.entries[:at] {
		b := f.entries[place].chain
		if b != nil && b.matches && b.skipAfter != "" && b.phase == c.phase && f.skipEnd(place) > at && f.isInvariant(b, map[*chain]bool{}) {
			return true
		}
	}
	return false
}

// isInvariant reports whether a chain does in every transaction what it does in the plain ones: it reads nothing but what invariant chains write, and
// no other chain skips it or removes anything of it.
func (f *dataFlow) isInvariant(c *chain, seen map[*chain]bool) bool {
	if seen[c] {
		return true
	}
	seen[c] = true
	if !c.static || c.differs || c.alerts || len(c.links) != 1 || f.isTouched(c) {
		return false
	}
	names, ok := txNames(&c.links[0])
	for _, w := range c.writes {
		for _, macro := range macros(w.name + w.value) {
			name, isTX := strings.CutPrefix(macro, "tx.")
			names, ok = append(names, name), ok && isTX
		}
	}
	return ok && !slices.ContainsFunc(names, func(name string) bool {
		return isEngines(name) || f.isWritten(name, func(w *write) bool { return !f.isInvariant(w.chain, seen) })
	})
}

// isTouched reports whether any rule that runs before a chain names it for a removal, or can skip it.
func (f *dataFlow) isTouched(c *chain) bool {
	at := f.order[c]
	for place, e := range f.entries {
		if e.chain == nil || e.chain.phase > c.phase || e.chain.phase == c.phase && place >= at {
			continue
		}
		if e.chain.skips() && e.chain.phase == c.phase {
			if end := f.skipEnd(place); e.chain.skip > 0 || end < 0 || end > at {
				return true
			}
		}
		for _, ctl := range e.chain.removals {
			if takesFrom(ctl, c) {
				return true
			}
		}
	}
	return false
}

// takesFrom reports whether a removal removes a chain, or a variable that the chain has among its targets.
func takesFrom(ctl *corazalink.Control, c *chain) bool {
	return c.isNamedBy(ctl) && (!strings.HasPrefix(ctl.Name, "ruleRemoveTarget") || slices.ContainsFunc(c.links, func(l corazalink.Link) bool {
		return slices.ContainsFunc(l.Targets, func(t corazalink.Target) bool { return t.Variable == ctl.Variable })
	}))
}
