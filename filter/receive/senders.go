package receive

import (
	"net/netip"
	"sync"
	"time"
)

// allowed reports whether one of the networks has an address; none has all.
func allowed(networks []netip.Prefix, from netip.Addr) bool {
	if len(networks) == 0 {
		return true
	}
	from = from.WithZone("")
	for _, n := range networks {
		if n.Contains(from) {
			return true
		}
	}
	return false
}

// rates bounds how much each sender may send: so many things a second, and as many at once. It may be used by several goroutines.
type rates struct {
	perSecond float64

	mu      sync.Mutex
	senders map[netip.Addr]*bucket
	others  bucket // for senders above maxRated
	swept   time.Time
}

// bucket is what a sender may still send.
type bucket struct {
	left float64
	at   time.Time
}

const (
	// maxRated is how many senders have a rate of their own at a time; forged addresses share one.
	maxRated   = 50_000
	sweepEvery = time.Second
)

func newRates(perSecond int) *rates {
	return &rates{perSecond: float64(perSecond), senders: map[netip.Addr]*bucket{}}
}

// may reports whether a sender may send one thing now.
func (r *rates) may(from netip.Addr, now time.Time) bool {
	if r.perSecond == 0 {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.senders[from]
	if b == nil {
		b = r.begin(from, now)
	}
	return b.take(r.perSecond, now)
}

func (r *rates) begin(from netip.Addr, now time.Time) *bucket {
	if len(r.senders) >= maxRated && now.Sub(r.swept) >= sweepEvery {
		r.sweep(now)
	}
	if len(r.senders) >= maxRated {
		return &r.others
	}
	b := &bucket{left: r.perSecond, at: now}
	r.senders[from] = b
	return b
}

// sweep forgets the senders that may send as much as new ones.
func (r *rates) sweep(now time.Time) {
	r.swept = now
	for from, b := range r.senders {
		if now.Sub(b.at) >= time.Second {
			delete(r.senders, from)
		}
	}
}

func (b *bucket) take(perSecond float64, now time.Time) bool {
	if passed := now.Sub(b.at).Seconds(); passed > 0 {
		b.left = min(perSecond, b.left+passed*perSecond)
		b.at = now
	}
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
