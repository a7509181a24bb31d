package digest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
)

// sealed is the digest of a span with one observation in each of some windows.
func sealed(t testing.TB, span Span, windows ...int64) []byte {
	t.Helper()
	s := NewSection()
	for _, at := range windows {
		s.Add(&incident.Observation{Time: at * windowTime, Source: "192.0.2.1", Target: "shop", Method: "GET", Path: fmt.Sprint("/", span.Partition), Status: 200})
	}
	d, err := s.Seal(span, "")
	require.NoError(t, err)
	return d
}

// streaming is a merger that waits for one window, and its clock.
type streaming struct {
	*testing.T
	*Merger
	now time.Time
}

func newStreaming(t *testing.T) *streaming {
	return &streaming{t, NewMerger(incident.New(incident.Options{}), "", 10*time.Second), time.Now()}
}

func (s *streaming) merge(span Span, windows ...int64) {
	s.Helper()
	span.Stream, span.Partitions = 1, 2
	_, err := s.Merge(sealed(s.T, span, windows...), s.now)
	require.NoError(s, err)
}

func (s *streaming) waiting() (all []int64) {
	for at := range s.windows {
		all = append(all, at)
	}
	slices.Sort(all)
	return all
}

func TestWindowsWaitForAllPartitions(t *testing.T) {
	const w = 176_000_000
	s := newStreaming(t)
	s.merge(Span{Partition: 0, From: 0, To: 10}, w, w+1)
	s.merge(Span{Partition: 0, From: 10, To: 20}, w+2, w+9)
	require.Equal(t, []int64{w, w + 1, w + 2, w + 9}, s.waiting(), "nothing came from the other partition")
	s.merge(Span{Partition: 1, From: 0, To: 10}, w+1)
	require.Equal(t, []int64{w + 1, w + 2, w + 9}, s.waiting())
	s.merge(Span{Partition: 1, From: 10, To: 10, Read: (w + 3) * windowTime})
	require.Equal(t, []int64{w + 9}, s.waiting(), "nothing more is in the other partition")
	require.Zero(t, s.Counts().Late)

	s.now = s.now.Add(patience)
	s.merge(Span{Partition: 0, From: 20, To: 30}, w+11)
	require.Equal(t, []int64{w + 11}, s.waiting(), "the other partition was silent for long")
}

func TestSpansThatCameAreKnown(t *testing.T) {
	const w = 176_000_000
	s := newStreaming(t)
	for _, step := range []struct{ from, to, records, repeated uint64 }{
		{100, 200, 1, 0}, {100, 200, 1, 1}, {120, 180, 1, 2}, {300, 400, 2, 2}, {200, 300, 3, 2}, {100, 400, 3, 3},
		{390, 410, 4, 3}, // more than was known: rather twice than never
		{50, 100, 5, 3}, {0, 10, 6, 3}, {10, 50, 7, 3}, {0, 410, 7, 4},
	} {
		s.merge(Span{Partition: 1, From: step.from, To: step.to}, w)
		require.Equal(t, []uint64{step.records, step.repeated}, []uint64{s.Counts().Records, s.Counts().Repeated}, step)
	}
	require.Equal(t, []covered{{0, 410}}, s.streams[0].Partitions[1].Covered)
	for n := range uint64(2 * mostCovered) {
		s.merge(Span{Partition: 0, From: 10 * n, To: 10*n + 5}, w)
	}
	require.Len(t, s.streams[0].Partitions[0].Covered, mostCovered)
}

func TestAMergerThatStartsAgainKnowsStreams(t *testing.T) {
	const w = 176_000_000
	s := newStreaming(t)
	s.merge(Span{Partition: 0, From: 0, To: 10}, w, w+5)
	require.NoError(t, s.Keep())
	s.Merger = NewMerger(s.Correlator(), "", 10*time.Second)
	s.merge(Span{Partition: 0, From: 0, To: 10}, w, w+5)
	require.EqualValues(t, 1, s.Counts().Repeated)
	require.Equal(t, []int64{w, w + 5}, s.waiting())
	s.merge(Span{Partition: 1, From: 0, To: 10}, w+5)
	require.Equal(t, []int64{w + 5}, s.waiting())
}

func TestASpanThatCannotBeIsRefused(t *testing.T) {
	m := NewMerger(incident.New(incident.Options{}), "", time.Minute)
	for _, span := range []Span{{Partition: 2, Partitions: 2}, {Partitions: mostPartitions + 1}, {Partitions: 1, From: 2, To: 1}, {Partitions: 1, Read: -1}} {
		_, err := m.Merge(sealed(t, span, 1), time.Now())
		require.ErrorContains(t, err, "malformed span")
	}
	for n := range uint64(2 * mostStreams) {
		_, err := m.Merge(sealed(t, Span{Stream: n, Partitions: 1, To: 1}, 1), time.Now())
		require.NoError(t, err)
	}
	require.Len(t, m.streams, mostStreams)
}
