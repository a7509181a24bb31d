package incident

import (
	"math/bits"
	"slices"
)

// How many rows of each kind there are. TestMemory adds them up.
const (
	knownRows    = 12288
	newRows      = 4096
	pairRows     = 10240
	routeRows    = 3072
	targetRows   = 1024
	bulkRows     = 2048
	missingRows  = 6144
	habitRows    = 4096
	toolRows     = 512
	ownerSlots   = 65536
	doorSlots    = 65536
	sketchCount  = 2048
	edgeWords    = 163840 // 1.3 MB: ten bits for each of a million edges
	forwardWords = 8192   // 64 kB
	routesEach   = 256    // that one target may have
	mostInfected = 512
	mostHeld     = 64
	mostEchoes   = 432
)

// source is what is known of a client.
type source struct {
	Internal bool
	Fanout   uint8 // targets that it has talked to, up to 255
	First    uint32
	Records  uint32
	Answered uint32 // requests without an attack
	Attacks  uint32
	Ref      ref // of its incident

	// Attacks.
	Start      uint32 // of the window
	Rules      [exact]uint32
	RuleCount  uint8
	Cats       uint32 // categories, as bits
	Hits       uint8  // attacks in the window
	Mixes      [4]uint32
	MixCount   uint8 // distinct combinations of route and rules since the last gap
	Routes     [4]uint32
	RouteCount uint8
	Alerts     float32 // since the last gap
	Real       float32 // of these, on something that exists
	LastAlert  uint32

	// Requests for what does not exist.
	Fast, Slow    bucket
	Asked, Missed uint32 // since the last gap
	Distinct      uint16
	PouredFor     uint16 // seconds for which the slow bucket has not been empty
	LastMiss      uint32
	Seen          [8]uint64 // Bloom filter of what was missed

	Denied uint32 // second of the last request with credentials that were not accepted

	Attacked [4]struct{ Target, At uint32 }

	Principals     [4]uint32 // the latest first
	PrincipalCount uint8
	Returns        uint8  // of a principal after another one, up to manyReturns
	Poured         uint16 // routes that were missed since the slow bucket was empty
}

// manyReturns is how often principals take turns on an address of several clients. A client whose session changes does not go back to an older
// one.
const manyReturns = 3

// speaks notes a request of a principal.
func (s *source) speaks(principal uint64) {
	short := uint32(principal>>16) | 1
	at := slices.Index(s.Principals[:s.PrincipalCount], short)
	switch {
	case at == 0:
		return
	case at > 0:
		s.Returns = min(s.Returns+1, manyReturns)
	default:
		s.PrincipalCount = min(s.PrincipalCount+1, uint8(len(s.Principals)))
		at = int(s.PrincipalCount) - 1
	}
	copy(s.Principals[1:at+1], s.Principals[:at])
	s.Principals[0] = short
}

// isOneClient reports whether no two clients are known to share the address.
func (s *source) isOneClient() bool { return s == nil || s.Returns < manyReturns }

// fresh adds a hash to what was missed, and reports whether it was not there. A filter that is almost half full starts anew.
func (s *source) fresh(h uint64) bool {
	h = spread(h)
	a, b, c := h&511, h>>9&511, h>>18&511
	has := func(bit uint64) bool { return s.Seen[bit>>6]>>(bit&63)&1 == 1 }
	if has(a) && has(b) && has(c) {
		return false
	}
	full := 0
	for _, word := range s.Seen {
		full += bits.OnesCount64(word)
	}
	if full >= 224 {
		s.Seen = [8]uint64{}
	}
	for _, bit := range [...]uint64{a, b, c} {
		s.Seen[bit>>6] |= 1 << (bit & 63)
	}
	return true
}

// pair is what one actor does on one route.
type pair struct {
	Key, Route            uint64
	Internal              bool
	Since, Last           uint32 // seconds of the first request without a pause before it, and of the last
	Short, Slow           window
	Hour                  uint32 // second at which the hour began
	Bytes                 float32
	Items                 uint32
	UsualShort, UsualSlow uint8 // most in a window so far, as steps
	UsualBytes, UsualItem uint8
	Told                  uint8  // bits of what was reported in this window, and of what its requests show
	Tainted               bool   // the actor has attacked: nothing is learned from it
	Answers               uint16 // within the hour

	Ok               uint32 // successes
	FirstOk          uint32
	Fails, SlowFails bucket
	Unknown          bucket
	SinceOk          uint16 // failures since the last success
	TriedCount       uint16
	Tried            [exact]uint32
	Ref              ref
}

// begins notes a request, and reports whether it is the first one after a pause, in seconds.
func (p *pair) begins(now, pause uint32) bool {
	first := p.Last == 0 || passed(now, p.Last) >= pause
	if first {
		p.Since = now
	}
	p.Last = max(now, 1)
	return first
}

// bulk is what an actor has done in bulk on a route, after its pair has made room for others.
type bulk struct{ Short, Slow, Bytes, Items uint8 }

// window counts distinct ids.
type window struct {
	Start uint32
	IDs   set
}

// routeRow is what is known of a route of a target.
type routeRow struct {
	First     uint32
	Target    uint64    // key
	IDs, Slow histogram // ids that principals get in a window
	Bytes     histogram // kilobytes that principals get in an hour
	Items     histogram
	// How often ids were asked for again, by others and by the same principal, and how often ids that nobody is known to have asked for.
	Shared, Own, Fresh uint16

	Stuffing      bucket
	Stuffed       uint16 // refused requests since the bucket was empty
	StuffedSince  uint32
	Stuffers      [exact]uint32
	StufferCount  uint8
	StrangerOk    tally
	StrangerFails tally
	Ref           ref
}

func (r *routeRow) shared() float64 {
	if r.Shared+r.Own < 8 {
		return 0
	}
	return float64(r.Shared) / float64(r.Shared+r.Own)
}

// isPrivate reports whether principals mostly ask for the ids that they asked for before.
func (r *routeRow) isPrivate(share float64) bool {
	return float64(r.Own) >= share*float64(r.Own+r.Shared+r.Fresh)
}

// target is what is known of a target.
type target struct{ Routes uint16 }

// missing is a route that does not exist.
type missing struct {
	Sources [4]uint32
	Count   uint8
}

// habit is a rule that known sources trigger on a route.
type habit struct {
	Hour    uint32
	Hours   uint8
	Sources [4]uint32
	Count   uint8
}

// tool is a user agent against a target, from whatever addresses.
type tool struct {
	Sources     [exact]name
	SourceKeys  [exact]uint32
	SourceCount uint8
	Alerts      float32
	Recent      bucket
	Cats        uint32
	Last        uint32
	Misses      bucket
	Missers     [exact]uint32
	MisserCount uint8
	Ref         ref
}

// owner is who asked for an id last.
type owner struct {
	Tag               uint32
	Principal, Source uint16
}

// joins adds a hash to a few, and returns how many there are, up to their number.
func joins(few []uint32, n *uint8, h uint64) (count int, added bool) {
	short := uint32(h>>16) | 1
	for _, known := range few[:*n] {
		if known == short {
			return int(*n), false
		}
	}
	if int(*n) < len(few) {
		few[*n] = short
		*n++
		return int(*n), true
	}
	return int(*n), true
}
