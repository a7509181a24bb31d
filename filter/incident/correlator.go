package incident

import (
	"math"
	"strings"
	"time"
)

// Correlator makes incidents of observations. It is not safe for concurrent use: observations come one after the other, in the order of
// their records.
type Correlator struct {
	Beside []byte // state of the observations' source, kept with that of the correlator

	rules      *Thresholds
	exclusions []Exclusion
	paths      []string // that only bots ask for, in lower case

	clock     clock
	next      int64 // time of the next sweep
	known     *table[source]
	newcomers *table[source]
	pairs     *table[pair]
	bulks     *table[bulk]
	routes    *table[routeRow]
	targets   *table[target]
	missing   *table[missing]
	habits    *table[habit]
	tools     *table[tool]
	door      doorkeeper
	owners    []owner
	sketches  sketches
	edges     memory // connections that were made without an attack
	forwards  memory // connections over which attacks were passed on
	infected  infections
	echoes    echoes
	decided   []Decided
	book      book

	noise     bucket // background that no incident is open for yet
	noiseRef  ref
	path      Route
	current   view
	shortened Observation // what Observe was given, with shorter names
	observed  uint64
	excluded  uint64
	echoed    uint64
	untracked uint64
}

// Options are what users set.
type Options struct {
	Thresholds *Thresholds // nil for the default ones
	Exclusions []Exclusion
}

// Result is what comes of one observation. Events are valid until the next call of Observe or Flush; what they point to stays.
type Result struct {
	Number   uint64      // of the observation
	Incident string      // id of the incident that the record belongs to, "" when to none, or to none yet
	Events   []*Incident // opened, updated and closed incidents, in this order of time
}

// Decided is an earlier observation, by its number, of which it has turned out to which incident it belongs.
type Decided struct {
	Number   uint64
	Incident string
}

// Decided returns what the last call of Observe or Flush has found out about earlier observations. It is valid until the next one.
func (c *Correlator) Decided() []Decided { return c.decided }

// New returns a correlator that has seen nothing.
func New(options Options) *Correlator {
	if options.Thresholds == nil {
		options.Thresholds = DefaultThresholds()
	}
	c := &Correlator{
		rules: options.Thresholds, exclusions: options.Exclusions,
		known: newTable[source](knownRows, 3600), newcomers: newTable[source](newRows, 0),
		pairs: newTable[pair](pairRows, 3600), bulks: newTable[bulk](bulkRows, 0), routes: newTable[routeRow](routeRows, 3600), targets: newTable[target](targetRows, 3600),
		missing: newTable[missing](missingRows, 0), habits: newTable[habit](habitRows, 0), tools: newTable[tool](toolRows, 0),
		door: make(doorkeeper, doorSlots), owners: make([]owner, ownerSlots), edges: newMemory(edgeWords), forwards: newMemory(forwardWords),
		sketches: sketches{All: make([]sketch, sketchCount)}, infected: infections{},
	}
	for _, p := range options.Thresholds.Background.Paths {
		c.paths = append(c.paths, strings.ToLower(p))
	}
	return c
}

// view is the observation under way, and the rows that it concerns.
type view struct {
	*Observation
	number    uint64 // of the observation
	now       int64  // milliseconds
	sec       uint32
	sourceKey uint64
	targetKey uint64
	routeKey  uint64
	edge      uint64
	actor     uint64 // key of the principal, or else of the source
	principal bool   // the actor is one
	source    *source
	route     *routeRow // nil when nothing has been answered on it yet
	exists    bool      // the route, or what stands in its path without the arguments
	weight    float64   // of an attack
	hit       *active   // the incident that the record belongs to
	waits     bool      // it is not known yet whether it belongs to one
}

// Observe takes the next observation.
func (c *Correlator) Observe(o *Observation) Result {
	c.observed++
	c.book.events, c.decided = c.book.events[:0], c.decided[:0]
	v := &c.current
	o = c.bounded(o)
	*v = view{Observation: o, number: c.observed, now: c.clock.at(o.Time, o.Target)}
	v.sec = uint32(max(1, v.now/1000))
	if c.clock.Now >= c.next {
		c.sweep()
	}
	c.infected.settle(c, c.clock.Now)
	c.look(v)
	if v.source != nil && v.source.Ref != 0 {
		c.expire(&v.source.Ref, v.now)
	}
	if o.Attack != nil {
		c.attack(v)
	} else {
		c.clean(v)
	}
	c.respond(v)
	c.join(v)
	if v.hit == nil {
		return Result{Number: v.number, Events: c.book.events}
	}
	c.book.settle(v.hit, v.now, c.rules.Update.Milliseconds())
	return Result{Number: v.number, Incident: v.hit.ID, Events: c.book.events}
}

// bounded returns an observation whose names are no longer than incidents keep them, so that they are the same wherever they are compared.
func (c *Correlator) bounded(o *Observation) *Observation {
	if max(len(o.Source), len(o.Target), len(o.TargetHost)) <= longestName {
		return o
	}
	c.shortened = *o
	for _, name := range []*string{&c.shortened.Source, &c.shortened.Target, &c.shortened.TargetHost} {
		*name = clip(*name)
	}
	return &c.shortened
}

// Flush decides what waits for later records, and closes everything that is open: no more observations will come.
func (c *Correlator) Flush() []*Incident {
	c.book.events, c.decided = c.book.events[:0], c.decided[:0]
	c.infected.settle(c, math.MaxInt64) // also what is ahead of the clock
	for _, a := range c.book.slots {
		if a != nil && a.Taken {
			c.book.settle(a, c.clock.Now, 0)
			c.book.close(a)
		}
	}
	return c.book.events
}

// sweepEvery is how often, in milliseconds of event time, incidents are looked through.
const sweepEvery = 10_000

