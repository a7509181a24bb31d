package digest

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
)

// Bounds and units of a window.
const (
	windowTime  = 10_000 // milliseconds
	quarter     = 250    // milliseconds, the unit of the times of groups without attacks
	kept        = 256    // bytes, the unit of the sizes of responses
	mostIDs     = 4096   // of a group
	mostHits    = 256    // attacks of a group that are kept one by one
	mostSamples = 3      // of a source
	longestURI  = 96     // bytes of the URI of a sample
	mostCount   = 1 << 20
)

// key is what the records of a group have in common. Records without an attack leave host, rules and, unless they missed, tool empty, and
// user unless they were denied.
type key struct {
	source, target, route string
	host, rules           string
	status                int
	user, tool            uint32
	principal             uint32
	flags                 flags
}

type flags uint8

const (
	internal flags = 1 << iota
	refused
	likely
)

func (k *key) compare(o *key) int {
	return cmp.Or(strings.Compare(k.source, o.source), cmp.Compare(k.principal, o.principal), strings.Compare(k.target, o.target),
		strings.Compare(k.route, o.route), cmp.Compare(k.status, o.status), strings.Compare(k.host, o.host), strings.Compare(k.rules, o.rules),
		cmp.Compare(k.user, o.user), cmp.Compare(k.tool, o.tool), cmp.Compare(k.flags, o.flags))
}

// group sums up the records with the same key.
type group struct {
	count uint32
	first uint32 // milliseconds from the start of the window
	bytes uint64 // in units of kept
	items uint64
	ids   []uint32 // the least of the distinct ones, sorted when the window is sorted
	hits  []hit    // of attacks, the earliest, sorted likewise
}

// hit is one attack.
type hit struct {
	at            uint32 // milliseconds from the start of the window
	values, trace uint32 // 0 when there are none
	id            uint32
}

func (h hit) compare(o hit) int {
	return cmp.Or(cmp.Compare(h.at, o.at), cmp.Compare(h.values, o.values), cmp.Compare(h.trace, o.trace), cmp.Compare(h.id, o.id))
}

// sampleKey is for what an incident keeps one sample.
type sampleKey struct {
	source       string
	rule, status int
}

// sample is the earliest of its key.
type sample struct {
	at                                   uint32
	alert, method, uri, message, outcome string
}

func (s sample) compare(o sample) int {
	return cmp.Or(cmp.Compare(s.at, o.at), strings.Compare(s.alert, o.alert), strings.Compare(s.uri, o.uri), strings.Compare(s.method, o.method),
		strings.Compare(s.message, o.message), strings.Compare(s.outcome, o.outcome))
}

// window is what happened in ten seconds of event time.
type window struct {
	groups  map[key]*group
	samples map[sampleKey]sample
}

func newWindow() *window { return &window{groups: map[key]*group{}, samples: map[sampleKey]sample{}} }

// short returns 32 bits of a hash, 0 only of 0.
func short(h uint64) uint32 {
	s := uint32(h ^ h>>32)
	if s == 0 && h != 0 {
		return 1
	}
	return s
}

// shortID returns 24 bits of a hash, 0 only of 0.
func shortID(h uint64) uint32 {
	s := uint32((h * 0x9e3779b97f4a7c15) >> 40)
	if s == 0 && h != 0 {
		return 1
	}
	return s
}

// longID returns a hash for a short one: detectors use some bits of it here, and others there.
func longID(s uint32) uint64 {
	if s == 0 {
		return 0
	}
	return uint64(s<<1|1) * 0xd6e8feb86659fd93
}

// add takes an observation. at is its time in the window.
func (w *window) add(o *incident.Observation, route *incident.Route, at uint32) (grown bool) {
	k := key{source: o.Source, target: o.Target, status: o.Status, principal: short(o.Principal)}
	if o.Internal {
		k.flags = internal
	}
	missed := o.Status >= 400 && o.Status < 500
	if missed || o.Attack != nil {
		k.tool = tool(o)
	}
	if o.Status == 401 || o.Status == 403 {
		k.user = short(o.User)
	}
	id := shortID(route.IDs())
	if o.Attack != nil {
		return w.addAttack(o, route, k, hit{at: at, values: short(o.Attack.Values), trace: short(o.Trace), id: id})
	}
	g, grown := w.group(k, route)
	g.take(1, (at+quarter-1)/quarter*quarter, o)
	if id != 0 {
		g.addIDs(id)
	}
	return grown
}

