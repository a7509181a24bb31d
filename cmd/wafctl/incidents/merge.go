package incidents

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sync"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

const (
	// waiting is how many observations of a file are read ahead.
	waiting = 256
	// early is how many files are read before their turn.
	early = 1
)

// observed is what a record contributes, an observation or a digest of some, and where it stands.
type observed struct {
	line   int
	digest []byte
	*incident.Observation
}

// when returns the time at which this is to be taken. Digests wait in their windows for each other, and come first.
func (o *observed) when() int64 {
	if o.Observation == nil {
		return math.MinInt64
	}
	return o.Time
}

// source is a file to merge.
type source struct {
	name  string
	begin int64 // the time from which its records are, in milliseconds; math.MinInt64 when that is not known
	// read gives each observation to add, in the order of its records.
	read func(ctx context.Context, add func(observed) error) error
}

// unknownBegin is that of a source that has to be read to know.
const unknownBegin = math.MinInt64

// stream is a source that is read, and the first of its observations that was not taken.
type stream struct {
	*source
	place   int // among the sources
	from    chan observed
	head    *observed
	problem error
}

// merge reads sources and hands over their observations in the order of time, as if they were one file. Of equal times that of the
// source that stands first comes first. A source is read from shortly before its time on, so that of rotated logs only those are
// open that overlap. It returns what reading has failed with, in the order of the sources.
func merge(ctx context.Context, sources []source, add func(file string, o observed) error) []error {
	streams := make([]*stream, len(sources))
	for i := range sources {
		streams[i] = &stream{source: &sources[i], place: i}
	}
	later := slices.Clone(streams)
	slices.SortStableFunc(later, func(a, b *stream) int { return cmp.Compare(a.begin, b.begin) })
	var readers sync.WaitGroup
	var active []*stream
	var problem error
	for {
		first := earliest(active)
		for len(later) > 0 && (first == nil || later[0].begin <= first.head.when()) {
			for _, s := range later[:min(len(later), 1+early)] {
				s.start(ctx, &readers)
			}
			if next := later[0]; next.advance() {
				active = append(active, next)
				first = earliest(active)
			}
			later = later[1:]
		}
		if first == nil {
			break
		}
		problem = errors.Join(problem, add(first.name, *first.head))
		if !first.advance() {
			active = slices.DeleteFunc(active, func(s *stream) bool { return s == first })
		}
	}
	readers.Wait()
	var problems []error
	for _, s := range streams {
		problems = append(problems, s.problem)
	}
	return append(problems, problem)
}

// earliest returns the stream whose head comes next, nil when there is none.
func earliest(active []*stream) (first *stream) {
	for _, s := range active {
		if first == nil || s.head.when() < first.head.when() || s.head.when() == first.head.when() && s.place < first.place {
			first = s
		}
	}
	return first
}

// start reads the source, unless it is read already.
func (s *stream) start(ctx context.Context, readers *sync.WaitGroup) {
	if s.from != nil {
		return
	}
	s.from = make(chan observed, waiting)
	readers.Go(func() {
		defer close(s.from)
		s.problem = evaluation.ErrPanic
		recovery.Once(nil, func() {
			s.problem = s.read(ctx, func(o observed) error {
				select {
				case s.from <- o:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
		})
	})
}

// advance waits for the next observation and makes it the head. It reports false at the end.
func (s *stream) advance() bool {
	o, more := <-s.from
	s.head = &o
	return more
}
