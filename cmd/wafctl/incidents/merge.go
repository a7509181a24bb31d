package incidents

import (
	"context"
	"sync"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// waiting is how many observations of a file are read ahead.
const waiting = 1024

// observed is an observation and where its record stands.
type observed struct {
	line int
	*incident.Observation
}

// Read reads the file with a number and gives each observation to add, in the order of its records.
type Read func(ctx context.Context, file int, add func(line int, o *incident.Observation) error) error

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
				problems[i] = read(ctx, i, func(line int, o *incident.Observation) error {
					select {
					case streams[i] <- observed{line, o}:
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				})
			})
		})
	}
	c.merge(files, streams)
	readers.Wait()
	return problems
}

// merge always takes the earliest of the observations at the heads of the streams, until all are at their end.
func (c *Collection) merge(files []string, streams []chan observed) {
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
			if head != nil && (earliest < 0 || head.Time < heads[earliest].Time) {
				earliest = i
			}
		}
		if earliest < 0 {
			return
		}
		c.Add(files[earliest], heads[earliest].line, heads[earliest].Observation)
		next(earliest)
	}
}