func (w *window) addAttack(o *incident.Observation, route *incident.Route, k key, h hit) (grown bool) {
	k.host, k.rules = o.TargetHost, rulesText(o.Attack.Rules)
	if o.Attack.Refused {
		k.flags |= refused
	}
	if o.Attack.Likely {
		k.flags |= likely
	}
	g, grown := w.group(k, route)
	g.take(1, h.at, o)
	if g.hits = append(g.hits, h); len(g.hits) >= 2*mostHits {
		g.sortHits()
	}
	w.addSample(o, h.at)
	return grown
}

// group returns the group with a key to which the route is added.
func (w *window) group(k key, route *incident.Route) (g *group, grown bool) {
	text := route.Text()
	k.route = unsafe.String(unsafe.SliceData(text), len(text)) // for looking it up; a group that is new gets one of its own
	if g = w.groups[k]; g != nil {
		return g, false
	}
	for _, text := range []*string{&k.source, &k.target, &k.route, &k.host} {
		*text = strings.Clone(*text)
	}
	g = &group{first: windowTime}
	w.groups[k] = g
	return g, true
}

func (g *group) take(count, at uint32, o *incident.Observation) {
	g.count = min(g.count+count, mostCount)
	g.first = min(g.first, at)
	g.bytes += uint64(max(0, o.Bytes)+kept/2) / kept
	g.items += uint64(max(0, o.Items))
}

func (g *group) addIDs(ids ...uint32) {
	for _, id := range ids {
		if n := len(g.ids); n > 0 && g.ids[n-1] == id {
			continue
		}
		if g.ids = append(g.ids, id); len(g.ids) >= 2*mostIDs {
			g.sortIDs()
		}
	}
}

func (g *group) sortIDs() {
	slices.Sort(g.ids)
	g.ids = slices.Compact(g.ids)
	g.ids = g.ids[:min(len(g.ids), mostIDs)]
}

func (g *group) sortHits() {
	slices.SortFunc(g.hits, hit.compare)
	g.hits = g.hits[:min(len(g.hits), mostHits)]
}

// addSample keeps what is shown of the earliest attack of a source with a rule and a status.
func (w *window) addSample(o *incident.Observation, at uint32) {
	k := sampleKey{o.Source, lastRule(o.Attack.Rules), o.Status}
	if known, has := w.samples[k]; has && known.at < at || o.Attack.Show == nil {
		return
	}
	shown := o.Attack.Show()
	uri := shown.URI
	if len(uri) > longestURI {
		uri = strings.ToValidUTF8(uri[:longestURI], "")
	}
	k.source = strings.Clone(k.source)
	w.keep(k, sample{at, strings.Clone(shown.Alert), strings.Clone(shown.Method), strings.Clone(uri), strings.Clone(shown.Message), strings.Clone(shown.Outcome)})
}

func (w *window) keep(k sampleKey, s sample) {
	if known, has := w.samples[k]; !has || s.compare(known) < 0 {
		w.samples[k] = s
	}
}

func lastRule(rules []incident.Rule) int {
	if len(rules) == 0 {
		return 0
	}
	return rules[len(rules)-1].ID
}

// tool hashes what tells clients apart that are not known.
func tool(o *incident.Observation) uint32 {
	if o.Agent == "" && o.Shape == 0 {
		return 0
	}
	return short(incident.HashText(o.Agent) ^ o.Shape*0x9e3779b97f4a7c15)
}

// join adds the content of another window for the same time.
func (w *window) join(o *window) {
	for k, g := range o.groups {
		mine := w.groups[k]
		if mine == nil {
			w.groups[k] = g
			continue
		}
		mine.count = min(mine.count+g.count, mostCount)
		mine.first = min(mine.first, g.first)
		mine.bytes += g.bytes
		mine.items += g.items
		mine.addIDs(g.ids...)
		mine.hits = append(mine.hits, g.hits...)
		mine.sortHits()
	}
	for k, s := range o.samples {
		w.keep(k, s)
	}
}

// sorted returns the keys of the groups in their order, and sorts what groups have.
func (w *window) sorted() []*key {
	all := make([]*key, 0, len(w.groups))
	for k, g := range w.groups {
		g.sortIDs()
		g.sortHits()
		all = append(all, &k)
	}
	slices.SortFunc(all, (*key).compare)
	w.limitSamples()
	return all
}

