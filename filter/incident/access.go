package incident

import (
	"fmt"
	"math"
	"time"
)

// Bits of what was reported in a window of a pair, and of what its requests show.
const (
	toldShort = 1 << iota
	toldSlow
	toldBytes
	toldItems
	showsUser
)

// take takes an answer: whose data it is, and how much. A principal is followed from whatever addresses its requests come, also from those
// that have no row.
func (c *Correlator) take(v *view) {
	if v.route == nil || v.source == nil && !v.principal {
		return
	}
	if c.path.ids == 0 && v.Bytes == 0 && v.Items == 0 {
		return
	}
	if v.source != nil && v.source.Records == 1 && !v.principal && v.Attack == nil && c.isLarge(v) {
		c.takeLarge(v)
		return
	}
	key := with(v.actor, v.routeKey)
	p := c.pairOf(key, v)
	if p == nil {
		return
	}
	if v.Attack != nil && v.Items == 0 {
		p.Tainted = true
	}
	if c.path.ids != 0 {
		c.enumerate(v, p, key)
	}
	c.disclose(v, p)
}

// enumerate counts the ids that an actor gets on a route.
func (c *Correlator) enumerate(v *view, p *pair, key uint64) {
	t := &c.rules.Enumeration
	p.begins(v.sec, seconds(c.rules.Gap))
	if passed(v.sec, p.Short.Start) >= seconds(t.Window) {
		c.endShort(p, v.route, v.sec)
	}
	if passed(v.sec, p.Slow.Start) >= seconds(t.SlowWindow) {
		c.endSlow(p, v.route, v.sec)
	}
	n := c.sketches.add(&p.Short.IDs, with(key, 1), c.path.ids, v.sec)
	slow := c.sketches.add(&p.Slow.IDs, with(key, 2), c.path.ids, v.sec)
	if n <= exact && slow <= float64(t.SlowIDs) && !p.Tainted {
		c.own(v)
	}
	if n > float64(t.IDs) && p.Told&toldShort == 0 && n > c.most(v, t.IDs, &v.route.IDs, p.UsualShort) {
		c.enumeration(v, p, int(n+0.5), p.Short.Start, t.Window, &v.route.IDs)
	}
	if slow > float64(t.SlowIDs) && p.Told&(toldShort|toldSlow) == 0 && slow > c.most(v, t.SlowIDs, &v.route.Slow, p.UsualSlow) {
		c.enumeration(v, p, int(slow+0.5), p.Slow.Start, t.SlowWindow, &v.route.Slow)
	}
	if a := c.book.at(p.Ref); a != nil && p.Told&(toldShort|toldSlow) != 0 {
		c.goesOn(v, a, int(max(n, slow)+0.5))
	}
}

// goesOn adds a record to an incident about ids.
func (c *Correlator) goesOn(v *view, a *active, ids int) {
	a.IDs = max(a.IDs, ids)
	c.goOn(v, a)
	if c.isSevere(v, a.IDs) {
		a.raise(High, fmt.Sprintf("%d distinct ids of one route for one principal", a.IDs))
	}
}

// goOn adds a record to the incident of its actor, and its source, of which a principal may have many.
func (c *Correlator) goOn(v *view, a *active) {
	c.extend(v, a)
	if v.hit != nil {
		return
	}
	v.joins(a)
	a.countSource(v.Source, v.sourceKey)
}

func (c *Correlator) endShort(p *pair, r *routeRow, now uint32) {
	var h *histogram
	if r != nil {
		h = &r.IDs
	}
	c.endWindow(p, &p.Short, with(p.Key, 1), h, &p.UsualShort, toldShort, now)
}

func (c *Correlator) endSlow(p *pair, r *routeRow, now uint32) {
	var h *histogram
	if r != nil {
		h = &r.Slow
	}
	c.endWindow(p, &p.Slow, with(p.Key, 2), h, &p.UsualSlow, toldSlow, now)
}

// massive is how many times the ids that are severe on a private route are so on every one that is no catalog.
const massive = 50

