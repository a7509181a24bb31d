package incidents

import (
	"context"
	"errors"
	"sync"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// waiting is how many observations of a file are read ahead.
const waiting = 1024

// observed is what a record contributes, an observation or a digest of some, and where it stands.
type observed struct {
	line   int
	digest []byte
	*incident.Observation
}

// before reports whether this is to be taken before another one. Digests wait in their windows for each other, and come first.
func (o *observed) before(other *observed) bool {
	if o.Observation == nil || other.Observation == nil {
		return o.Observation == nil && other.Observation != nil
	}
	return o.Time < other.Time
}

// Read reads the file with a number and gives what its records contribute to add, in their order.
type Read func(ctx context.Context, file int, add func(observed) error) error

// Merge reads files at the same time and adds their observations in the order of time, as if they were one file. It returns what the
// readers return, in the order of the files.
func (c *Collection) Merge(ctx context.Context, files []string, read Read) []error {
	problems := make([]error, len(files))
	streams := make([]chan observed, len(files))
	var readers sync.WaitGroup
	for i := range files {
		streams[i] = make(chan observed, waiting)
		readers.Go(func() {
			defer close(streams[i])
			problems[i] = evaluation.ErrPanic
			recovery.Once(nil, func() {
				problems[i] = read(ctx, i, func(o observed) error {
					select {
					case streams[i] <- o:
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				})
			})
		})
	}
	problem := c.merge(files, streams)
	readers.Wait()
	return append(problems, problem)
}

// merge always takes the earliest of the observations at the heads of the streams, until all are at their end.
func (c *Collection) merge(files []string, streams []chan observed) (problem error) {
	heads := make([]*observed, len(streams))
	next := func(i int) {
		heads[i] = nil
		if o, more := <-streams[i]; more {
			heads[i] = &o
		}
	}
	for i := range streams {
		next(i)
	}
	for {
		earliest := -1
		for i, head := range heads {
			if head != nil && (earliest < 0 || head.before(heads[earliest])) {
				earliest = i
			}
		}
		if earliest < 0 {
			return problem
		}
		problem = errors.Join(problem, c.take(files[earliest], *heads[earliest]))
		next(earliest)
	}
}
