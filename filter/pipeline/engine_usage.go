package pipeline

import (
	"hash/maphash"
	"math"
	"sync"
	"time"
)

// senderUsage keeps how much time of the engine each sender has taken lately: each client address, or each tag for records without one. A sender
// that takes much, or whose records take long, waits behind the others, so that it delays only itself.
type senderUsage struct {
	mu   sync.Mutex
	sets [usageSets][usageWays]usage
}

// Senders that share a set push each other out, the one that takes least first: an attacker with many addresses pushes out those that do no
// harm, and each of the addresses has an entry of its own.
const (
	usageSets = 256
	usageWays = 4
)

// usage is what one sender has used of the engine.
type usage struct {
	sender sender
	used   time.Duration // of the engine, halved in every second that has passed
	cost   time.Duration // what runs take for 1,024 bytes: a moving average, halved in every minute
	at     time.Time     // to which used and cost refer
}

// sender is a hash of who a record comes from.
type sender uint64

const (
	usedHalfLife = time.Second
	costHalfLife = time.Minute
	// fairShare is what a sender may have used and still have others wait for it: about a sixth of a core for a while.
	fairShare = 250 * time.Millisecond
	// slowRun is the time that a record is expected to take from which it waits behind the records of others.
	slowRun = 10 * time.Millisecond
	// leastRun is the time that a record is taken to need of the engine at least.
	leastRun = time.Millisecond
)

var senderSeed = maphash.MakeSeed()

// senderOf returns the source of a record by its client address, or by its tag when it has none.
func senderOf(client string, tag sender) sender {
	if client == "" {
		return tag
	}
	return sender(maphash.String(senderSeed, client))
}

func tagSender(tag string) sender { return sender(maphash.String(senderSeed, tag)) }

// charge notes a run of the engine on a record of so many bytes.
func (s *senderUsage) charge(from sender, bytes int, took time.Duration, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.entry(from, now)
	of.used += took
	of.cost += (took/kilobytes(bytes) - of.cost) / 4 // one run may be slow because it is the first
}

// addTime notes other work on records of a sender.
func (s *senderUsage) addTime(from sender, took time.Duration, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entry(from, now).used += took
}

// entry returns what a sender has taken, as of now; it takes the place of another one when it is new. The lock is held.
func (s *senderUsage) entry(from sender, now time.Time) *usage {
	set := &s.sets[from%usageSets]
	least := &set[0]
	for i := range set {
		set[i].decay(now)
		if set[i].sender == from {
			return &set[i]
		}
		if set[i].used < least.used {
			least = &set[i]
		}
	}
	*least = usage{sender: from, at: now}
	return least
}

// lookup returns what a sender has used lately, and how long a record of so many bytes is expected to take.
func (s *senderUsage) lookup(from sender, bytes int, now time.Time) (used, run time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set := &s.sets[from%usageSets]
	for i := range set {
		if set[i].sender == from {
			set[i].decay(now)
			return set[i].used, set[i].cost * kilobytes(bytes)
		}
	}
	return 0, 0
}

// decay takes off what is past.
func (u *usage) decay(now time.Time) {
	passed := now.Sub(u.at)
	if passed <= 0 {
		return
	}
	u.used = decayed(u.used, passed, usedHalfLife)
	u.cost = decayed(u.cost, passed, costHalfLife)
	u.at = now
}

func decayed(d, passed, halfLife time.Duration) time.Duration {
	return time.Duration(float64(d) * math.Exp2(-float64(passed)/float64(halfLife)))
}

// kilobytes rounds up.
func kilobytes(bytes int) time.Duration { return time.Duration(1 + bytes/1024) }