// isSevere reports whether so many ids are certainly other people's.
func (c *Correlator) isSevere(v *view, ids int) bool {
	t := &c.rules.Enumeration
	return !v.Internal && ids >= t.Severe && v.route.shared() < t.Shared && (v.route.isPrivate(t.Private) || ids >= massive*t.Severe)
}

// endWindow begins the next window of a pair, and learns from the last one: nothing from an actor that attacks, and from what was
// reported only that it may come again, where one of ours did it.
func (c *Correlator) endWindow(p *pair, w *window, owner uint64, h *histogram, usual *uint8, told uint8, now uint32) {
	n := c.sketches.count(&w.IDs, owner)
	if n > 0 && !p.Tainted && (p.Told&told == 0 || p.Internal) {
		*usual = max(*usual, step(n))
		if p.Told&told == 0 && h != nil {
			h.add(n)
		}
	}
	c.sketches.clear(&w.IDs, owner)
	w.Start = now
	p.Told &^= told
}

// most returns how many ids a principal may get on a route.
func (c *Correlator) most(v *view, floor int, h *histogram, usual uint8) float64 {
	t := &c.rules.Enumeration
	least, usually := float64(floor), 0.99
	if usual == 0 && (v.source == nil || passed(v.sec, v.source.First) < 24*3600) {
		usually = t.Newcomer
	}
	most := t.Factor * max(h.quantile(usually), ceiling(usual))
	if h.Total < uint32(t.Windows) {
		least *= 2
	}
	if v.route.shared() >= t.Shared {
		return max(least*10, t.SharedFactor*h.quantile(0.99), most)
	}
	return max(least, most)
}

// enumeration reports how many ids an actor has got in a window, since the second in which that began.
func (c *Correlator) enumeration(v *view, p *pair, ids int, since uint32, window time.Duration, h *histogram) {
	if c.Learns() {
		return
	}
	p.Told |= toldShort | toldSlow
	severity := Medium
	switch {
	case v.Internal:
		severity = Low
	case v.route.shared() >= c.rules.Enumeration.Shared:
		severity = Low
	case c.isSevere(v, ids):
		severity = High
	}
	who := "one address"
	if v.principal {
		who = "one principal"
	}
	why := fmt.Sprintf("%d distinct ids of one route for %s within %s; 99 %% of principals get at most %.0f", ids, who, span(window.Milliseconds()), h.quantile(0.99))
	if a := c.found(v, Enumeration, severity, why, c.refsOf(v, p)...); a != nil {
		a.IDs = max(a.IDs, ids)
		c.extend(v, a)
		a.opensAfter(ids, max(since, p.Since), !v.principal)
	}
}

// manyPrincipals is from how many principals on an address is no single client.
const manyPrincipals = 4

// refsOf returns where the incident of an actor is kept: an address with many principals is no single actor.
func (c *Correlator) refsOf(v *view, p *pair) []*ref {
	if v.source == nil || v.principal && v.source.PrincipalCount >= manyPrincipals {
		return []*ref{&p.Ref}
	}
	return []*ref{&p.Ref, &v.source.Ref}
}

// own notes who asks for an id, and learns whether the ids of a route are everyone's. It is called for the first few of each principal: one
// that asks for many, as an attacker does, would show a private route as one where nobody has ids of their own. A client that comes back in
// another session is the same one.
func (c *Correlator) own(v *view) {
	id := with(v.routeKey, c.path.ids)
	o, now := &c.owners[id%uint64(len(c.owners))], owner{uint32(id>>32) | 1, uint16(v.actor >> 48), uint16(v.sourceKey >> 48)}
	switch {
	case o.Tag != now.Tag:
		v.route.Fresh++
	case o.Principal == now.Principal || o.Source == now.Source && v.source.isOneClient():
		v.route.Own++
	default:
		v.route.Shared++
	}
	*o = now
	if v.route.Own+v.route.Shared+v.route.Fresh > 4000 {
		v.route.Own, v.route.Shared, v.route.Fresh = v.route.Own/2, v.route.Shared/2, v.route.Fresh/2
	}
}

// isLarge reports whether a response alone is as much as a disclosure.
func (c *Correlator) isLarge(v *view) bool {
	t := &c.rules.Disclosure
	return v.answered() && (v.Bytes > int64(t.Megabytes)*1e6 || v.Items > t.Items)
}

