package incident

import (
	"bytes"
	"fmt"
	"math"
)

// deny takes a request whose credentials were not accepted.
func (c *Correlator) deny(v *view) {
	if v.source == nil {
		c.stuff(v)
		return
	}
	v.source.Denied = v.sec
	p := c.pairOf(with(v.sourceKey, v.routeKey), v)
	if p == nil {
		return
	}
	t := &c.rules.BruteForce
	if p.begins(v.sec, seconds(c.rules.Gap)) {
		p.SinceOk = 0
	}
	if p.SinceOk = min(p.SinceOk+1, 60000); p.SinceOk == 1 {
		p.Since = v.sec
	}
	tried, blind := c.newCredentials(v, p)
	regular := c.established(v) || p.Ok > 0 && passed(v.sec, p.FirstOk) >= seconds(c.rules.Established) // its token may have expired
	var level, slow float32
	switch {
	case blind:
		if p.Unknown.pour(1, v.sec, t.UnknownLeak) <= float32(t.UnknownBucket) || regular {
			if v.submits() && !regular {
				c.stuff(v)
			}
			return
		}
		level = float32(t.Bucket) + 1
	case !tried:
		return
	default:
		amount := 1.0
		if regular && p.TriedCount < exact {
			amount = 0.25
		}
		level, slow = p.Fails.pour(amount, v.sec, t.Leak), p.SlowFails.pour(amount, v.sec, t.SlowLeak)
	}
	if a := c.book.at(v.source.Ref); a != nil && a.Has(BruteForce) {
		return
	}
	if level > float32(t.Bucket) || slow > float32(t.SlowBucket) {
		how := "with different credentials"
		if blind {
			how = "in quick succession"
		}
		a := c.found(v, BruteForce, Medium, fmt.Sprintf("%s on one route since the last success, %s", plural(int(p.SinceOk), "refused request"), how),
			&p.Ref, &v.source.Ref)
		if a != nil && a.opensAfter(int(p.SinceOk), p.Since, true) {
			a.Denied = a.Records
		}
		return
	}
	if !c.established(v) {
		c.stuff(v)
	}
}

// newCredentials reports whether a request tries credentials that were not tried before, and whether the record shows nothing of them.
func (c *Correlator) newCredentials(v *view, p *pair) (tried, blind bool) {
	if v.Principal == 0 && v.User == 0 {
		return true, !v.submits() || !c.path.isLogin()
	}
	if v.User != 0 {
		p.Told |= showsUser
	}
	short := uint32(with(v.Principal, v.User)>>16) | 1
	n := min(p.TriedCount, exact)
	for _, known := range p.Tried[:n] {
		if known == short {
			return v.Principal == 0 && v.Method != "GET", false // one user name, and a password that the record does not show
		}
	}
	p.Tried[p.TriedCount%exact] = short
	p.TriedCount = min(p.TriedCount+1, 60000)
	return true, false
}

// loginWords are parts of routes that take credentials in the body of a request; author is none.
var loginWords = []string{
	"login", "logon", "log-in", "log_in", "signin", "sign-in", "sign_in", "/auth", "-auth", "_auth", "oauth", "authenticat", "authoriz", "token", "session", "passw", "pwd",
	"credential", "/otp", "/mfa", "2fa", "/pin", "verify", "unlock", "/sso", "saml", "j_security_check", "xmlrpc",
}

// isLogin reports whether a route is named like one that takes credentials.
func (r *Route) isLogin() bool {
	var lower [len(r.text)]byte
	text := lowered(lower[:], r.Text())
	for _, word := range loginWords {
		if at := bytes.Index(text, []byte(word)); at >= 0 && !bytes.HasPrefix(text[at+len(word):], []byte("or")) {
			return true
		}
	}
	return false
}

// stuff counts refused credentials on a route from sources that nobody knows: one attempt from each shows only here.
func (c *Correlator) stuff(v *view) {
	r, t := v.route, &c.rules.BruteForce
	if r == nil {
		return
	}
	if a := c.book.at(r.Ref); a != nil {
		if v.source != nil && c.book.at(v.source.Ref) == nil {
			v.source.Ref = r.Ref
		}
		c.attach(v, a)
		return
	}
	fails := r.StrangerFails.add(1, v.sec, t.StuffingLeak*20)
	ok := r.StrangerOk.add(0, v.sec, t.StuffingLeak*20)
	if fails < 2*ok { // strangers usually get in
		r.Stuffing.Level = 0
		return
	}
	level := r.Stuffing.pour(1, v.sec, t.StuffingLeak)
	if level <= 1 {
		r.StufferCount = 0
	}
	if level <= 1 || passed(v.sec, r.StuffedSince) > seconds(c.rules.Gap) { // a few mistype their passwords at any time
		r.Stuffed, r.StuffedSince = 0, v.sec
	}
	r.Stuffed = min(r.Stuffed+1, math.MaxUint16-1)
	n, _ := joins(r.Stuffers[:], &r.StufferCount, v.sourceKey)
	if level > float32(t.StuffingBucket) && n >= min(t.StuffingSources, exact) {
		a := c.found(v, BruteForce, Medium, fmt.Sprintf("credentials are rejected on one route for %s not seen before", atLeast(n, exact, "source")),
			v.refs(&r.Ref)...)
		if a != nil && a.opensAfter(int(r.Stuffed), r.StuffedSince, false) {
			a.Denied, a.Unlisted = a.Records, n
		}
	}
}

// refs returns a ref and that of the source, if the source has a row.
func (v *view) refs(first *ref) []*ref {
	if v.source == nil {
		return []*ref{first}
	}
	return []*ref{first, &v.source.Ref}
}

