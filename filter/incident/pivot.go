package incident

import (
	"fmt"
	"slices"
	"strings"
)

// infection is a target that was attacked, and may do what the attacker wants since.
type infection struct {
	Key    uint64
	Name   string
	At     int64
	Strong bool   // the attack can have given control, and came from someone who meant this target
	Ref    ref    // of the incident of the attack
	Kinds  uint32 // categories of the attack
	Hops   []Hop  // from the first attacker to this target
	Edges  int    // first connections of the target since
}

// infections are the targets that were attacked within the pivot window, by the keys under which they act as clients.
type infections struct {
	all  []infection
	held []*held
	Held uint64
	Lost uint64 // infections that made room for others
}

// held is an attack by one of ours over a connection over which it passes requests on: the record of what it was asked may be behind. It is
// decided on when that would have come.
type held struct {
	number uint64 // of the observation
	at     int64
	o      Observation
	attack Attack
	sample Sample
}

// last returns the hop to the target.
func (in *infection) last() *Hop { return &in.Hops[len(in.Hops)-1] }

func (in *infections) of(key uint64, now, window int64) *infection {
	for i := range in.all {
		if in.all[i].Key == key && now-in.all[i].At <= window {
			return &in.all[i]
		}
	}
	return nil
}

// put notes an infection. It takes the place of one of the same target, unless that is stronger or has the longer chain, or of the oldest.
func (in *infections) put(n infection, now, window int64) {
	oldest := -1
	for i := range in.all {
		old := &in.all[i]
		switch {
		case old.Key == n.Key && now-old.At <= window:
			same := len(old.Hops) == len(n.Hops) && old.last().From == n.last().From
			if len(old.Hops) > len(n.Hops) || old.outranks(&n) {
				old.At, old.Kinds = n.At, n.Kinds
				old.last().Succeeded = old.last().Succeeded || same && n.last().Succeeded
				return
			}
			n.last().Succeeded = n.last().Succeeded || same && old.last().Succeeded
			*old = n
			return
		case oldest < 0 || old.At < in.all[oldest].At:
			oldest = i
		}
	}
	switch {
	case oldest >= 0 && now-in.all[oldest].At > window:
		in.all[oldest] = n
	case len(in.all) < mostInfected:
		in.all = append(in.all, n)
	default:
		in.Lost++
		in.all[oldest] = n
	}
}

// outranks reports whether an attack explains better than a later one what the target does since.
func (in *infection) outranks(later *infection) bool {
	if in.Strong != later.Strong {
		return in.Strong
	}
	return in.last().Succeeded && !later.last().Succeeded && in.last().From != later.last().From
}

// infect notes that the target of an attack may be the attacker's now.
func (c *Correlator) infect(v *view) {
	if v.weight < 1 || v.TargetHost == v.Source && v.Source != "" || !v.mayHaveWorked() {
		return
	}
	n := infection{At: v.now, Strong: c.isStrong(v), Ref: v.source.Ref, Kinds: v.Attack.kinds()}
	if by := c.infected.of(v.sourceKey, v.now, c.pivotWindow()); by != nil {
		n.Hops, n.Ref = by.Hops, by.Ref
	}
	if len(n.Hops) < c.rules.Pivot.Hops {
		n.Hops = append(slices.Clone(n.Hops), c.hop(v))
	}
	n.Name = strings.Clone(v.Target)
	c.putAll(n, v.clientKeys())
}

// mayHaveWorked reports whether an attack names a target other than its source, which may be the attacker's now.
func (v *view) mayHaveWorked() bool {
	switch {
	case v.Target == "" || v.Target == v.Source:
		return false
	case v.Attack.Likely:
		return true
	case v.Attack.Refused || v.Status == 0 || !v.Attack.isOnServer():
		return false
	case v.failed():
		return v.Attack.executes()
	}
	return !v.refused()
}

// clientKeys returns the keys under which the target acts as a client; 0 is none.
func (v *view) clientKeys() (keys [2]uint64) {
	for i, host := range [...]string{v.Target, v.TargetHost} {
		if host != "" {
			keys[i] = hash(host)
		}
	}
	return keys
}

// putAll notes an infection under all keys of its target.
func (c *Correlator) putAll(n infection, keys [2]uint64) {
	for _, n.Key = range keys {
		if n.Key != 0 {
			c.infected.put(n, n.At, c.pivotWindow())
		}
	}
}