// takeLarge takes a large response to an address that nobody knows. The route learns from it at once, and also from what is reported: it
// may be one that strangers download from, of whom none comes twice.
func (c *Correlator) takeLarge(v *view) {
	t, r := &c.rules.Disclosure, v.route
	kilobytes, items := float64(v.Bytes)/1000, float64(v.Items)
	if r.Bytes.Total >= uint32(c.rules.Enumeration.Windows) && (kilobytes > t.Factor*r.Bytes.quantile(0.99) || items > t.Factor*r.Items.quantile(0.99)) {
		if p := c.pairOf(with(v.actor, v.routeKey), v); p != nil {
			c.disclose(v, p)
		}
	}
	r.Bytes.add(kilobytes)
	r.Items.add(items)
}

// disclose adds up what an actor gets on a route.
func (c *Correlator) disclose(v *view, p *pair) {
	t := &c.rules.Disclosure
	if passed(v.sec, p.Hour) >= seconds(t.Window) {
		c.endHour(p, v.route, v.sec)
	}
	p.Answers = min(p.Answers+1, math.MaxUint16-1)
	p.Bytes += float32(max(0, v.Bytes))
	p.Items += uint32(max(0, min(v.Items, 1<<20)))
	floor, few := float64(t.Megabytes)*1e6, float64(t.Items)
	if v.route.Bytes.Total < uint32(c.rules.Enumeration.Windows) { // there is no baseline yet
		floor, few = 4*floor, 4*few
	}
	if bytes := float64(p.Bytes); bytes > floor && p.Told&toldBytes == 0 {
		if most := 1000 * t.Factor * max(v.route.Bytes.quantile(0.99), ceiling(p.UsualBytes)); bytes > most {
			c.disclosure(v, p, toldBytes, fmt.Sprintf("%.0f MB of responses on one route within an hour; 99 %% of principals get at most %.1f MB",
				bytes/1e6, v.route.Bytes.quantile(0.99)/1000))
		}
	}
	if items := float64(p.Items); items > few && p.Told&toldItems == 0 {
		if most := t.Factor * max(v.route.Items.quantile(0.99), ceiling(p.UsualItem)); items > most {
			c.disclosure(v, p, toldItems, fmt.Sprintf("%.0f sensitive items on one route within an hour; 99 %% of principals get at most %.0f",
				items, v.route.Items.quantile(0.99)))
		}
	}
	if a := c.book.at(p.Ref); a != nil && p.Told&(toldBytes|toldItems) != 0 {
		a.Bytes, a.Items = max(a.Bytes, int(p.Bytes)), max(a.Items, int(p.Items))
		c.goOn(v, a)
	}
}

// endHour begins the next hour of a pair, and learns from the last one, as endWindow does.
func (c *Correlator) endHour(p *pair, r *routeRow, now uint32) {
	kilobytes, items := float64(p.Bytes)/1000, float64(p.Items)
	if p.Hour != 0 && !p.Tainted {
		if p.Told&toldBytes == 0 || p.Internal {
			p.UsualBytes = max(p.UsualBytes, step(kilobytes))
		}
		if p.Told&toldItems == 0 || p.Internal {
			p.UsualItem = max(p.UsualItem, step(items))
		}
		if r != nil && p.Told&(toldBytes|toldItems) == 0 {
			r.Bytes.add(kilobytes)
			r.Items.add(items)
		}
	}
	p.Hour, p.Answers, p.Bytes, p.Items = now, 0, 0, 0
	p.Told &^= toldBytes | toldItems
}

func (c *Correlator) disclosure(v *view, p *pair, told uint8, why string) {
	if c.Learns() {
		return
	}
	p.Told |= told
	severity := Medium
	switch {
	case v.Internal:
		severity = Low
	case told == toldItems:
		severity = High
	}
	if a := c.found(v, Disclosure, severity, why, c.refsOf(v, p)...); a != nil {
		a.Bytes, a.Items = int(p.Bytes), int(p.Items)
		c.extend(v, a)
		a.opensAfter(int(p.Answers), p.Hour, !v.principal)
	}
}
