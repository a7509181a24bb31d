package pipeline

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

func TestUsageDecays(t *testing.T) {
	var s senderUsage
	now := time.Unix(1e9, 0)
	for range 20 {
		s.charge(7, 4096, time.Second, now)
	}
	s.charge(7, 0, time.Millisecond, now)
	used, run := s.lookup(7, 10240, now)
	require.Equal(t, 20*time.Second+time.Millisecond, used)
	require.InDelta(t, 1.65, run.Seconds(), 0.02, "three quarters of a second for five kilobytes begun")
	used, run = s.lookup(7, 10240, now.Add(10*time.Second))
	require.Less(t, used, 20*time.Millisecond)
	require.Greater(t, run, 1400*time.Millisecond)
	_, run = s.lookup(7, 10240, now.Add(time.Hour))
	require.Zero(t, run)
	used, run = s.lookup(8, 10240, now)
	require.Zero(t, used+run)
}

// An attacker with any number of addresses does not push out the one that takes the most, nor is another address taken for it.
func TestManySendersDoNotPushOutTheOneThatTakesMost(t *testing.T) {
	var s senderUsage
	now := time.Unix(1e9, 0)
	s.charge(1, 100, time.Second, now)
	for i := range 100000 {
		s.charge(sender(2+i), 100, time.Microsecond, now)
	}
	used, _ := s.lookup(1, 100, now)
	require.Equal(t, time.Second, used)
	used, _ = s.lookup(1+usageSets, 100, now)
	require.LessOrEqual(t, used, time.Microsecond)
}

func TestSendersAreAddressesOrElseTags(t *testing.T) {
	a, b := tagSender("a"), tagSender("b")
	require.NotEqual(t, a, b)
	require.Equal(t, senderOf("192.0.2.1", a), senderOf("192.0.2.1", b))
	require.NotEqual(t, senderOf("192.0.2.1", a), senderOf("192.0.2.2", a))
	require.Equal(t, a, senderOf("", a))
}

func TestARunThatOutlivesItsCallGivesItsPlaceUp(t *testing.T) {
	e := newEngineSlots(2)
	var all []*slot
	for range 6 {
		p := e.tryAcquire(e.quick)
		require.NotNil(t, p)
		p.markOverdue()
		all = append(all, p)
		require.LessOrEqual(t, e.overdueRuns(), 6)
	}
	require.True(t, e.areExhausted(), "four have given theirs up, two have theirs")
	require.Nil(t, e.tryAcquire(e.quick))
	for i, p := range all {
		p.release()
		require.Equal(t, 5-i, e.overdueRuns())
	}
	require.False(t, e.areExhausted())
	for range 2 {
		require.NotNil(t, e.tryAcquire(e.quick))
	}
	slow := e.tryAcquire(e.slow)
	slow.markOverdue()
	require.Nil(t, e.tryAcquire(e.slow), "a slow one keeps its slot")
	slow.release()
	require.NotNil(t, e.tryAcquire(e.slow))
}

// While runs of others have all slow slots, small records are evaluated as ever, and large ones of a sender that has used its fair share are late at
// once.
func TestSmallRecordsDoNotWaitForLargeOnes(t *testing.T) {
	for range cap(slots.slow) {
		p := slots.acquire(slots.slow, nil)
		defer p.release()
	}
	f := newFilter(t, setting.Map{"inspect_budget": "1m"})
	flooder := senderOf("198.51.100.9", 0)
	for range 10 {
		slots.usage.charge(flooder, 1<<20, 10*time.Second, time.Now())
	}
	chunk := append(largeAttack(9, 1), attackEvent(1)...)
	begin := time.Now()
	var out Outcome
	f.Process(chunk, "nano", &out)
	require.Less(t, time.Since(begin), 30*time.Second)
	c := f.Counts()
	require.EqualValues(t, 1, c.Alerts)
	require.EqualValues(t, 1, c.Late)
}
