package pipeline

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// Whatever one client, or some, fill a chunk with: what another one has behind it is inspected. On a machine that is busy with other things a chunk may be
// late as a whole, but not each time.
func TestAFloodOfSmallRecordsDelaysOnlyItself(t *testing.T) {
	const one, victim, records, attempts = "198.51.100.9", "192.0.2.77", 5, 20
	for name, flood := range map[string]struct {
		records int
		each    func(n int) []byte
	}{
		"requests, all different":        {4_000, func(n int) []byte { return newRequest(one, n) }},
		"one request, repeated":          {100_000, func(int) []byte { return newRequest(one, 1) }},
		"attacks, all different":         {1_000, func(n int) []byte { return attackOf(one, n) }},
		"one attack, repeated":           {5_000, func(int) []byte { return attackOf(one, 1) }},
		"requests of three clients":      {4_000, func(n int) []byte { return newRequest(fmt.Sprintf("198.51.100.%d", n%3), n) }},
		"requests without their address": {4_000, func(n int) []byte { return newRequest("", n) }},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFilter(t, setting.Map{"inspect_budget": "50ms"})
			var out Outcome
			var late, alerts int
			for attempt := range attempts {
				var chunk []byte
				for n := range flood.records {
					chunk = append(chunk, flood.each(attempt*flood.records+n)...)
				}
				for n := range records {
					n += attempt * records
					chunk = append(append(chunk, newRequest(victim, n)...), attackOf(victim, n)...)
				}
				f.Process(chunk, "nano", &out)
				late, alerts = verdictsOf(t, out.Data, victim)
				if late == 0 && alerts == records {
					return
				}
			}
			t.Errorf("of %d records of the victim %d pass without inspection and %d alert, each time", 2*records, late, alerts)
		})
	}
}

// Whoever sends how much in whatever order, nobody's time is overstated, and it is understated by no more than is said.
func TestTimesOfSendersAreAlmostExact(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 2))
		var s chunkBudget
		s.start(time.Second)
		exact, total := map[sender]time.Duration{}, time.Duration(0)
		for range 2000 {
			from := sender(random.IntN(1 + random.IntN(100)))
			took := time.Duration(1 + random.IntN(1+random.IntN(10_000)))
			s.add(from, took)
			exact[from] += took
			total += took
		}
		noted := map[sender]time.Duration{}
		for _, of := range s.senders {
			require.Positive(t, of.took)
			noted[of.sender] = of.took
		}
		require.Len(t, noted, len(s.senders), "each sender once")
		require.Equal(t, total, s.total)
		for from, took := range exact {
			require.LessOrEqual(t, noted[from], took, "seed %d", seed)
			require.GreaterOrEqual(t, noted[from], took-total/time.Duration(len(s.buffer)+1), "seed %d", seed)
		}
	}
}

func TestASenderMayUseItsFractionOfWhatIsLeft(t *testing.T) {
	const budget = 90 * time.Millisecond
	var s chunkBudget
	s.start(budget)
	senders := sender(0)
	for left := budget; left > budget/4; senders++ {
		for s.add(senders, 1); !s.isSenderOver(senders); s.add(senders, time.Microsecond) {
			require.False(t, s.isSenderOver(senders+1), "one that has had nothing")
		}
		require.Less(t, s.total, budget)
		require.InDelta(t, (budget - s.total).Seconds(), left.Seconds()*senderFraction/(senderFraction+1), 1e-4, "one sender takes one part")
		left = budget - s.total
	}
	require.EqualValues(t, 12, senders, "have had theirs, and a quarter is left")
	require.False(t, s.isSpent())
	s.add(senders, budget)
	require.True(t, s.isSpent())

	var charged senderUsage
	s.charge(&charged)
	used, run := charged.lookup(0, 1024, time.Now())
	require.InDelta(t, 10e-3, used.Seconds(), 2e-3)
	require.Zero(t, run, "how long it takes the engine is not known from this")
	used, _ = charged.lookup(senders, 1024, time.Now())
	require.Zero(t, used, "it was not found to be over its budget")

	s.start(0)
	s.add(1, time.Hour)
	require.False(t, s.isSenderOver(1) || s.isSpent(), "there is no bound")
}

// In a queue senders over their budget come last, and others take turns: however many one sends, it does not have all the turns before others.
func TestSendersTakeTurnsInAQueue(t *testing.T) {
	q := &engineQueue{slots: newEngineSlots(2)}
	q.slots.usage.addTime(21, 3*leastRun+leastRun*9/10, time.Now())
	for _, from := range []sender{20, 20, 20, 20, 21, 22, 20} {
		q.jobs = append(q.jobs, job{sender: from})
	}
	q.jobs[5].item.pending.overBudget = true
	q.jobs = append(q.jobs, job{sender: 23})
	q.sort()
	var order []sender
	for _, j := range q.quick {
		order = append(order, j.sender)
	}
	require.Equal(t, []sender{20, 23, 20, 20, 20, 21, 20, 22}, order)
}

// verdictsOf returns how many records of a client have not been inspected, and how many alert.
func verdictsOf(t *testing.T, chunk []byte, client string) (late, alerts int) {
	t.Helper()
	for len(chunk) > 0 {
		e, rest, err := record.Next(chunk)
		require.NoError(t, err)
		if chunk = rest; !bytes.Contains(e.Raw, []byte(client)) {
			continue
		}
		switch waf(e.Raw) {
		case "":
		case string(notInspected):
			late++
		default:
			alerts++
		}
	}
	return late, alerts
}
