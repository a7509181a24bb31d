package recovery

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOncePassesThePanicOnAndReturns(t *testing.T) {
	var causes []any
	caught := func(cause any, stack []byte) {
		require.Contains(t, string(stack), "TestOncePassesThePanicOnAndReturns")
		causes = append(causes, cause)
	}
	require.True(t, Once(caught, func() {}))
	require.False(t, Once(caught, func() { panic("once") }))
	require.Equal(t, []any{"once"}, causes)
	require.False(t, Once(func(any, []byte) { panic("the log does, too") }, func() { panic("again") }))
}

func TestLoopCallsAgainUntilItsWorkReturns(t *testing.T) {
	caught, calls := 0, 0
	Loop(nil, func(any, []byte) { caught++ }, func() {
		if calls++; calls < 4 {
			panic(calls)
		}
	})
	require.Equal(t, 4, calls)
	require.Equal(t, 3, caught)
}

func TestLoopOfWorkThatAlwaysPanicsIsSlowAndStops(t *testing.T) {
	stop := make(chan struct{})
	calls, begin := 0, time.Now()
	Loop(stop, func(any, []byte) {}, func() {
		if calls++; calls == 6 {
			close(stop)
		}
		panic("always")
	})
	require.Equal(t, 6, calls)
	require.GreaterOrEqual(t, time.Since(begin), 310*time.Millisecond, "five pauses, each twice as long")
}

func TestDescribeHoldsNothingOfRecords(t *testing.T) {
	Once(func(cause any, _ []byte) {
		require.Equal(t, "runtime error: index out of range [3] with length 0", Describe(cause))
	}, func() { _ = []int{}[len("abc")] })
	require.Equal(t, "a string", Describe("password=secret"))
}
