package incident

import (
	"fmt"
	"math"
	"strings"
)

// idShare is what another id counts of a route that does not exist: a client may ask for a few of its own.
const idShare = 0.25

// miss takes a request for what does not exist.
func (c *Correlator) miss(v *view) {
	common := c.isCommon(v)
	noise := !v.Internal && (common || c.onlyBotsAsk(v.Path))
	if v.source == nil {
		if !noise {
			c.probingByTool(v)
		}
		return
	}
	s, t := v.source, &c.rules.Probing
	if passed(v.sec, s.LastMiss) > seconds(c.rules.Gap) {
		s.Asked, s.Missed, s.Distinct, s.Poured, s.PouredFor, s.Seen = 1, 0, 0, 0, 0, [8]uint64{}
	} else {
		s.PouredFor = uint16(min(uint32(s.PouredFor)+passed(v.sec, s.LastMiss), math.MaxUint16))
	}
	s.LastMiss = v.sec
	s.Missed++
	counts := 1.0
	switch {
	case s.fresh(c.path.hash):
		s.Distinct = min(s.Distinct+1, 60000)
	case c.path.ids != 0 && s.fresh(with(c.path.hash, c.path.ids)):
		counts = idShare
	default:
		return
	}
	fast, slow := float32(0), float32(0)
	if !noise && !common {
		amount := counts * c.oddity(v)
		fast, slow = s.Fast.pour(amount, v.sec, t.Leak), s.Slow.pour(amount, v.sec, t.SlowLeak)
		if slow <= float32(amount) { // what came before has nothing to do with this
			s.Poured, s.PouredFor = 0, 0
		}
		s.Poured = min(s.Poured+1, math.MaxUint16-1)
	}
	if a := c.book.at(s.Ref); a != nil && a.Has(Probing) {
		return
	}
	share := float64(s.Missed) / float64(max(s.Asked, s.Missed))
	severity := Low
	if v.Internal {
		severity = Medium
	}
	switch {
	case fast > float32(t.Bucket) && share >= t.Ratio, int(s.Distinct) >= t.Widely && share >= t.Ratio, slow > float32(t.SlowBucket) && share >= t.SlowRatio:
		why := fmt.Sprintf("%s, %.0f %% of the source's requests", absent(int(s.Distinct)), 100*share)
		refs := []*ref{&s.Ref}
		if row := c.toolOf(v); row != nil && v.showsTool() {
			refs = append(refs, &row.Ref)
		}
		a := c.found(v, Probing, severity, why, refs...)
		if a != nil && a.opensWith(int(s.Poured), v.sec-uint32(s.PouredFor), a.Incident.Sources) {
			a.Missed = a.Records
		}
	case v.hit != nil || c.book.at(s.Ref) != nil || v.Attack != nil && v.weight >= 1:
	case !noise:
		c.probingByTool(v)
	case v.Attack == nil && (c.onlyBotsAsk(v.Path) || s.Answered < s.Missed && !isAsset(v.Path)): // pages that lack a picture are no background
		c.noiseOf(v)
	}
}

// absent writes how many routes do not exist.
func absent(routes int) string {
	if routes == 1 {
		return "many ids of a route that does not exist"
	}
	return plural(routes, "route") + " that do not exist"
}

// oddity returns what a miss counts: pictures and style sheets belong to pages that exist, and known clients follow links.
func (c *Correlator) oddity(v *view) float64 {
	amount := 1.0
	if isAsset(v.Path) {
		amount = 0.1
	}
	if c.established(v) {
		amount /= 2
	}
	return amount
}

func isAsset(target string) bool {
	path, _ := split(target)
	at := strings.LastIndexByte(path, '.')
	return at >= 0 && assets[path[at+1:]]
}

// assets are the extensions of what pages are made of.
var assets = map[string]bool{
	"png": true, "jpg": true, "jpeg": true, "gif": true, "svg": true, "webp": true, "avif": true, "ico": true, "css": true, "js": true, "mjs": true, "map": true, "woff": true, "woff2": true,
	"ttf": true, "mp4": true, "webm": true,
}

// probingByTool finds one tool that looks around at one target from many addresses.
func (c *Correlator) probingByTool(v *view) {
	row := c.toolOf(v)
	if row == nil || v.source != nil && v.source.Answered > v.source.Missed {
		return
	}
	if a := c.book.at(row.Ref); a != nil && a.Has(Probing) {
		if v.source != nil {
			v.source.Ref = row.Ref
		}
		c.attach(v, a)
		return
	}
	t := &c.rules.Probing
	level := row.Misses.pour(1, v.sec, t.SlowLeak)
	n, _ := joins(row.Missers[:], &row.MisserCount, v.sourceKey)
	if level <= 1 {
		row.MisserCount = 0
	}
	if level >= float32(t.SharedBucket) && n >= min(t.SharedSources, exact) {
		c.found(v, Probing, Low, fmt.Sprintf("about %.0f routes that do not exist, requested with the same tool from %s", level,
			atLeast(n, exact, "source")), v.refs(&row.Ref)...)
	}
}

// isCommon reports whether several other sources have asked for what does not exist: a broken link, or what bots look for everywhere.
func (c *Correlator) isCommon(v *view) bool {
	m := c.missing.get(c.path.hash, v.sec)
	if m == nil {
		if m = c.missing.add(c.path.hash, v.sec, nil); m == nil {
			return false
		}
	}
	n, added := joins(m.Sources[:], &m.Count, v.sourceKey)
	if added && n == int(m.Count) && n <= c.rules.Probing.Common {
		n-- // this source itself
	}
	return n >= c.rules.Probing.Common
}

// onlyBotsAsk reports whether a path that does not exist is one that nobody but bots asks for.
func (c *Correlator) onlyBotsAsk(target string) bool {
	path, _ := split(target)
	var lower [longestRoute]byte
	text := string(lowered(lower[:], path))
	for _, p := range c.paths {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}

// noisy is the level from which the background is an incident: some requests within an hour.
const noisy = 10

// noiseOf adds a record to the background.
func (c *Correlator) noiseOf(v *view) {
	if a := c.book.at(c.noiseRef); a != nil {
		c.attach(v, a)
		return
	}
	if c.noise.pour(1, v.sec, c.rules.Gap/noisy) >= noisy {
		c.found(v, Background, Info, "outside sources look for weaknesses that do not exist here", &c.noiseRef)
	}
}
