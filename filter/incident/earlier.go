package incident

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// outcome is what became of an attack.
type outcome uint8

const (
	attempted outcome = iota
	blocked
	succeeded
)

func (a *Attack) outcome() outcome {
	switch {
	case a.Refused:
		return blocked
	case a.Likely:
		return succeeded
	}
	return attempted
}

// takeOutcome counts an attack of a source on a target.
func (a *active) takeOutcome(of outcome, source, target string) {
	a.Attacks++
	switch of {
	case blocked:
		a.Blocked++
	case succeeded:
		a.Succeeded++
		a.raise(Critical, fmt.Sprintf("an attack by %s on %s likely succeeded: the response indicates success", cmp.Or(source, "an unknown source"), target))
	default:
		a.Attempted++
	}
}

// loosen notes that an attack belongs to no incident, so that one that opens later can take it.
func (e *echoes) loosen(v *view) {
	at := slices.IndexFunc(e.ring[:], func(x echo) bool { return x.Number == v.number && x.At == v.now })
	if at < 0 {
		return
	}
	x := &e.ring[at]
	x.Loose, x.Outcome = true, v.Attack.outcome()
	for n, r := range v.Attack.Rules {
		if n < len(x.Rules) {
			x.Rules[n] = uint32(r.ID)
		}
		x.Cats |= categoryBit(r.Category)
	}
}

// takeEarlier gives an incident the attacks of its source that came before it was opened, without a pause as long as one that ends an
// incident, and returns how many.
func (c *Correlator) takeEarlier(a *active, at ref, from string, now int64) (taken int) {
	key, gap := hash(from), c.rules.Gap.Milliseconds()
	for i := range c.echoes.ring {
		x := &c.echoes.ring[(c.echoes.next+2*mostEchoes-1-i)%mostEchoes] // the latest first
		if !x.Loose || x.Source != key {
			continue
		}
		if now-x.At > gap {
			break
		}
		now = min(now, x.At)
		c.takeOne(a, at, from, x)
		taken++
	}
	return taken
}

// takeHops gives an incident the attacks by which a chain came to its last target.
func (c *Correlator) takeHops(a *active, by *infection) {
	for i := range by.Hops {
		h := &by.Hops[i]
		key := hash(h.From)
		for k := range c.echoes.ring {
			x := &c.echoes.ring[k]
			if x.Loose && x.Source == key && x.Name.String() == h.To && h.Time-x.At <= c.pivotWindow() {
				c.takeOne(a, by.Ref, h.From, x)
			}
		}
	}
}

// takeOne gives an incident an attack that belongs to none.
func (c *Correlator) takeOne(a *active, at ref, from string, x *echo) {
	x.Loose, x.Ref = false, at
	c.decided = append(c.decided, Decided{x.Number, a.ID})
	a.Records++
	a.First, a.Changed = min(a.First, x.At), true
	a.takeOutcome(x.Outcome, from, x.Name.String())
	a.countSource(from, x.Source)
	a.countTarget(x.Name.String(), x.Target)
	for _, id := range x.Rules {
		if id != 0 {
			count(&a.Rules, strconv.Itoa(int(id)), mostRules)
		}
	}
	for i, name := range categoryList {
		if x.Cats&(1<<i) != 0 {
			count(&a.Categories, name, mostCategories)
		}
	}
}
