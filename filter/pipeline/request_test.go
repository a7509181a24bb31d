package pipeline

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

func TestATransactionCountsOnceItIsSettled(t *testing.T) {
	f := newFilter(t, setting.Map{"emit_tag": "alert", "alert_key": "off"})
	event := attackEvent(1)
	j := f.Evaluate(t.Context(), event, time.Minute)
	require.Equal(t, Alert, j.Kind)
	require.True(t, j.Verdict.Blocked)
	require.Zero(t, f.counts.Read().Records)
	var out Outcome
	id := f.Settle(&j, event, "tag", &out)
	require.Len(t, id, 32)
	require.Len(t, out.Emits, 1)
	require.EqualValues(t, 1, f.counts.Read().Alerts)

	j = f.Evaluate(t.Context(), clean("/a"), time.Minute)
	require.Equal(t, Clean, j.Kind)
	require.Empty(t, f.Settle(&j, nil, "tag", &out))
	require.Empty(t, out.Emits)
	require.EqualValues(t, 1, f.counts.Read().Clean)
}

func TestWhatIsNotOneEventIsBroken(t *testing.T) {
	f := newFilter(t, setting.Map{"emit_tag": "alert"})
	for _, bytes := range [][]byte{nil, {0xc1}, append(clean("/a"), clean("/a")...)} {
		require.Equal(t, Broken, f.Evaluate(t.Context(), bytes, time.Minute).Kind)
	}
}

// Large requests take long. However many there are, others get their verdict.
func TestLargeTransactionsLeaveRoomForOthers(t *testing.T) {
	f := newFilter(t, setting.Map{"emit_tag": "alert", "inspect_budget": "1m"})
	require.Equal(t, Alert, f.Evaluate(t.Context(), attackEvent(1), time.Minute).Kind, "rules are compiled")
	large := f.inspector.evaluator.slots.largeRequests
	for range cap(large) {
		large <- struct{}{}
	}
	defer func() {
		for range cap(large) {
			<-large
		}
	}()
	require.Equal(t, Late, f.Evaluate(t.Context(), largeAttack(1, 1), 10*time.Millisecond).Kind)
	require.Equal(t, Alert, f.Evaluate(t.Context(), attackEvent(2), time.Minute).Kind)
}
