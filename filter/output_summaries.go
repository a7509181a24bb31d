package filter

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

const (
	summaryTick   = time.Second // how late a summary can come
	mostSummaries = 1024        // that wait for a destination
	lastSummaries = 5 * time.Second
)

// summaries delivers what flood control has summed up, and what incident detection has found or digested, also when no more records come.
type summaries struct {
	stop    context.CancelFunc
	running sync.WaitGroup
	waiting []delivery.Message
	counted int // how many of those that wait are summaries
	batch   int // name of those that wait, the same until all destinations have taken them
}

// start delivers summaries until end, if something becomes ready beside records.
func (s *summaries) start(o *Output) {
	if !o.filter.pipeline.HoldsBack() {
		return
	}
	life, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.running.Go(func() {
		recovery.Loop(life.Done(), o.filter.Caught("summaries"), func() { s.run(life, o) })
	})
}

func (s *summaries) run(life context.Context, o *Output) {
	ticks := time.NewTicker(summaryTick)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			s.deliver(life, o, false)
		case <-life.Done():
			return
		}
	}
}

// end delivers what is left.
func (s *summaries) end(o *Output) {
	if s.stop == nil {
		return
	}
	s.stop()
	s.running.Wait()
	last, cancel := context.WithTimeout(context.Background(), lastSummaries)
	defer cancel()
	for _, all := range []bool{false, true} { // first what an earlier attempt has left
		recovery.Once(o.filter.Caught("last summaries"), func() { s.deliver(last, o, all) })
	}
	if n := len(s.waiting); n > 0 {
		o.log(LevelWarn, fmt.Sprintf("%d summaries and events about incidents were not delivered", n))
	}
}

// deliver delivers what waits or, when that is nothing, what is due.
func (s *summaries) deliver(ctx context.Context, o *Output, all bool) {
	if len(s.waiting) == 0 {
		s.batch++
		ready := o.filter.pipeline.Ready
		if all {
			ready = o.filter.pipeline.Left
		}
		s.counted = 0
		for _, e := range ready() {
			s.waiting = append(s.waiting, e.Message())
			if e.Summary {
				s.counted++
			}
		}
	}
	if len(s.waiting) == 0 {
		return
	}
	if n := len(s.waiting) - mostSummaries; n > 0 {
		o.log(LevelWarn, fmt.Sprintf("%d summaries and incident events are dropped", n))
		s.waiting = s.waiting[n:]
		s.counted = min(s.counted, len(s.waiting))
	}
	if o.delivery.Deliver(ctx, fmt.Sprintf("summaries %d", s.batch), s.waiting) == nil {
		o.filter.counts.Summaries.Add(uint64(s.counted))
		s.waiting = nil
	}
}