// limitSamples keeps the earliest samples of each source.
func (w *window) limitSamples() {
	bySource := map[string][]sampleKey{}
	for k := range w.samples {
		bySource[k.source] = append(bySource[k.source], k)
	}
	for _, keys := range bySource {
		if len(keys) <= mostSamples {
			continue
		}
		slices.SortFunc(keys, func(a, b sampleKey) int {
			return cmp.Or(w.samples[a].compare(w.samples[b]), cmp.Compare(a.rule, b.rule), cmp.Compare(a.status, b.status))
		})
		for _, k := range keys[mostSamples:] {
			delete(w.samples, k)
		}
	}
}

func (w *window) sortedSamples() []sampleKey {
	return slices.SortedFunc(maps.Keys(w.samples), func(a, b sampleKey) int {
		return cmp.Or(strings.Compare(a.source, b.source), cmp.Compare(a.rule, b.rule), cmp.Compare(a.status, b.status))
	})
}

// rulesText writes rules as one text, of which groups of the same rules need one.
func rulesText(rules []incident.Rule) string {
	var b strings.Builder
	for i := range rules {
		fmt.Fprintf(&b, "%d\x1f%s\x1f%s\x1e", rules[i].ID, rules[i].Category, strings.Join(rules[i].Techniques, ","))
	}
	return b.String()
}

// mostRules bounds the rules of an attack.
const mostRules = 256

func rulesOf(text string) (rules []incident.Rule) {
	for one := range strings.SplitSeq(text, "\x1e") {
		parts := strings.Split(one, "\x1f")
		if len(parts) != 3 || len(rules) == mostRules {
			break
		}
		id, _ := strconv.Atoi(parts[0]) // 0 is no rule, and does no harm
		r := incident.Rule{ID: id, Category: parts[1]}
		if parts[2] != "" {
			r.Techniques = strings.Split(parts[2], ",")
		}
		rules = append(rules, r)
	}
	return rules
}

// event is one step of a window: an attack, or a group without one.
type event struct {
	at    uint32
	key   *key
	group *group
	hit   int
}

// each calls observe for everything in the window that begins at a time, in order.
func (w *window) each(begin int64, observe func(*incident.Observation)) {
	var events []event
	for _, k := range w.sorted() {
		g := w.groups[*k]
		if len(g.hits) == 0 {
			events = append(events, event{g.first, k, g, 0})
		}
		for i := range g.hits {
			events = append(events, event{g.hits[i].at, k, g, i})
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	for i := range events {
		w.observe(begin, &events[i], observe)
	}
}

func (w *window) observe(begin int64, e *event, observe func(*incident.Observation)) {
	k, g := e.key, e.group
	method, path, _ := strings.Cut(k.route, " ")
	o := incident.Observation{
		Time: begin + int64(e.at), Source: k.source, Internal: k.flags&internal != 0, Principal: uint64(k.principal), User: uint64(k.user), Target: k.target,
		TargetHost: k.host, Method: method, Path: path, Route: k.route, Status: k.status, Shape: uint64(k.tool),
	}
	times := g.count
	if len(g.hits) > 0 {
		h := &g.hits[e.hit]
		o.Attack = &incident.Attack{Rules: rulesOf(k.rules), Values: uint64(h.values), Refused: k.flags&refused != 0, Likely: k.flags&likely != 0}
		o.Attack.Show = w.show(k.source, lastRule(o.Attack.Rules), k.status)
		o.Trace, o.IDs = uint64(h.trace), longID(h.id)
		if times = 1; e.hit == len(g.hits)-1 { // what was not kept one by one is like the last
			times = max(1, g.count-min(g.count, uint32(len(g.hits)-1)))
		}
	}
	if e.hit == 0 {
		o.Bytes, o.Items = int64(min(g.bytes*kept, 1<<50)), int(min(g.items, 1<<30))
	}
	for n := range int(times) {
		if len(g.ids) > 0 {
			o.IDs = longID(g.ids[n%len(g.ids)])
		}
		one := o
		observe(&one)
		o.Bytes, o.Items = 0, 0
	}
}

// show returns what an incident shows of an attack. Only the earliest ones have all of it.
func (w *window) show(source string, rule, status int) func() incident.Sample {
	return func() incident.Sample {
		s := w.samples[sampleKey{source, rule, status}]
		return incident.Sample{Alert: s.alert, Method: s.method, URI: s.uri, Message: s.message, Outcome: s.outcome}
	}
}

// records returns how many records a window sums up.
func (w *window) records() (n int) {
	for _, g := range w.groups {
		n += int(g.count)
	}
	return n
}

func appendUint24(b []byte, n uint32) []byte { return append(b, byte(n), byte(n>>8), byte(n>>16)) }

func appendUint32(b []byte, n uint32) []byte { return binary.LittleEndian.AppendUint32(b, n) }
