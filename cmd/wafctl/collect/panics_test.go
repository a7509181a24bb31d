package collect

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/receive"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

func ownFilter(t *testing.T) *filter.Filter {
	t.Helper()
	f, err := filter.New(nil, setting.Map{"crs": "off", "inspect_budget": "off"}, func(filter.Level, string) {})
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// A filter that is missing panics with the first record.
func TestPanicWhileCheckingIsAFindingOfItsLines(t *testing.T) {
	f := ownFilter(t)
	broken := &evaluation.Evaluation{Filter: f, Other: new(filter.Filter), Calm: true}
	var found []error
	require.NoError(t, broken.Run(t.Context(), strings.NewReader("{}\n{}\n"), func(c *evaluation.Checked) error {
		found = append(found, c.Err)
		return nil
	}))
	require.Equal(t, []error{evaluation.ErrPanic, evaluation.ErrPanic}, found)
	require.NotZero(t, f.Counts().Panics)
}

func TestPanicWhileReadingEndsTheCheck(t *testing.T) {
	e := &evaluation.Evaluation{Filter: ownFilter(t)}
	require.ErrorIs(t, e.Run(t.Context(), nil, func(*evaluation.Checked) error { return nil }), evaluation.ErrPanic)
	require.EqualValues(t, 1, e.Filter.Counts().Panics)
}

// A stream that panics with the first batch.
func TestPanicWhileProcessingLetsLaterRecordsCome(t *testing.T) {
	f := ownFilter(t)
	out := &panicOnce{}
	s, err := evaluation.OpenStream("stdout", out)
	require.NoError(t, err)
	r := &collector{filter: f, stream: s, intakes: &intakes{}, tag: "wafctl", end: func() {}}
	r.intakes.Receiver, err = receive.Open(receive.Settings{QueueLimit: 1 << 20, Batch: 1, Connections: 1}, func(string) {})
	require.NoError(t, err)
	defer r.intakes.closeAll()
	r.intakes.Stream(strings.NewReader("{\"n\":1}\n"), netip.Addr{})
	r.intakes.Stream(strings.NewReader("{\"n\":2}\n"), netip.Addr{})
	r.intakes.Queue.Close()
	recovery.Loop(nil, f.Caught("test"), r.process)
	require.NoError(t, r.failed)
	require.Contains(t, out.String(), "{\"n\":2}\n")
	require.EqualValues(t, 1, f.Counts().Panics)
	require.Zero(t, r.intakes.Queue.Bytes(), "the memory of all batches is given back")
}

type panicOnce struct {
	bytes.Buffer
	calls int
}

func (p *panicOnce) Write(b []byte) (int, error) {
	if p.calls++; p.calls == 1 {
		panic("write")
	}
	return p.Buffer.Write(b)
}
