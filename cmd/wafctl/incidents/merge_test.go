package incidents

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
)

// rotated are the files of a log that was rotated after each hour, each with a record a minute, and one longer file beside them.
func rotated(files int, open, most *atomic.Int64) (sources []source) {
	const minute = 60_000
	read := func(begin int64, records int) func(context.Context, func(observed) error) error {
		return func(_ context.Context, add func(observed) error) error {
			most.Store(max(most.Load(), open.Add(1)))
			defer open.Add(-1)
			for i := range records {
				o := &incident.Observation{Time: begin + int64(i)*minute, Source: "192.0.2.1", Target: "shop", Method: "GET", Path: fmt.Sprint("/", i), Status: 200}
				if err := add(observed{line: i + 1, Observation: o}); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for i := range files {
		hour := int64((i*7)%files) * 60 * minute // they stand in another order than that of time
		sources = append(sources, source{name: fmt.Sprint("hour ", hour), begin: hour, read: read(hour, 60)})
	}
	return append(sources, source{name: "beside", begin: unknownBegin, read: read(30_000, files*60)})
}

func TestOnlyFilesThatOverlapAreOpen(t *testing.T) {
	const files = 50
	var open, most atomic.Int64
	sources := rotated(files, &open, &most)
	var times []int64
	add := func(_ string, o observed) error { times = append(times, o.Time); return nil }
	require.NoError(t, errors.Join(merge(context.Background(), sources, add)...))
	require.Len(t, times, 2*files*60)
	require.IsNonDecreasing(t, times)
	require.LessOrEqual(t, most.Load(), int64(4), "the hour, the one before it, the next one, and the file beside them")
}

func TestFilesThatFailToReadDoNotKeepOthers(t *testing.T) {
	broken := errors.New("broken")
	sources := []source{
		{name: "a", read: func(context.Context, func(observed) error) error { return broken }},
		{name: "b", begin: 1, read: func(_ context.Context, add func(observed) error) error {
			return add(observed{line: 1, Observation: &incident.Observation{Time: 1, Source: "192.0.2.1", Target: "shop"}})
		}},
		{name: "c", begin: 2, read: func(context.Context, func(observed) error) error { panic("a bug") }},
	}
	added := 0
	problems := merge(context.Background(), sources, func(string, observed) error { added++; return nil })
	require.ErrorIs(t, problems[0], broken)
	require.NoError(t, problems[1])
	require.Error(t, problems[2])
	require.Equal(t, 1, added)
}
