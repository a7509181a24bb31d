package pipeline

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

func TestSharesFade(t *testing.T) {
	var s shares
	now := time.Unix(1e9, 0)
	for range 20 {
		s.charge(7, 4096, time.Second, now)
	}
	s.charge(7, 0, time.Millisecond, now)
	used, run := s.of(7, 10240, now)
	require.Equal(t, 20*time.Second+time.Millisecond, used)
	require.InDelta(t, 1.65, run.Seconds(), 0.02, "three quarters of a second for five kilobytes begun")
	used, run = s.of(7, 10240, now.Add(10*time.Second))
	require.Less(t, used, 20*time.Millisecond)
	require.Greater(t, run, 1400*time.Millisecond)
	_, run = s.of(7, 10240, now.Add(time.Hour))
	require.Zero(t, run)
	used, run = s.of(8, 10240, now)
	require.Zero(t, used+run)
}

// An attacker with any number of addresses does not push out the one that takes the most, nor is another address taken for it.
func TestManySendersDoNotPushOutTheOneThatTakesMost(t *testing.T) {
	var s shares
	now := time.Unix(1e9, 0)
	s.charge(1, 100, time.Second, now)
	for i := range 100000 {
		s.charge(sender(2+i), 100, time.Microsecond, now)
	}
	used, _ := s.of(1, 100, now)
	require.Equal(t, time.Second, used)
	used, _ = s.of(1+shareSets, 100, now)
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
	r := newEngineRuns(2)
	var all []*place
	for range 6 {
		p := r.try(r.quick)
		require.NotNil(t, p)
		p.outlive()
		all = append(all, p)
		require.LessOrEqual(t, r.late(), 6)
	}
	require.True(t, r.isStuck(), "four have given theirs up, two have theirs")
	require.Nil(t, r.try(r.quick))
	for i, p := range all {
		p.leave()
		require.Equal(t, 5-i, r.late())
	}
	require.False(t, r.isStuck())
	for range 2 {
		require.NotNil(t, r.try(r.quick))
	}
	slow := r.try(r.slow)
	slow.outlive()
	require.Nil(t, r.try(r.slow), "a slow one keeps its place")
	slow.leave()
	require.NotNil(t, r.try(r.slow))
}

// While runs of others have all slow places, small records are judged as ever, and large ones of a sender that has had its share are late at
// once.
func TestSmallRecordsDoNotWaitForLargeOnes(t *testing.T) {
	for range cap(runs.slow) {
		p := runs.get(runs.slow, nil)
		defer p.leave()
	}
	f := newFilter(t, setting.Map{"inspect_budget": "1m"})
	flooder := senderOf("198.51.100.9", 0)
	for range 10 {
		runs.shares.charge(flooder, 1<<20, 10*time.Second, time.Now())
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
