package evaluation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

const (
	// waiting is how many records of a file are read ahead.
	waiting = 256
	// early is how many files are read before their turn.
	early = 1
)

// EachByTime is Each in the order of time: files are merged as if they were one. A record that names no time follows the one before it in
// its file. Memory grows with the files that overlap in time.
func (in *Inputs) EachByTime(ctx context.Context, e *Evaluation, do func(file string, r *Checked) error) error {
	if len(in.Names) == 1 { // its order is that of time, and all cores can work ahead
		return in.Each(ctx, e, do)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in.progress = cli.NewProgress(in.Console, in.Names, e.Filter.Counts)
	defer in.progress.End()
	calm := *e // files that overlap are evaluated at the same time
	calm.Calm = true
	each, sources := make([]Inputs, len(in.Names)), make([]source, len(in.Names))
	for i, name := range in.Names {
		each[i] = Inputs{Console: in.Console, progress: in.progress}
		sources[i] = source{begin: unknownBegin, read: func(ctx context.Context, add func(string, *Checked) error) error {
			return each[i].one(ctx, &calm, name, add)
		}}
		if begin, known := beginOf(e.Filter, name); known {
			sources[i].begin = begin.UnixMilli()
		}
	}
	problems := merge(ctx, sources, do)
	for i := range each {
		in.include(&each[i])
	}
	for _, problem := range problems {
		if problem != nil {
			in.Unread++
		}
	}
	return errors.Join(append(problems, in.broken())...)
}

// one evaluates all records of one file.
func (in *Inputs) one(ctx context.Context, e *Evaluation, name string, do func(file string, r *Checked) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return in.take(in.open(ctx, e, name, e.start(ctx)), do)
}

// include adds what was counted of another input, which was read beside these.
func (in *Inputs) include(other *Inputs) {
	in.Alerts += other.Alerts
	in.http += other.http
	in.strange += other.strange
	in.Outside += other.Outside
	in.Broken += other.Broken
	in.Blind = append(in.Blind, other.Blind...)
}

// source is a file to merge.
type source struct {
	begin int64 // the time from which its records are, in milliseconds; unknownBegin when that is not known
	// read gives each record to add, in their order, with the name of the file.
	read func(ctx context.Context, add func(file string, r *Checked) error) error
}

// unknownBegin is that of a source that has to be read to know.
const unknownBegin = math.MinInt64

// stream is a source that is read, and the first of its records that was not taken.
type stream struct {
	*source
	place    int // among the sources
	from     chan taken
	stop     context.CancelFunc
	head     taken
	rejected error // of a record that was handed over
	problem  error // of reading, known once from is closed
}

// taken is a record that was read, and the name of its file.
type taken struct {
	file string
	*Checked
}

// when returns the time at which a record is to be handed over. What has no time does not wait: digests do that in their windows.
func (t taken) when() int64 {
	if t.Checked == nil || t.Observation == nil {
		return math.MinInt64
	}
	return t.Observation.Time
}

// merge reads sources and hands over their records in the order of time. Of equal times the one of the source that stands first comes
// first. A source is read from shortly before its time on, so that of rotated logs only those are open that overlap. The rest of a source
// is not read once one of its records is rejected. merge returns what each source has failed with, in their order.
func merge(ctx context.Context, sources []source, do func(file string, r *Checked) error) []error {
	streams := make([]*stream, len(sources))
	for i := range sources {
		streams[i] = &stream{source: &sources[i], place: i}
	}
	later := slices.Clone(streams)
	slices.SortStableFunc(later, func(a, b *stream) int { return cmp.Compare(a.begin, b.begin) })
	var readers sync.WaitGroup
	var active []*stream
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
		if !first.hand(do) || !first.advance() {
			active = slices.DeleteFunc(active, func(s *stream) bool { return s == first })
		}
	}
	readers.Wait()
	problems := make([]error, len(streams))
	for i, s := range streams {
		if problems[i] = s.problem; s.rejected != nil {
			problems[i] = s.rejected
		}
	}
	return problems
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
	s.from = make(chan taken, waiting)
	ctx, s.stop = context.WithCancel(ctx)
	readers.Go(func() {
		defer close(s.from)
		defer s.stop()
		s.problem = ErrPanic
		recovery.Once(nil, func() {
			s.problem = s.read(ctx, func(file string, r *Checked) error {
				select {
				case s.from <- taken{file, r}:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
		})
	})
}

// hand hands over the head. It reports false, and ends reading, when it is rejected.
func (s *stream) hand(do func(file string, r *Checked) error) bool {
	if err := do(s.head.file, s.head.Checked); err != nil {
		s.rejected = fmt.Errorf("read records: %s: %w", s.head.file, err)
		s.stop()
	}
	return s.rejected == nil
}

// advance waits for the next record and makes it the head. It reports false at the end.
func (s *stream) advance() (more bool) {
	s.head, more = <-s.from
	return more
}
