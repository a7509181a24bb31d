package cputime

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheTimeIsWhatTheKernelCharges(t *testing.T) {
	charged := func() time.Duration {
		var r syscall.Rusage
		require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &r))
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	for until := charged() + 100*time.Millisecond; charged() < until; {
	}
	before := charged()
	took, err := Of(os.Getpid())
	require.NoError(t, err)
	const tick = 10 * time.Millisecond
	require.GreaterOrEqual(t, took, before-2*tick, "user and system time are each rounded down")
	require.LessOrEqual(t, took, charged()+tick)

	_, err = Of(1 << 30)
	require.ErrorIs(t, err, os.ErrNotExist)
}
