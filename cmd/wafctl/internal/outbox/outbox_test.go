package outbox

import (
	"bytes"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
)

func TestPanicOfADeliveryGivesItsAlertsUp(t *testing.T) {
	var out bytes.Buffer
	c := &cli.Console{Out: &out, Err: &failing{}}
	all, err := Open([]string{"file:///nowhere/at/all?timeout=10ms"}, c, 1000, func(any, []byte) {})
	require.NoError(t, err)
	o := all[0]
	var panics atomic.Int32
	go o.Run(func(any, []byte) { panics.Add(1) })
	for n := range 3 {
		o.Put([]delivery.Message{{JSON: bytes.Repeat([]byte("x"), 900)}}, false)
		require.Eventually(t, func() bool { return int(panics.Load()) == n+1 }, 30*time.Second, time.Millisecond, "the log panics with each failure")
		o.told.Last = time.Time{}
	}
	o.Last()
	o.console = &cli.Console{Out: &out, Err: &out}
	_, lost := o.Close()
	require.EqualValues(t, 3, lost)
}

// failing is a log that panics.
type failing struct{}

func (*failing) Write([]byte) (int, error) { panic("log") }

func TestAnOutboxThatIsFullDropsWhatCannotWait(t *testing.T) {
	var out bytes.Buffer
	all, err := Open([]string{"stdout"}, &cli.Console{Out: &out, Err: &out}, 1000, func(any, []byte) {})
	require.NoError(t, err)
	o := all[0]
	for range 3 { // nobody takes them yet
		o.Offer([]delivery.Message{{JSON: bytes.Repeat([]byte("x"), 900)}})
	}
	go o.Run(func(any, []byte) {})
	o.Last()
	taken, lost := o.Close()
	require.EqualValues(t, 1, taken)
	require.EqualValues(t, 2, lost)
	require.Contains(t, out.String(), "are dropped")
}
