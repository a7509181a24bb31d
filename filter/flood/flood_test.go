package flood

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func controlled(s Settings) (*Control, *clock) {
	c := &clock{at: time.Unix(1_000_000, 0)}
	return newControl(s, c.now), c
}

// attack is an alert of a source with rules, at a second of its own.
func attack(source string, second int64, ids ...int) *alert.Alert {
	a := &alert.Alert{ClientIP: source, ServerIP: "192.0.2.1", Time: time.Unix(second, 0), Severity: 2, RequestBody: "body", RuleSet: "own"}
	for _, id := range ids {
		a.Matches = append(a.Matches, rules.Match{Rule: &rules.RuleInfo{ID: id, Severity: 2}})
	}
	return a
}

// told returns count, first and last second of repeats.
func told(due []Repeat) (all []string) {
	for _, r := range due {
		seen := r.Alert.Repeats
		all = append(all, fmt.Sprintf("%s %s %d %d-%d", r.Tag, r.Alert.ClientIP, seen.Count, seen.First.Unix(), seen.Last.Unix()))
	}
	return all
}

func TestRepeatsAreSummedUpWhenTheirWindowIsOver(t *testing.T) {
	c, now := controlled(Settings{Window: time.Minute})
	require.True(t, c.Offer(attack("a", 1, 10, 20), "t"), "the first goes out at once")
	for second := range int64(5) {
		require.False(t, c.Offer(attack("a", 9-second, 10, 20), "t"))
	}
	require.True(t, c.Offer(attack("a", 1, 10), "t"), "other rules are another kind")
	require.True(t, c.Offer(attack("b", 1, 10, 20), "t"), "so is another source")
	require.Empty(t, c.Due(false))
	require.Equal(t, 5, c.Waiting())

	now.add(time.Minute)
	due := c.Due(false)
	require.Equal(t, []string{"t a 5 5-9"}, told(due))
	require.Empty(t, due[0].Alert.RequestBody, "what repeats is known from the first")
	require.NotEqual(t, attack("a", 1, 10, 20).UID, due[0].Alert.UID)
	require.Zero(t, c.Waiting())
	require.Empty(t, c.Due(false))
}

func TestAFloodThatGoesOnMakesOneAlertInEachWindow(t *testing.T) {
	c, now := controlled(Settings{Window: 10 * time.Second})
	sent, summed, summaries := 0, 0, 0
	for second := range int64(100) {
		if c.Offer(attack("a", second, 10), "t") {
			sent++
		}
		for _, r := range c.Due(false) {
			summaries++
			summed += r.Alert.Repeats.Count
		}
		now.add(time.Second)
	}
	for _, r := range c.Due(true) {
		summaries++
		summed += r.Alert.Repeats.Count
	}
	require.Equal(t, []int{1, 99, 10}, []int{sent, summed, summaries})
}

func TestAKindThatHasComeToRestIsNewAgain(t *testing.T) {
	c, now := controlled(Settings{Window: time.Minute})
	require.True(t, c.Offer(attack("a", 1, 10), "t"))
	now.add(time.Minute)
	require.True(t, c.Offer(attack("a", 2, 10), "t"))
	require.False(t, c.Offer(attack("a", 3, 10), "t"))
	now.add(time.Minute)
	require.Equal(t, []string{"t a 1 3-3"}, told(c.Due(false)))
	now.add(time.Minute)
	require.Empty(t, c.Due(false))
	require.Empty(t, c.kinds, "nothing is kept of it")
	require.True(t, c.Offer(attack("a", 4, 10), "t"))
}

func TestTheLimitLeavesOutAndTellsHowMany(t *testing.T) {
	c, now := controlled(Settings{Limit: 5})
	sent := 0
	for n := range int64(20) {
		a := attack(fmt.Sprint(n), n, 10)
		a.Severity = 4 - int(n%3)
		if c.Offer(a, "t") {
			sent++
		}
	}
	require.Equal(t, 5, sent)
	require.Empty(t, c.Due(false), "a notice is not sent for each")
	now.add(noticeEvery)
	due := c.Due(false)
	require.Equal(t, []string{"t  15 5-19"}, told(due))
	require.True(t, due[0].Alert.Notice)
	require.Equal(t, 2, due[0].Alert.Severity, "that of the worst")
	require.Equal(t, "15 alerts dropped: more than 5 per second", due[0].Alert.Rule().Message)
	require.True(t, c.Offer(attack("x", 1, 10), "t"), "there is room again")
	require.Empty(t, c.Due(true))
}