// passOn takes an attack that its source was asked itself, and has passed on: it may have given the attacker the target, too, so that the chain
// goes on there.
func (c *Correlator) passOn(v *view) {
	c.echoed++
	c.forwards.note(v.edge)
	c.reach(v)
}

func (c *Correlator) reach(v *view) {
	if v.mayHaveWorked() {
		c.chainOn(v.sourceKey, v.clientKeys(), c.hop(v), v.Attack.kinds())
	}
}

// rewordedFrom returns what was asked of the source of an attack when the attack is that, in a request of the source's own: over a connection that
// it uses anyway, within the time of an echo, and of no other kind. It returns nil for other attacks.
func (c *Correlator) rewordedFrom(v *view) *infection {
	if !v.Internal || !c.edges.known(v.edge) {
		return nil
	}
	by, limit := c.infected.of(v.sourceKey, v.now, c.pivotWindow()), c.rules.Pivot.Echo.Milliseconds()
	if by == nil || by.Name == v.Target || v.now-by.At > limit || by.At-v.now > limit || v.Attack.kinds()&^by.Kinds != 0 {
		return nil
	}
	return by
}

// kinds returns bits of the categories of an attack.
func (a *Attack) kinds() (bits uint32) {
	for i := range a.Rules {
		if r := &a.Rules[i]; !r.breach() {
			bits |= categoryBit(r.Category)
		}
	}
	return bits
}

// passOnLate has chains go on for records that came before that of the request itself: held attacks, and one that was taken for an attack
// of the proxy's own.
func (c *Correlator) passOnLate(v *view, passed []*held, behind *echo) {
	for _, h := range passed {
		c.reach(&view{Observation: &h.o, now: h.at, sourceKey: hash(h.o.Source)})
	}
	if behind != nil {
		h := c.hop(v)
		h.From, h.To, h.Time, h.Succeeded = h.To, behind.Name.String(), behind.At, false
		c.chainOn(behind.Source, [2]uint64{behind.Target, behind.Host}, h, v.Attack.kinds())
	}
}

// chainOn notes a target, by its keys, that the hop behind one that was attacked has reached.
func (c *Correlator) chainOn(from uint64, keys [2]uint64, h Hop, kinds uint32) {
	by := c.infected.of(from, h.Time, c.pivotWindow())
	if by == nil || len(by.Hops) >= c.rules.Pivot.Hops || by.Name == h.To {
		return
	}
	n := infection{At: h.Time, Strong: by.Strong, Ref: by.Ref, Kinds: kinds, Hops: append(slices.Clone(by.Hops), h), Name: h.To}
	c.putAll(n, keys)
}

func (c *Correlator) pivotWindow() int64 { return c.rules.Pivot.Window.Milliseconds() }

// firstConnection is what a hop without an attack is.
const firstConnection = "first connection"

func (c *Correlator) hop(v *view) Hop {
	h := Hop{From: strings.Clone(v.Source), To: strings.Clone(v.Target), Time: v.now, What: firstConnection}
	if v.Attack != nil && len(v.Attack.Rules) > 0 {
		h.Succeeded = v.Attack.Likely
		r := v.Attack.Rules[len(v.Attack.Rules)-1]
		h.What = fmt.Sprintf("%s (rule %d)", cut(categoryName(r.Category), longestWord), r.ID)
	}
	return h
}

// isStrong reports whether an attack may have given control over its target to someone who meant it. Bots try the same everywhere.
func (c *Correlator) isStrong(v *view) bool {
	switch {
	case v.Attack.Likely:
		return true
	case v.failed():
		return false
	case v.Internal:
		return true
	}
	if a := c.book.at(v.source.Ref); a != nil && !a.Has(Background) {
		return true
	}
	if !v.exists || c.path.String() == v.Method+" /" {
		return false
	}
	return v.Attack.executes()
}

// isOnServer reports whether an attack is on the server, and not on those who use its pages.
func (a *Attack) isOnServer() bool {
	return slices.ContainsFunc(a.Rules, func(r Rule) bool { return !r.breach() && r.Category != "xss" && r.Category != "fixation" })
}

// executes reports whether an attack can give control over its target.
func (a *Attack) executes() bool {
	return slices.ContainsFunc(a.Rules, func(r Rule) bool { return executing[r.Category] && !r.breach() })
}

