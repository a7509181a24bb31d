package kafka

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Sections sum up the records of partitions in digests, which are to be delivered before the offsets of these records are committed. A
// section begins where the one before has ended, and where it ends is up to the records in it: a member that takes over a partition makes
// the same sections of what was not committed, and their digests are known to be the same.
type Sections interface {
	// Seal ends the sections of partitions that are given up. The alerts of their records are delivered, and no more records come.
	Seal(partitions []int32)
	// Drop forgets the sections of partitions that are gone.
	Drop(partitions []int32)
}

// progress is how far sections have come, and what is known of the ends of partitions.
type progress struct {
	hooks Sections

	mu        sync.Mutex
	delivered map[int32]kgo.EpochOffset // up to where alerts are delivered
	sections  map[int32][]*finishing    // that ended and are not committed yet, in their order
	seen      map[int32][]sighting      // the latest last
	idle      map[int32]bool            // everything is committed, by the latest look
	lost      map[int32]uint64          // the last poll before a partition was given up
}

// finishing is a section that has ended.
type finishing struct {
	next      kgo.EpochOffset
	delivered func() bool // nil until its digest is on its way
}

// sighting is where a partition ended at a time.
type sighting struct {
	end int64
	at  time.Time
}

// sightings cover as much time as a section does.
const sightings = 16

// Digest has the records of a topic digested: offsets are committed only at the ends of sections. It is called before Start.
func (c *Consumer) Digest(hooks Sections) {
	c.digests = &progress{
		hooks: hooks, delivered: map[int32]kgo.EpochOffset{}, sections: map[int32][]*finishing{}, seen: map[int32][]sighting{}, idle: map[int32]bool{},
		lost: map[int32]uint64{},
	}
}

// Has reports whether the member still has a partition since a batch was polled.
func (c *Consumer) Has(partition int32, since *Batch) bool {
	p := c.digests
	p.mu.Lock()
	defer p.mu.Unlock()
	return since.poll > p.lost[partition]
}

// Finish notes that a section has ended. The function that it returns is called when the digest is on its way.
func (c *Consumer) Finish(partition int32, next kgo.EpochOffset) func(delivered func() bool) {
	p := c.digests
	f := &finishing{next: next}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sections[partition] = append(p.sections[partition], f)
	return func(delivered func() bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		f.delivered = delivered
	}
}

// ReadAt returns when a partition last ended at an offset or before it, the zero time when that is not known.
func (c *Consumer) ReadAt(partition int32, offset int64) (at time.Time) {
	p := c.digests
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.seen[partition] {
		if s.end <= offset {
			at = s.at
		}
	}
	return at
}

// Idle returns the ends of the partitions of which everything is committed.
func (c *Consumer) Idle() map[int32]int64 {
	p := c.digests
	p.mu.Lock()
	defer p.mu.Unlock()
	ends := map[int32]int64{}
	for partition, is := range p.idle {
		if seen := p.seen[partition]; is && len(p.sections[partition]) == 0 {
			ends[partition] = seen[len(seen)-1].end
		}
	}
	return ends
}

// IsPending reports whether records of a partition are not finished.
func (c *Consumer) IsPending(partition int32) bool { return c.isPending([]int32{partition}) }

// Stream returns the name of a topic that another one of the same name does not have, and how many partitions there are.
func (c *Consumer) Stream(ctx context.Context) (id uint64, partitions int, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	topics, err := c.admin.ListTopics(ctx, c.topic)
	if err == nil {
		err = topics.Error()
	}
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", c.name, err)
	}
	topic := topics[c.topic]
	return xxhash.Sum64String(c.topic + topic.ID.String()), len(topic.Partitions), nil
}

// settle notes up to where alerts are delivered.
func (p *progress) settle(next map[int32]kgo.EpochOffset) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for partition, offset := range next {
		p.delivered[partition] = offset
	}
}

// finished returns the ends of sections of which everything is delivered.
func (p *progress) finished() map[int32]kgo.EpochOffset {
	p.mu.Lock()
	defer p.mu.Unlock()
	ends := map[int32]kgo.EpochOffset{}
	for partition, all := range p.sections {
		for len(all) > 0 && all[0].delivered != nil && all[0].next.Offset <= p.delivered[partition].Offset && all[0].delivered() {
			ends[partition] = all[0].next
			all = all[1:]
		}
		p.sections[partition] = all
	}
	return ends
}

// isFinished reports whether all sections of partitions that have ended are.
func (p *progress) isFinished(partitions []int32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, partition := range partitions {
		if len(p.sections[partition]) > 0 {
			return false
		}
	}
	return true
}

func (p *progress) saw(partition int32, end int64, at time.Time, isIdle bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen[partition] = append(p.seen[partition], sighting{end, at})
	p.seen[partition] = p.seen[partition][max(0, len(p.seen[partition])-sightings):]
	p.idle[partition] = isIdle
}

// lose forgets partitions that are given up after a poll.
func (p *progress) lose(partitions []int32, poll uint64) {
	p.hooks.Drop(partitions)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, partition := range partitions {
		delete(p.delivered, partition)
		delete(p.sections, partition)
		delete(p.seen, partition)
		delete(p.idle, partition)
		p.lost[partition] = poll
	}
}
