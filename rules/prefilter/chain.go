package prefilter

import (
	"strings"
	"sync/atomic"

	corazavariables "github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
)

// entry is a place in the order of evaluation: a chain, or a marker.
type entry struct {
	chain  *chain
	marker string
}

// chain is a SecRule or SecAction with the rules chained to it.
type chain struct {
	id    int
	phase int
	place string // file:line
	file  string // as Coraza knows it
	tags  []string
	links []corazalink.Link

	alerts    bool                           // a match can alert
	removable bool                           // a ctl action names the rule for removal
	loses     bool                           // a ctl action names the rule for the removal of a target
	lost      []corazavariables.RuleVariable // of these targets
	decisive  int                            // a match of so many links makes the transaction a candidate; 0 for a chain that never does
	diverts   string                         // the construct because of which a match changes what is not followed, "" when there is none
	skipAfter string                         // the marker of skipAfter
	skip      int                            // the number of skip
	effects   []effect                       // on how bodies are read, which the prefilter follows
	writes    []*write

	static     bool        // whether it matches does not depend on the transaction
	dynamic    bool        // never static: what the plain requests say of it is not to be trusted
	matches    bool        // of a static chain: it matches the plain request
	differs    bool        // whether it matches depends on whether there is a response
	dead       bool        // never evaluated
	counts     bool        // it does nothing but add to variables
	surplus    bool        // of a chain that counts: it can match fewer values than its test
	mistrusted atomic.Bool // what was found of it was not what the engine reports
	reports    *report     // how its matches are reported without the engine, nil when they are not

	tests     []test // of the decisive links, or of all
	compiling bool   // the tests are being made
	why       string // how the chain is prefiltered, for people
	opened    bool   // it always runs
	number    int    // among the chains that are evaluated directly
	first     inputs // of its first test
	whole     inputs // of all of its tests
}

// newEntries takes over the rules of a WAF.
func newEntries(r *Rules) (all []entry) {
	for i := range r.WAF.Rules {
		rule := &r.WAF.Rules[i]
		if rule.Marker != "" {
			all = append(all, entry{marker: rule.Marker})
			continue
		}
		c := &chain{id: rule.ID, phase: rule.Phase, place: r.Place(rule.ID), file: rule.File, tags: rule.Tags, links: rule.Links}
		if c.alerts = r.Watched(c.id); c.alerts {
			c.decisive = len(c.links)
		}
		all = append(all, entry{chain: c})
	}
	return all
}

// divertAt notes that a match of a link, and of those before it, changes what is not followed.
func (c *chain) divertAt(link int, why string) {
	if n := link + 1; c.decisive == 0 || n < c.decisive {
		c.decisive, c.diverts = n, why
	}
	if c.diverts == "" {
		c.diverts = why
	}
}

// changes reports whether a match changes which rules run or how bodies are read.
func (c *chain) changes() bool { return c.diverts != "" || c.skips() || len(c.effects) > 0 }

func (c *chain) skips() bool { return c.skipAfter != "" || c.skip > 0 }

// write is one setvar of the collection TX.
type write struct {
	chain *chain
	link  int
	assignment
}

// ignorable reports whether the write only happens when the chain has made the transaction a candidate.
func (w *write) ignorable() bool { return w.chain.decisive > 0 && w.link+1 >= w.chain.decisive }

// canWrite reports whether the variable can be one of a name.
func (a assignment) canWrite(name string) bool {
	if !a.isTemplate {
		return a.name == name
	}
	return strings.HasPrefix(name, a.prefix)
}

// assignments returns the setvar actions of a link.
func assignments(l *corazalink.Link) (all []assignment) {
	for i := range l.Actions {
		if s := l.Actions[i].Assignment; s != nil {
			a := assignment{name: strings.ToLower(s.Name), value: s.Value, remove: s.Remove}
			a.prefix, _, a.isTemplate = strings.Cut(a.name, "%{")
			all = append(all, a)
		}
	}
	return all
}