// succeed takes a request that was let in.
func (c *Correlator) succeed(v *view) {
	if v.source == nil {
		c.enter(v)
		return
	}
	if v.route != nil && v.Method != "GET" && v.route.StrangerFails.N > 0 && !c.established(v) {
		v.route.StrangerOk.add(1, v.sec, c.rules.BruteForce.StuffingLeak*20)
	}
	if v.source.Denied == 0 {
		c.enter(v)
		return
	}
	p := c.pairs.get(with(v.sourceKey, v.routeKey), v.sec)
	if p == nil {
		return
	}
	failures, regular := int(p.SinceOk), p.Ok > 0
	p.SinceOk = 0
	if p.Ok++; p.Ok == 1 {
		p.FirstOk = v.sec
	}
	p.Fails.pour(-float64(c.rules.BruteForce.Success), v.sec, c.rules.BruteForce.Leak)
	p.SlowFails.pour(-float64(c.rules.BruteForce.Success), v.sec, c.rules.BruteForce.SlowLeak)
	if regular && p.TriedCount < exact || !c.showsCredentials(v, p) {
		return
	}
	a := c.book.at(p.Ref)
	if a == nil || !a.Has(BruteForce) {
		c.breakIn(v, failures)
		return
	}
	if failures < c.rules.BruteForce.Bucket {
		return
	}
	v.joins(a)
	a.add(c.finding(v, BruteForce, Critical, fmt.Sprintf("after %s the source succeeded with status %d", plural(failures, "refused request"), v.Status)))
	c.extend(v, a)
}

// showsCredentials reports whether the requests of a pair show that credentials were tried: a user, different credentials, or a login. A
// device that is let in after its key was corrected, and a page that wanted another token first, show none of these.
func (c *Correlator) showsCredentials(v *view, p *pair) bool {
	return p.Told&showsUser != 0 || p.TriedCount > 1 || v.submits() && c.path.isLogin()
}

// stuffing returns the incident about credentials that many sources try on the route of a request, nil when there is none.
func (c *Correlator) stuffing(v *view) *active {
	if v.route == nil || v.Internal || c.established(v) {
		return nil
	}
	if a := c.book.at(v.route.Ref); a != nil && a.Has(BruteForce) {
		return a
	}
	return nil
}

// typos is how many failures before a success are one person's own.
const typos = 2

// breakIn takes the success of a source that failed while many sources try credentials on the route. Whoever mistypes a password once or
// twice has loaded pages before.
func (c *Correlator) breakIn(v *view, failures int) {
	a := c.stuffing(v)
	if a == nil || failures == 0 || failures <= typos && v.source.Answered > 1 {
		return
	}
	c.goOn(v, a)
	a.add(c.finding(v, BruteForce, Critical, fmt.Sprintf("%s, one of many sources, succeeded with status %d after its credentials were refused", v.Source, v.Status)))
}

// From how many successes of strangers on, and up to which share of the refused requests, they belong to those that try credentials.
const (
	mostStrangers = 3
	strangerShare = 20
)

// enter takes the success of a source that asked for nothing before, while many sources try credentials on the route: of one attempt from
// each address, some succeed. Many such successes are the route's ordinary clients.
func (c *Correlator) enter(v *view) {
	if !v.submits() || v.Principal != 0 || v.source != nil && v.source.Answered > 1 {
		return
	}
	a := c.stuffing(v)
	if a == nil || v.User == 0 && !c.path.isLogin() {
		return
	}
	if a.Entered++; a.Entered >= mostStrangers && a.Entered*strangerShare <= a.Denied {
		c.goOn(v, a)
		a.add(c.finding(v, BruteForce, High, fmt.Sprintf("%d requests of sources that asked for nothing else succeeded while credentials of others are refused", a.Entered)))
	}
}

// pairOf returns the row for an actor on a route.
func (c *Correlator) pairOf(key uint64, v *view) *pair {
	p := c.pairs.get(key, v.sec)
	if p != nil || v.source == nil && !v.principal {
		return p
	}
	if p = c.pairs.add(key, v.sec, c.leavePair); p == nil {
		return nil
	}
	p.Key, p.Route, p.Internal = key, v.routeKey, v.Internal
	if b := c.bulks.get(key, v.sec); b != nil {
		p.UsualShort, p.UsualSlow, p.UsualBytes, p.UsualItem = b.Short, b.Slow, b.Bytes, b.Items
	}
	return p
}

// leavePair learns from a pair before its row is given to another. One with an open incident stays.
func (c *Correlator) leavePair(p *pair) bool {
	if c.book.at(p.Ref) != nil {
		return false
	}
	var r *routeRow
	if i := c.routes.find(p.Route); i >= 0 {
		r = &c.routes.rows[i]
	}
	now := uint32(c.clock.Now / 1000)
	c.endShort(p, r, now)
	c.endSlow(p, r, now)
	c.endHour(p, r, now)
	if ceiling(p.UsualShort) <= float64(c.rules.Enumeration.IDs) && ceiling(p.UsualSlow) <= float64(c.rules.Enumeration.SlowIDs) &&
		ceiling(p.UsualBytes) <= 1000*float64(c.rules.Disclosure.Megabytes) && ceiling(p.UsualItem) <= float64(c.rules.Disclosure.Items) {
		return true
	}
	b := c.bulks.get(p.Key, now)
	if b == nil {
		b = c.bulks.add(p.Key, now, nil)
	}
	if b != nil {
		*b = bulk{p.UsualShort, p.UsualSlow, p.UsualBytes, p.UsualItem}
	}
	return true
}
