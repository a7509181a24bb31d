package prefilter

import (
	"regexp"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/variables"
)

// target is one target of a rule.
type target struct {
	variables.Source
	key       string         // as the collection keeps its keys, "" for all
	keyRx     *regexp.Regexp // selects keys instead
	counts    bool           // the number of values is tested
	except    []exception
	producers []producer // rules elsewhere that can set the TX variables that the target selects
	values    []txValue  // all that a TX variable can have, nil when they are not known
	empty     bool       // of a captured group: it is empty unless the chain captures, or one of the feeders
}

// producer is a chain that sets TX variables for others, up to the last of its tests that does.
type producer struct {
	chain *chain
	tests int
}

// exception is a key in lower case that a target does not select, "" for all.
type exception struct {
	key string
	rx  *regexp.Regexp
}

// selects reports whether a key belongs to the target, given as nameKey makes it. This is the only comparison of names: collections keep
// their keys so, and targets compare with them byte by byte.
func (g *target) selects(key string) bool {
	switch {
	case g.keyRx != nil:
		if !g.keyRx.MatchString(key) {
			return false
		}
	case g.key != "":
		if key != g.key {
			return false
		}
	}
	for i := range g.except {
		e := &g.except[i]
		switch {
		case e.rx != nil:
			if e.rx.MatchString(key) {
				return false
			}
		case e.key == "" || e.key == key:
			return false
		}
	}
	return true
}

// newTarget takes over a target. It returns why the prefilter does not support it, "" when it does.
func (p *compiler) newTarget(t *corazalink.Target) (g target, why string) {
	name := t.Variable.Name()
	g = target{keyRx: t.KeyRx, counts: t.Count}
	selector := t.KeyRx != nil || t.Key != ""
	known, found := variables.Sources[name]
	switch {
	case found:
		g.Source = known
	case p.neverFilled(t.Variable):
		g.Source = variables.Source{Kind: variables.OfNothing}
	default:
		return g, "target " + name + " is not supported"
	}
	if body, isBody := variables.RawBodies[strings.ToLower(t.Key)]; isBody && g.Kind == variables.OfTX && t.KeyRx == nil && !t.Count && len(t.Except) == 0 {
		g.Source = body
		if p.dataFlow.isWritten(strings.ToLower(t.Key), func(*write) bool { return true }) {
			return g, "a rule sets TX:" + t.Key
		}
		return g, ""
	}
	switch g.Kind {
	case variables.OfSingle, variables.OfSize, variables.OfMatched:
		if selector { // Coraza finds no key in what has none
			return g, "target " + name + " with a key is not supported"
		}
	case variables.OfNames:
		g.key = t.Key // these are found by the key as it is written
	default:
		g.key = strings.ToLower(t.Key)
	}
	for i := range t.Except {
		e := &t.Except[i]
		g.except = append(g.except, exception{strings.ToLower(e.Key), e.KeyRx})
	}
	return g, ""
}