// failed reports whether the target broke down over a request: it answered with an error of its own, or a proxy waited for it in vain. It may have
// done what was asked before. 501 and 503 show that nothing was done.
func (o *Observation) failed() bool { return o.Status == 500 || o.Status == 502 || o.Status == 504 }

// pivotByAttack finds an attack by what was attacked itself.
func (c *Correlator) pivotByAttack(v *view) {
	by := c.infected.of(v.sourceKey, v.now, c.pivotWindow())
	if by != nil && v.weight >= 1 && v.Target != "" && v.Target != v.Source && by.Name != v.Target {
		if c.edges.known(v.edge) && c.echoes.late(c, v) {
			c.forwards.note(v.edge) // reported now; from now on this is how long requests take here
		}
		c.pivot(v, by, Critical)
	}
}

// wait puts off the decision on an attack that may turn out to be an echo.
func (c *Correlator) wait(v *view) {
	in := &c.infected
	if len(in.held) == mostHeld {
		first := in.held[0]
		in.held = slices.Delete(in.held, 0, 1)
		c.release(first)
	}
	in.Held++
	in.held = append(in.held, hold(v))
	v.waits = true
}

func hold(v *view) *held {
	h := &held{number: v.number, at: v.now, o: *v.Observation, attack: *v.Attack}
	for _, text := range []*string{&h.o.Source, &h.o.Target, &h.o.TargetHost, &h.o.Method, &h.o.Path, &h.o.Agent, &h.o.Route} {
		*text = strings.Clone(*text)
	}
	h.attack.Rules = slices.Clone(h.attack.Rules)
	h.sample = v.sample()
	h.link()
	return h
}

// link makes the observation show its own attack. The held attack must be linked again where it was copied.
func (h *held) link() {
	h.o.Attack = &h.attack
	h.attack.Show = func() Sample { return h.sample }
}

// settleOn decides on the attacks on a source that still wait, once their echoes would have come: what the source does may follow from them.
func (c *Correlator) settleOn(v *view) {
	limit := c.rules.Pivot.Echo.Milliseconds()
	for in := &c.infected; len(in.held) > 0; {
		at := slices.IndexFunc(in.held, func(h *held) bool {
			return v.now-h.at > limit && (h.o.Target == v.Source || h.o.TargetHost != "" && h.o.TargetHost == v.Source)
		})
		if at < 0 {
			return
		}
		h := in.held[at]
		in.held = slices.Delete(in.held, at, at+1)
		c.release(h)
	}
}

// settle decides on the attacks that nothing has explained in time.
func (in *infections) settle(c *Correlator, now int64) {
	for len(in.held) > 0 && now > in.held[0].at+patience {
		h := in.held[0]
		in.held = slices.Delete(in.held, 0, 1)
		c.release(h)
	}
}

// release takes a held attack for what it looks like.
func (c *Correlator) release(h *held) {
	v := &view{Observation: &h.o, number: h.number, now: h.at, sec: uint32(h.at / 1000)}
	v.sourceKey, v.targetKey, v.principal = hash(v.Source), hash(v.Target), v.Principal != 0
	if v.source = c.known.get(v.sourceKey, v.sec); v.source == nil {
		if v.source = c.newcomers.get(v.sourceKey, v.sec); v.source == nil {
			return
		}
	}
	saved := c.path
	defer func() { c.path = saved }()
	c.path.of(v.Observation)
	v.routeKey, v.edge = with(v.targetKey, c.path.hash), with(v.sourceKey, v.targetKey)
	v.route = c.routes.get(v.routeKey, v.sec)
	v.exists = c.exists(v)
	v.weight = c.weigh(v)
	c.decide(v)
	c.join(v)
	if v.hit != nil {
		c.decided = append(c.decided, Decided{h.number, v.hit.ID})
		c.book.settle(v.hit, v.now, c.rules.Update.Milliseconds())
	}
}

