package pipeline

import (
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
)

func slowJobOf(from sender, bytes int) *slowJob {
	return &slowJob{job: job{sender: from, item: item{kind: waiting, event: record.Event{Raw: make([]byte, bytes)}}}}
}

func newSlowQueue(limit int64, skips bool) *async {
	q := &async{limit: limit, skips: skips}
	q.changed.L = &q.mu
	q.slow.bySender = map[sender]*slowSender{}
	q.slow.usage = new(senderUsage)
	return q
}

// queueOf returns a queue of a filter without goroutines.
func queueOf(f *testFilter) *async {
	q := newSlowQueue(1<<20, true)
	q.inspector, q.panics, q.log = &f.inspector, f.panics, f.log
	return q
}

// Whatever senders do, one loses a record only while it has the most.
func TestTheSenderThatHasTheMostLosesFirst(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		q := newSlowQueue(40_000, true)
		waits := map[sender]int64{}
		total := int64(0)
		for range 200 {
			if random.IntN(3) == 0 {
				if j := q.slow.next(); j != nil {
					q.slow.bySender[j.sender].busy--
					q.slow.remove(j)
					waits[j.sender] -= j.size()
					total -= j.size()
				}
				continue
			}
			j := slowJobOf(sender(random.IntN(4)), 1+random.IntN(8000))
			waits[j.sender] += j.size()
			total += j.size()
			for _, late := range q.putSlow(j, time.Now()) {
				for from, bytes := range waits {
					require.LessOrEqual(t, bytes, waits[late.sender], "seed %d: %d has more than %d, which loses", seed, from, late.sender)
				}
				waits[late.sender] -= late.size()
				total -= late.size()
			}
			require.Equal(t, total, q.slow.bytes)
			require.LessOrEqual(t, q.slow.bytes, q.limit/2)
		}
	}
}

func TestTheOnlySenderWaitsForRoom(t *testing.T) {
	q := newSlowQueue(10_000, false)
	require.Empty(t, q.putSlow(slowJobOf(1, 3000), time.Now()))
	var put atomic.Bool
	done := make(chan []*slowJob)
	go func() {
		late := q.putSlow(slowJobOf(1, 2000), time.Now())
		put.Store(true)
		done <- late
	}()
	time.Sleep(20 * time.Millisecond)
	require.False(t, put.Load(), "there is no room yet")
	q.mu.Lock()
	q.slow.remove(q.slow.next())
	q.changed.Broadcast()
	q.mu.Unlock()
	require.Empty(t, <-done)

	q.putSlow(slowJobOf(2, 10), time.Now())
	require.Len(t, q.putSlow(slowJobOf(1, 3900), time.Now()), 1, "with others there, nobody waits for one")
	q.closed = true
	require.Len(t, q.putSlow(slowJobOf(1, 2000), time.Now()), 1)
}

// A client that alone keeps the engine busy loses what is beyond the queue, rather than holding up another whose records are quick ones.
func TestAFloodThatMayWaitHoldsNoOtherClientUp(t *testing.T) {
	const records = 40
	f := newFilter(t, with(asynchronous, "async_limit", "64K", "async_full", "wait", "cache_size", "0"))
	var out Outcome
	taken := 0
	for i := range records {
		f.Process(slices.Concat(clean("/"), largeAttack(1, i)), "nano", &out)
		taken += len(out.Emits)
	}
	require.Eventually(t, func() bool {
		taken += len(f.Due(nil))
		c := f.Counts()
		return c.Records == 2*records && uint64(taken) == c.Alerts
	}, 60*time.Second, time.Millisecond)
	c := f.Counts()
	require.NotZero(t, c.Late, "the flood has been waited for")
	require.EqualValues(t, records, c.Clean)
}

func TestSendersOfTheLastMinuteAreKnown(t *testing.T) {
	var s recentSenders
	now := time.Unix(1e9, 0)
	of := func(from sender, kind Kind) []item { return []item{{sender: from, kind: kind}} }
	require.False(t, s.hasOthers(0, now) || s.hasOthers(1, now))
	s.note(of(1, Clean), now)
	require.False(t, s.hasOthers(1, now))
	require.True(t, s.hasOthers(2, now))
	s.note(of(2, NotHTTP), now)
	require.False(t, s.hasOthers(1, now), "of those it is not known who they are")
	s.note(append(of(2, waiting), of(2, Alert)...), now.Add(30*time.Second))
	require.True(t, s.hasOthers(1, now.Add(89*time.Second)))
	require.True(t, s.hasOthers(2, now.Add(59*time.Second)))
	require.False(t, s.hasOthers(2, now.Add(60*time.Second)))
	s.note(of(1, Clean), now.Add(80*time.Second))
	require.True(t, s.hasOthers(2, now.Add(100*time.Second)))
}

func TestSendersTakeTurns(t *testing.T) {
	q := newSlowQueue(1<<20, true)
	for i := range 6 {
		q.putSlow(slowJobOf(11, 100+i), time.Now())
	}
	q.putSlow(slowJobOf(12, 7), time.Now())
	first, second := q.slow.next(), q.slow.next()
	require.ElementsMatch(t, []sender{11, 12}, []sender{first.sender, second.sender})
	require.EqualValues(t, 100+perJob, max(first.size(), second.size()), "the records of one sender stay in order")

	// Who has used more of the engine waits.
	q = newSlowQueue(1<<20, true)
	q.slow.usage.charge(13, 100, time.Second, time.Now())
	q.putSlow(slowJobOf(13, 1), time.Now())
	q.putSlow(slowJobOf(14, 1), time.Now())
	require.EqualValues(t, 14, q.slow.next().sender)
}

// A flood of records that keep the engine busy does not hold up what another client sends, and loses what is beyond its share.
func TestAFloodInTheBackgroundDelaysOnlyItself(t *testing.T) {
	f := newFilter(t, with(asynchronous, "async_limit", "64K", "cache_size", "0", "prefilter", "off"))
	var out Outcome
	victims, taken := 0, 0
	take := func(emits []Emit) { taken += len(emits) }
	for i := range 60 {
		f.Process(largeAttack(i%3, i), "flood", &out)
		take(out.Emits)
		f.Process(attackEvent(i), "victim", &out)
		take(out.Emits)
		victims++
	}
	require.Eventually(t, func() bool {
		take(f.Due(nil))
		c := f.Counts()
		return c.Records == 120 && uint64(taken) == c.Alerts
	}, 60*time.Second, time.Millisecond)
	c := f.Counts()
	require.NotZero(t, c.Late, "the flood is too small to show anything")
	require.Equal(t, c.Late, c.Skipped)
	require.EqualValues(t, 120, c.Alerts+c.Late)
	require.Greater(t, c.Alerts, uint64(victims))
}

// The end of the filter waits until nobody uses its rules, so that one that the panic leaves behind would hold it up.
func TestAPanicOnASlowRecordIsCounted(t *testing.T) {
	f := newFilter(t, asynchronous)
	b := f.inspector.batches.get(largeAttack(1, 1), "nano")
	defer f.inspector.batches.put(b)
	b.defers = true
	b.each(f.inspector.evaluateInto)
	require.Equal(t, waiting, b.items[0].kind)
	q := queueOf(f)
	q.deferItems(b, b.items, "nano")
	j := q.slow.next()
	good := f.inspector.inLine
	f.inspector.inLine = nil
	require.Empty(t, q.evaluateSlow(j))
	f.inspector.inLine = good
	require.EqualValues(t, 1, f.Counts().Panics)
	require.EqualValues(t, 1, f.Counts().Broken)
}