func TestTheLimitHoldsForSummaries(t *testing.T) {
	c, now := controlled(Settings{Window: time.Second, Limit: 2})
	for n := range int64(2) {
		require.True(t, c.Offer(attack(fmt.Sprint(n), n, 10), "t"))
		require.False(t, c.Offer(attack(fmt.Sprint(n), n, 10), "t"))
		now.add(500 * time.Millisecond)
	}
	now.add(500 * time.Millisecond)
	c.tokens = 0
	c.filled = now.now()
	require.Empty(t, c.Due(false))
	require.Equal(t, []string{"t  2 0-1"}, told(c.Due(true)))
}

func TestMemoryIsBoundedAndNothingIsLost(t *testing.T) {
	c, _ := controlled(Settings{Window: time.Hour})
	const kinds = mostKinds + 500
	long := strings.Repeat("x", 4<<10)
	sent, summed := 0, 0
	for n := range int64(kinds) {
		for range 3 {
			a := attack(fmt.Sprint(n), n, 10)
			a.URI = long
			if c.Offer(a, "t") {
				sent++
			}
		}
		require.LessOrEqual(t, c.bytes, mostMemory)
		require.LessOrEqual(t, c.order.Len(), mostKinds)
		if n%100 == 0 {
			for _, r := range c.Due(false) {
				summed += r.Alert.Repeats.Count
			}
		}
	}
	for _, r := range c.Due(true) {
		summed += r.Alert.Repeats.Count
	}
	require.Equal(t, kinds, sent)
	require.Equal(t, 2*kinds, summed)
	require.Zero(t, c.bytes)
	require.Zero(t, c.Waiting())
}

// Whatever comes in whatever order: each alert is sent, summed up or counted in a notice, and never two of these.
func TestEveryAlertIsAccountedFor(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		s := Settings{Window: time.Duration(dice.IntN(5)) * time.Second, Limit: dice.IntN(4) * 10}
		if New(s) == nil {
			continue
		}
		c, now := controlled(s)
		sent, summed := 0, 0
		count := func(due []Repeat) {
			for _, r := range due {
				summed += r.Alert.Repeats.Count
			}
		}
		const offered = 2000
		for n := range int64(offered) {
			if c.Offer(attack(fmt.Sprint(dice.IntN(20)), n, dice.IntN(3)), "t") {
				sent++
			}
			now.add(time.Duration(dice.IntN(100)) * time.Millisecond)
			if dice.IntN(10) == 0 {
				count(c.Due(false))
			}
		}
		require.Equal(t, offered, sent+summed+c.Waiting())
		count(c.Due(true))
		count(c.Due(true))
		require.Equal(t, offered, sent+summed, "%+v", s)
		require.Zero(t, c.Waiting())
	}
}

func TestManyGoroutinesOffer(t *testing.T) {
	c := New(Settings{Window: time.Hour, Limit: 100_000})
	var sent [8]int
	var group sync.WaitGroup
	for g := range sent {
		group.Go(func() {
			for n := range int64(1000) {
				if c.Offer(attack(fmt.Sprint(n%10), n, 10), "t") {
					sent[g]++
				}
			}
		})
	}
	group.Wait()
	total := 0
	for _, n := range sent {
		total += n
	}
	require.Equal(t, 10, total)
	require.Equal(t, 8000-10, c.Waiting())
}

func TestWithoutSettingsNothingIsControlled(t *testing.T) {
	require.Nil(t, New(Settings{}))
	require.Nil(t, New(Settings{}).Due(true))
	require.Zero(t, New(Settings{}).Waiting())
}
