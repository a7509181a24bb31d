package collect

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/kafka"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/receive"
)

// sections digest the records of a topic, those of each partition apart. A section ends before the first record that is in another block of
// offsets than its first one, or that is younger by the time that digests sum up. So where it ends depends on the records alone, and a member
// that reads them again makes the same digests, which the aggregator knows. Two kinds of sections end otherwise, and have their offsets
// committed at once: those of partitions in which nothing more comes, and those that move to another member.
type sections struct {
	r      *collector
	topic  *kafka.Consumer
	every  time.Duration
	asked  time.Time // what the topic is
	beaten map[int32]time.Time

	mu     sync.Mutex
	stream uint64 // 0 until it is known
	parts  int
	open   map[int32]*section
}

// section is one that has not ended.
type section struct {
	*filter.Section
	partition  int32
	from, next int64 // offsets
	epoch      int32 // of the last record
	time       time.Time
	opened     time.Time
}

const (
	// sectionBlock bounds what is evaluated again after a member was killed, and the size of a digest.
	sectionBlock = 4096
	// sectionDelay is how much later than others a record may come and still be in the same section.
	sectionDelay = 2 * time.Second
	// sectionTick is how often sections are looked at while no records come.
	sectionTick = time.Second
	// topicAge is how long what is known of a topic is used: it may get partitions.
	topicAge = time.Minute
)

func newSections(r *collector, topic *kafka.Consumer) *sections {
	s := &sections{r: r, topic: topic, every: r.filter.DigestEvery(), beaten: map[int32]time.Time{}, open: map[int32]*section{}}
	topic.Digest(s)
	return s
}

// identify finds out what the topic is. It is tried again until ctx ends.
func (s *sections) identify(ctx context.Context) {
	for ctx.Err() == nil && time.Since(s.asked) > topicAge {
		stream, parts, err := s.topic.Stream(ctx)
		s.mu.Lock()
		if err == nil {
			s.stream, s.parts = stream, parts
		}
		isKnown := s.stream != 0
		s.mu.Unlock()
		if !isKnown {
			wait(ctx, pollPause)
			continue
		}
		s.asked = time.Now() // after an error, what is known will do
	}
}

// consumeBatch is that of the collector, with sections.
func (s *sections) consumeBatch(batch *kafka.Batch, decoder *receive.Messages, outcome *filter.Outcome) {
	var parts []func() bool
	complete := true
	defer func() {
		if complete {
			batch.Evaluated(func() bool {
				return !slices.ContainsFunc(parts, func(delivered func() bool) bool { return !delivered() })
			})
		}
	}()
	for rest := batch.Records; len(rest) > 0; {
		in := s.sectionOf(rest[0], batch)
		n := 0
		for n < len(rest) && in.has(rest[n], s.every) {
			m := rest[n]
			decoder.Add(m.Value, sentAt(m), m.Topic, m.Partition, m.Offset)
			n++
		}
		events, _ := decoder.Take()
		delivered, whole := s.r.evaluateAndPut(in.Section, events, outcome)
		parts, complete = append(parts, delivered), complete && whole
		in.next, in.epoch = rest[n-1].Offset+1, rest[n-1].LeaderEpoch
		rest = rest[n:]
	}
}

// sectionOf returns the section for a record. Records of partitions that the member does not have any more are in none that is sent.
func (s *sections) sectionOf(m *kgo.Record, batch *kafka.Batch) *section {
	isOurs := s.topic.Has(m.Partition, batch)
	s.mu.Lock()
	in := s.open[m.Partition]
	s.mu.Unlock()
	if in != nil && isOurs {
		if in.has(m, s.every) {
			return in
		}
		s.seal(m.Partition)
	}
	in = &section{Section: s.r.filter.NewSection(), partition: m.Partition, from: m.Offset, next: m.Offset, time: m.Timestamp, opened: time.Now()}
	if isOurs {
		s.mu.Lock()
		s.open[m.Partition] = in
		s.mu.Unlock()
	}
	return in
}

// has reports whether a record belongs to the section.
func (in *section) has(m *kgo.Record, every time.Duration) bool {
	return m.Partition == in.partition && m.Offset/sectionBlock == in.from/sectionBlock && (m.Offset == in.from || m.Timestamp.Sub(in.time) < every)
}

// seal ends the section of a partition, if one is open, and has its digest sent.
func (s *sections) seal(partition int32) {
	s.mu.Lock()
	in := s.open[partition]
	delete(s.open, partition)
	if in == nil {
		s.mu.Unlock()
		return
	}
	sent := s.topic.Finish(partition, kgo.EpochOffset{Epoch: in.epoch, Offset: in.next})
	s.mu.Unlock()
	if delivered, complete := s.send(in); complete {
		sent(delivered)
	}
}

// send has the digest of a section delivered.
func (s *sections) send(in *section) (delivered func() bool, complete bool) {
	s.mu.Lock()
	stream, parts := s.stream, max(s.parts, int(in.partition)+1)
	s.mu.Unlock()
	span := filter.Span{Stream: stream, Partition: uint32(in.partition), Partitions: uint32(parts), From: uint64(in.from), To: uint64(in.next)}
	if at := s.topic.ReadAt(in.partition, in.next); !at.IsZero() {
		span.Read = at.UnixMilli()
	}
	return s.r.put(in.Seal(span, fmt.Sprintf("%x/%d", stream, in.partition)), true)
}

// tick ends sections in which nothing more comes, and reports the partitions in which nothing comes at all, for which the aggregator waits.
func (s *sections) tick() {
	s.mu.Lock()
	open := slices.Collect(maps.Values(s.open))
	s.mu.Unlock()
	for _, in := range open {
		if s.topic.ReadAt(in.partition, in.next).After(in.due(s.every)) && !s.topic.IsPending(in.partition) {
			s.seal(in.partition)
		}
	}
	for partition, end := range s.topic.Idle() {
		if time.Since(s.beaten[partition]) < s.every || s.isOpen(partition) {
			continue
		}
		s.beaten[partition] = time.Now()
		s.send(&section{Section: s.r.filter.NewSection(), partition: partition, from: end, next: end})
	}
}

// due returns when no more records come that belong to the section. Where the clock of a sender is ahead, it is not waited for.
func (in *section) due(every time.Duration) time.Time {
	begin := in.opened
	if in.time.After(begin) && in.time.Before(begin.Add(every)) {
		begin = in.time
	}
	return begin.Add(every + sectionDelay)
}

func (s *sections) isOpen(partition int32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[partition] != nil
}

// Seal ends the sections of partitions that are given up.
func (s *sections) Seal(partitions []int32) {
	for _, partition := range partitions {
		s.seal(partition)
	}
}

// Drop forgets the sections of partitions that are gone.
func (s *sections) Drop(partitions []int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, partition := range partitions {
		delete(s.open, partition)
	}
}

// end ends the sections of which all alerts are delivered, once nothing more is evaluated.
func (s *sections) end() {
	s.mu.Lock()
	open := slices.Collect(maps.Keys(s.open))
	s.mu.Unlock()
	for _, partition := range open {
		if !s.topic.IsPending(partition) {
			s.seal(partition)
		}
	}
}
