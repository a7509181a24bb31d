package evaluation

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
)

func recordOf(line int, o *incident.Observation) *Checked {
	return &Checked{Line: line, Finding: filter.Finding{Observation: o}}
}

// rotated are the files of a log that was rotated after each hour, each with a record a minute, and one longer file beside them.
func rotated(files int, open, most *atomic.Int64) (sources []source) {
	const minute = 60_000
	read := func(begin int64, records int) func(context.Context, func(string, *Checked) error) error {
		return func(_ context.Context, add func(string, *Checked) error) error {
			most.Store(max(most.Load(), open.Add(1)))
			defer open.Add(-1)
			for i := range records {
				o := &incident.Observation{Time: begin + int64(i)*minute, Source: "192.0.2.1", Target: "shop", Method: "GET", Path: fmt.Sprint("/", i), Status: 200}
				if err := add("log", recordOf(i+1, o)); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for i := range files {
		hour := int64((i*7)%files) * 60 * minute // they stand in another order than that of time
		sources = append(sources, source{begin: hour, read: read(hour, 60)})
	}
	return append(sources, source{begin: unknownBegin, read: read(30_000, files*60)})
}

func TestOnlyFilesThatOverlapAreOpen(t *testing.T) {
	const files = 50
	var open, most atomic.Int64
	sources := rotated(files, &open, &most)
	var times []int64
	add := func(_ string, r *Checked) error { times = append(times, r.Observation.Time); return nil }
	require.NoError(t, errors.Join(merge(context.Background(), sources, add)...))
	require.Len(t, times, 2*files*60)
	require.IsNonDecreasing(t, times)
	require.LessOrEqual(t, most.Load(), int64(4), "the hour, the one before it, the next one, and the file beside them")
}

func TestFilesThatFailToReadDoNotKeepOthers(t *testing.T) {
	broken := errors.New("broken")
	sources := []source{
		{read: func(context.Context, func(string, *Checked) error) error { return broken }},
		{begin: 1, read: func(_ context.Context, add func(string, *Checked) error) error {
			return add("b", recordOf(1, &incident.Observation{Time: 1, Source: "192.0.2.1", Target: "shop"}))
		}},
		{begin: 2, read: func(context.Context, func(string, *Checked) error) error { panic("a bug") }},
	}
	added := 0
	problems := merge(context.Background(), sources, func(string, *Checked) error { added++; return nil })
	require.ErrorIs(t, problems[0], broken)
	require.NoError(t, problems[1])
	require.Error(t, problems[2])
	require.Equal(t, 1, added)
}

func TestARejectedRecordEndsItsFileOnly(t *testing.T) {
	read := func(file string, begin int64) source {
		return source{begin: begin, read: func(_ context.Context, add func(string, *Checked) error) error {
			for i := range int64(10 * waiting) {
				if err := add(file, recordOf(int(i)+1, &incident.Observation{Time: begin + 2*i})); err != nil {
					return err
				}
			}
			return nil
		}}
	}
	bad, added := errors.New("bad digest"), map[string]int{}
	problems := merge(context.Background(), []source{read("a", 0), read("b", 1)}, func(file string, r *Checked) error {
		if added[file]++; file == "a" && r.Line == 3 {
			return bad
		}
		return nil
	})
	require.ErrorIs(t, problems[0], bad)
	require.EqualError(t, problems[0], "read records: a: bad digest")
	require.NoError(t, problems[1])
	require.Equal(t, map[string]int{"a": 3, "b": 10 * waiting}, added)
}

func TestRecordsWithoutATimeFollowTheOneBeforeThem(t *testing.T) {
	read := func(file string, times ...int64) source {
		return source{begin: unknownBegin, read: func(_ context.Context, add func(string, *Checked) error) error {
			for i, at := range times {
				r := &Checked{Line: i + 1}
				if at != 0 {
					r.Observation = &incident.Observation{Time: at}
				}
				if err := add(file, r); err != nil {
					return err
				}
			}
			return nil
		}}
	}
	var order []string
	problems := merge(context.Background(), []source{read("a", 2, 0, 5), read("b", 0, 1, 2, 6)}, func(file string, r *Checked) error {
		order = append(order, fmt.Sprint(file, r.Line))
		return nil
	})
	require.NoError(t, errors.Join(problems...))
	require.Equal(t, []string{"b1", "b2", "a1", "a2", "b3", "a3", "b4"}, order)
}