// pivot opens an incident about a chain, or adds to that of the attack before.
func (c *Correlator) pivot(v *view, by *infection, severity Severity) {
	first := by.Hops[len(by.Hops)-1]
	hops := by.Hops
	if len(hops) < c.rules.Pivot.Hops {
		hops = append(slices.Clone(hops), c.hop(v))
	}
	what := "attacks"
	if v.Attack == nil {
		what = "connects for the first time to"
	}
	why := fmt.Sprintf("%s was attacked by %s, and %s %s %s later", by.Name, first.From, what, v.Target, span(v.now-first.Time))
	before := c.book.at(by.Ref)
	if before != nil && before.isCrowded() {
		by.Ref = v.source.Ref
	}
	a := c.found(v, Pivot, severity, why, &by.Ref, &v.source.Ref)
	if a == nil {
		return
	}
	if before != nil && before != a {
		relate(before, a)
	}
	v.source.Ref = by.Ref
	if v.Attack == nil {
		note(&a.Connections, connection{v.edge, v.now}, mostConnections)
	}
	if v.hit == nil {
		c.goAlong(v, a)
	}
	c.takeHops(a, by)
	if len(hops) > len(a.Hops) {
		a.Hops = hops
	}
	for _, h := range hops {
		mention(&a.Incident.Sources, h.From, mostSources)
		a.mentionTarget(h.To, hash(h.To))
		a.First = min(a.First, h.Time)
	}
	list := a.Incident.Sources
	if at := slices.IndexFunc(list, func(n Count) bool { return n.Name == hops[0].From }); at > 0 { // who began comes first
		first := list[at]
		copy(list[1:at+1], list[:at])
		list[0] = first
	}
}

// How many first connections an incident keeps, and how many requests over them belong to it: evidence of what was done there, and few beside the
// attacks where a connection is a new one of the target's own.
const (
	mostConnections = 8
	mostFollowing   = 10
)

// connection is the first one of a target that was attacked to another.
type connection struct {
	Edge uint64
	At   int64
}

// follows reports whether a request goes the way of a first connection in an incident, within the pivot window of that.
func (c *Correlator) follows(v *view, a *active) bool {
	return v.Attack == nil && !v.denied() && !v.missed() && a.Following < mostFollowing && slices.ContainsFunc(a.Connections, func(n connection) bool {
		return n.Edge == v.edge && v.now-n.At <= c.pivotWindow()
	})
}

// goAlong adds a first connection, or what follows one, to the incident. It keeps it open no longer.
func (c *Correlator) goAlong(v *view, a *active) {
	v.joins(a)
	a.Last, a.Changed = max(a.Last, v.now), true
	count(&a.Incident.Sources, v.Source, mostSources)
	a.countTarget(v.Target, v.targetKey)
	count(&a.Routes, cut(c.path.String(), longestText), mostRoutes)
}

// isCrowded reports whether an incident is of a source behind which many are, such as a proxy: it never ends, and has everything in it.
func (a *active) isCrowded() bool {
	return len(a.Incident.Targets) >= mostTargets && a.Last-a.First > 6*3600*1000
}

// connect notes a connection, and finds the first one of a target that was attacked.
func (c *Correlator) connect(v *view) {
	if c.edges.known(v.edge) {
		return
	}
	c.settleOn(v)
	if by := c.infected.of(v.sourceKey, v.now, c.pivotWindow()); by != nil && by.Strong && !c.Learns() && v.Target != "" && by.Name != v.Target && v.Target != v.Source {
		if by.Edges++; by.Edges <= 3 {
			c.pivot(v, by, High)
		}
	}
	if v.Status < 500 && (v.Internal || c.known.find(v.sourceKey) >= 0) {
		c.edges.note(v.edge)
		v.source.Fanout = min(v.source.Fanout+1, 250)
	}
}

// echo is an attack that may be seen again on its way to the service behind its target.
type echo struct {
	Values, Trace        uint64
	Source, Target, Host uint64
	Name                 name // of the target
	At                   int64
	Ref                  ref

	Number  uint64    // of the observation
	Rules   [4]uint32 // the first ones of a loose attack
	Cats    uint32    // of its rules
	Outcome outcome   // of a loose attack
	Loose   bool      // it belongs to no incident yet
}

// slow is how many times the time of an echo one may take over a connection that is known to pass attacks on.
const slow = 5

// echoes are the latest attacks.
type echoes struct {
	ring [mostEchoes]echo
	next int
}