func (c *Correlator) sweep() {
	c.next = c.clock.Now + sweepEvery
	c.edges.turn(uint32(c.clock.Now/1000), 7*24*time.Hour)
	c.forwards.turn(uint32(c.clock.Now/1000), 7*24*time.Hour)
	c.book.sweep(c.clock.Now, c.rules.Gap.Milliseconds(), c.rules.Update.Milliseconds())
}

// look finds the rows that an observation concerns.
func (c *Correlator) look(v *view) {
	c.path.of(v.Observation)
	v.sourceKey, v.targetKey = hash(v.Source), hash(v.Target)
	v.routeKey, v.edge = with(v.targetKey, c.path.hash), with(v.sourceKey, v.targetKey)
	v.source = c.findSource(v)
	v.actor = v.sourceKey
	if v.Principal != 0 && c.door.seen(with(v.Principal, 1)) {
		v.actor, v.principal = with(v.Principal, 2), true
		if v.source != nil {
			v.source.speaks(v.Principal)
		}
	}
	v.route = c.routes.get(v.routeKey, v.sec)
	if v.route == nil && v.Attack == nil && v.source != nil && (v.answered() || v.Status == 304 || v.demands() || v.redirected() && c.established(v)) {
		v.route = c.addRoute(v, v.routeKey)
		if base := with(v.targetKey, c.path.base); base != v.routeKey && v.route != nil && c.routes.find(base) < 0 {
			c.addRoute(v, base)
		}
	}
	v.exists = c.exists(v)
}

// exists reports whether a request is for something that the target has. An attack may stand where others have an id.
func (c *Correlator) exists(v *view) (found bool) {
	if v.route != nil || c.path.base != c.path.hash && c.routes.find(with(v.targetKey, c.path.base)) >= 0 {
		return true
	}
	if v.Attack != nil {
		c.path.parents(func(hash uint64) bool {
			found = c.routes.find(with(v.targetKey, hash)) >= 0
			return !found
		})
	}
	return found
}

// findSource returns the row of a client: at its second sighting, first alert or large response among the newcomers, and among the known
// when it has been here for a while.
func (c *Correlator) findSource(v *view) *source {
	s := c.known.get(v.sourceKey, v.sec)
	if s == nil {
		if s = c.newcomers.get(v.sourceKey, v.sec); s == nil {
			if v.Attack == nil && !c.door.seen(v.sourceKey) && !c.isLarge(v) {
				return nil
			}
			s = c.newcomers.add(v.sourceKey, v.sec, c.unpinned)
			if s == nil {
				c.untracked++
				return nil
			}
			s.First, s.Internal = v.sec, v.Internal
		} else if s.Records >= 3 && passed(v.sec, s.First) >= 60 {
			if kept := c.known.add(v.sourceKey, v.sec, c.unpinned); kept != nil {
				*kept = *s
				c.newcomers.drop(v.sourceKey)
				s = kept
			}
		}
	}
	s.Records++
	switch {
	case v.Attack != nil:
		s.Attacks++
	case v.answered():
		s.Answered++
	}
	if s.Missed > 0 {
		s.Asked++
	}
	return s
}

// unpinned reports whether a source's row may be given to another: not while its incident is open.
func (c *Correlator) unpinned(s *source) bool { return c.book.at(s.Ref) == nil }

// addRoute notes that a route exists.
func (c *Correlator) addRoute(v *view, key uint64) *routeRow {
	t := c.targets.get(v.targetKey, v.sec)
	if t == nil {
		if t = c.targets.add(v.targetKey, v.sec, nil); t == nil {
			return nil
		}
	}
	if t.Routes >= routesEach {
		return nil
	}
	r := c.routes.add(key, v.sec, c.forgetRoute)
	if r == nil {
		return nil
	}
	t.Routes++
	r.First, r.Target = v.sec, v.targetKey
	return r
}

// forgetRoute makes room for another route of the same target.
func (c *Correlator) forgetRoute(r *routeRow) bool {
	if i := c.targets.find(r.Target); i >= 0 && c.targets.rows[i].Routes > 0 {
		c.targets.rows[i].Routes--
	}
	return true
}

// established reports whether a source was here before this, and was answered more often than it has attacked.
func (c *Correlator) established(v *view) bool {
	return v.source != nil && v.source.Answered >= max(10, v.source.Attacks) && passed(v.sec, v.source.First) >= seconds(c.rules.Established)
}

// Learns reports whether detectors that need a baseline do not report yet, because records do not span the time that they learn.
func (c *Correlator) Learns() bool { return c.clock.learning(c.rules.Learning) }

// clean takes an observation without an attack.
func (c *Correlator) clean(v *view) {
	if v.source == nil {
		return
	}
	c.connect(v)
}

// respond takes what the response shows, whether or not the request was an attack.
func (c *Correlator) respond(v *view) {
	switch {
	case v.rejected():
		c.deny(v)
	case v.Status >= 200 && v.Status < 400:
		c.succeed(v)
	}
	if v.missed() && !v.exists {
		c.miss(v)
	}
	if v.answered() {
		c.take(v)
	}
	if v.hit == nil && v.Attack != nil && !v.Internal && !v.targeted() && v.source != nil && c.book.at(v.source.Ref) == nil {
		c.noiseOf(v)
	}
}

// join adds a record to the incident of its source, unless a detector has added it already.
func (c *Correlator) join(v *view) {
	if v.hit != nil || v.waits || v.source == nil || v.source.Ref == 0 {
		return
	}
	switch a := c.book.at(v.source.Ref); {
	case a == nil:
		v.source.Ref = 0
	case c.follows(v, a):
		a.Following++
		c.goAlong(v, a)
	default:
		c.attach(v, a)
	}
}