// note notes an attack, and returns the held ones of which it is the origin: what its target has passed on.
func (e *echoes) note(c *Correlator, v *view) (passed []*held) {
	at := &e.ring[e.next%mostEchoes]
	e.next++
	*at = echo{Values: v.Attack.Values, Trace: v.Trace, Source: v.sourceKey, Target: v.targetKey, At: v.now, Number: v.number}
	at.Name.set(v.Target)
	if v.TargetHost != "" {
		at.Host = hash(v.TargetHost)
	}
	if v.source != nil {
		at.Ref = v.source.Ref
	}
	c.infected.held = slices.DeleteFunc(c.infected.held, func(h *held) bool {
		same := h.attack.Values != 0 && h.attack.Values == v.Attack.Values || h.o.Trace != 0 && h.o.Trace == v.Trace
		from := hash(h.o.Source)
		apart, limit := v.now-h.at, c.rules.Pivot.Echo.Milliseconds()
		if !same || from != at.Target && from != at.Host || apart > limit || -apart > limit {
			return false
		}
		c.forwards.note(with(from, hash(h.o.Target)))
		passed = append(passed, h)
		return true
	})
	return passed
}

// attacked calls see with the targets of a source in its attacks from a time on.
func (e *echoes) attacked(source uint64, from int64, see func(target string, at int64)) {
	for i := range e.ring {
		x := &e.ring[(e.next+i)%mostEchoes]
		if x.Source == source && x.At >= from {
			see(x.Name.String(), x.At)
		}
	}
}

// known reports whether an attack is one that was seen before, on its way: the same values or trace, from one of ours that is not the
// source of the first. behind is one that came before that of which it is an echo, which is this.
func (e *echoes) known(c *Correlator, v *view) (is bool, behind *echo) {
	if v.Attack.Values == 0 && v.Trace == 0 {
		return false, nil
	}
	limit := c.rules.Pivot.Echo.Milliseconds()
	for i := range e.ring {
		x := &e.ring[i]
		apart := v.now - x.At
		if x.At == 0 || apart < -limit || x.Source == v.sourceKey || !x.same(v) {
			continue
		}
		if apart > limit && (apart > slow*limit || !v.Internal || !x.isFor(v.sourceKey) || !c.forwards.known(v.edge) && !(x.isCopy(v) && c.edges.known(v.edge))) {
			continue
		}
		switch {
		case x.Source == v.targetKey || v.TargetHost != "" && x.Source == hash(v.TargetHost):
			c.forgive(x, v)
			taken := *x
			behind = &taken
		case v.Internal:
			return true, nil
		}
	}
	return false, behind
}

// late reports whether an attack looks like one that its source has received, later than an echo comes over a connection that is not known to
// pass attacks on.
func (e *echoes) late(c *Correlator, v *view) bool {
	limit := c.rules.Pivot.Echo.Milliseconds()
	for i := range e.ring {
		x := &e.ring[i]
		if apart := v.now - x.At; x.At != 0 && apart > limit && apart <= slow*limit && x.isFor(v.sourceKey) && x.same(v) {
			return true
		}
	}
	return false
}

// isFor reports whether an attack was on the target that acts under a key.
func (e *echo) isFor(key uint64) bool { return e.Target == key || e.Host == key }

// isCopy reports whether an attack is the same payload within the same trace: who writes a request of his own has another.
func (e *echo) isCopy(v *view) bool {
	return v.Trace != 0 && e.Trace == v.Trace && v.Attack.Values != 0 && e.Values == v.Attack.Values
}

func (e *echo) same(v *view) bool {
	return v.Trace != 0 && e.Trace == v.Trace || v.Attack.Values != 0 && e.Values == v.Attack.Values
}

// forgive takes back an attack that has turned out to be an echo, whose record came before that of the request itself.
func (c *Correlator) forgive(e *echo, v *view) {
	s := c.known.get(e.Source, v.sec)
	if s == nil {
		s = c.newcomers.get(e.Source, v.sec)
	}
	if s != nil {
		s.Alerts, s.Real, s.Hits = max(0, s.Alerts-1), max(0, s.Real-1), max(1, s.Hits)-1
	}
	c.infected.all = slices.DeleteFunc(c.infected.all, func(in infection) bool { return in.At == e.At && (in.Key == e.Target || in.Key == e.Host) })
	e.Values, e.Trace, e.Loose = 0, 0, false
	c.echoed++
	c.forwards.note(with(e.Source, e.Target))
}

// joinEcho adds an echo to the incident of what it is an echo of.
func (c *Correlator) joinEcho(v *view) {
	for i := range c.echoes.ring {
		x := &c.echoes.ring[i]
		if x.At != 0 && x.same(v) {
			if a := c.book.at(x.Ref); a != nil {
				v.joins(a)
				return
			}
		}
	}
}
