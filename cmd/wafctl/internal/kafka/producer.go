package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// ProducerOptions are the options of a topic that alerts go to.
func ProducerOptions() []setting.Property {
	return append([]setting.Property{
		{Name: "key", Default: "source", Values: []string{"source", "target", "off"},
			Help: "what decides on the partition: alerts with the same key stay in order"},
		{Name: "only", Default: "all", Values: []string{"all", "digests"}, Help: "digests sends incident digests instead of alerts"},
		{Name: "max", Default: "900K", Help: "bytes of an alert; longer ones are shortened"},
		{Name: "timeout", Default: "30s", Help: "limit for an attempt to deliver; alerts then wait, and are tried again"},
	}, securityOptions...)
}

const (
	minAlert        = 1024
	maxAlert        = 16 << 20
	shortestTimeout = 100 * time.Millisecond
	longestTimeout  = 10 * time.Minute
	idHeader        = "alert_id"
)

// Producer writes alerts to a topic. It is a destination of its own: Deliver has the contract of a delivery.Delivery with one.
type Producer struct {
	client  *kgo.Client
	name    string
	topic   string
	key     func(*delivery.Message) string // "" for none
	limit   int
	timeout time.Duration
	warn    func(line string)

	delivered, failures, shortened, waiting atomic.Int64

	batch string // that failed last
	taken []bool // of its messages
}

// OpenProducer reads a destination. It connects to the brokers when there is something to deliver.
func OpenProducer(text string, warn func(line string)) (*Producer, error) {
	a := parse(text, ProducerOptions())
	p := &Producer{name: Name(text), warn: warn, topic: a.topic, limit: int(a.Size("max")), key: func(*delivery.Message) string { return "" }}
	a.Word("only") // delivery.Wanted reads it
	switch a.Word("key") {
	case "source":
		p.key = func(m *delivery.Message) string { return m.Source }
	case "target":
		p.key = func(m *delivery.Message) string { return m.Target }
	}
	if p.limit < minAlert || p.limit > maxAlert {
		a.Problem("max", setting.OutOfRange(a.Text("max"), fmt.Sprintf("%d to %d bytes", minAlert, maxAlert)))
	}
	p.timeout = a.Duration("timeout", shortestTimeout, longestTimeout)
	options := append(a.options(warn), kgo.DefaultProduceTopic(a.topic),
		kgo.AllowIdempotentProduceCancellation(), kgo.ProducerBatchMaxBytes(int32(max(p.limit+batchRoom, leastBatch))))
	if err := a.err(fmt.Sprintf("destination %q", p.name)); err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("destination %q: %w", p.name, err)
	}
	p.client = client
	return p, nil
}

const (
	batchRoom  = 4 << 10 // for what stands around an alert in a batch
	leastBatch = 1_000_012
)

// Deliver sends the messages that the topic does not have yet, in their order, and waits until all in-sync replicas have them.
func (p *Producer) Deliver(ctx context.Context, batch string, msgs []delivery.Message) error {
	if batch != p.batch || len(p.taken) != len(msgs) {
		p.batch, p.taken = batch, make([]bool, len(msgs))
	}
	// The client's own limit counts from the time in the record, of which alerts about old records have none left.
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	p.waiting.Add(int64(len(msgs)))
	defer p.waiting.Add(-int64(len(msgs)))
	var sent sync.WaitGroup
	failures := make([]error, len(msgs))
	for i := range msgs {
		if p.taken[i] {
			continue
		}
		sent.Add(1)
		p.client.Produce(ctx, p.record(&msgs[i], p.limit), func(_ *kgo.Record, err error) {
			defer sent.Done()
			if failures[i] = err; err == nil {
				p.delivered.Add(1)
			}
		})
	}
	sent.Wait()
	for i, err := range failures {
		if errors.Is(err, kerr.MessageTooLarge) {
			failures[i] = p.deliverSmaller(ctx, &msgs[i])
		}
	}
	var first error
	failed := 0
	for i, err := range failures {
		if p.taken[i] = p.taken[i] || err == nil; err != nil {
			failed++
			if first == nil {
				first = err
			}
		}
	}
	if first != nil {
		p.failures.Add(1)
		if errors.Is(first, context.DeadlineExceeded) {
			first = fmt.Errorf("no answer from the brokers within %s", p.timeout)
		}
		return fmt.Errorf("deliver to %s: %d of %d alerts: %w", p.name, failed, len(msgs), first)
	}
	p.batch, p.taken = "", nil
	return nil
}

// deliverSmaller sends a message that is too large for the topic, alone or with others: alone, and then shorter each time. What cannot be
// made short enough is given up, or it would hold up others for ever.
func (p *Producer) deliverSmaller(ctx context.Context, m *delivery.Message) error {
	for limit := min(p.limit, len(m.JSON)); ; limit /= 2 {
		err := p.client.ProduceSync(ctx, p.record(m, limit)).FirstErr()
		switch {
		case err == nil:
			p.delivered.Add(1)
			return nil
		case !errors.Is(err, kerr.MessageTooLarge):
			return err
		case m.Digest || limit < minAlert:
			p.warn(fmt.Sprintf("%s: a message of %d bytes is dropped: it is larger than the topic allows (max.message.bytes)", p.name, len(m.JSON)))
			return nil
		}
	}
}

// record makes a record of a message. Alerts are shortened to a limit in bytes.
func (p *Producer) record(m *delivery.Message, limit int) *kgo.Record {
	text := m.JSON
	if !m.Digest {
		var isShortened bool
		if text, isShortened = delivery.Shorten(m.JSON, limit); isShortened {
			p.shortened.Add(1)
		}
	}
	r := &kgo.Record{Value: text, Timestamp: m.Time}
	key := m.Source // of a digest: those of a partition stay in order
	if !m.Digest {
		key = p.key(m)
	}
	if key != "" {
		r.Key = []byte(key)
	}
	if m.ID != "" {
		r.Headers = []kgo.RecordHeader{{Key: idHeader, Value: []byte(m.ID)}}
	}
	return r
}

// Stats returns the counters of the topic.
func (p *Producer) Stats() []delivery.Stats {
	return []delivery.Stats{{
		Destination: p.name, Delivered: p.delivered.Load(), Failures: p.failures.Load(), Shortened: p.shortened.Load(), Waiting: p.waiting.Load(),
	}}
}

// Close ends the connections. A delivery that is under way fails.
func (p *Producer) Close() error {
	p.client.Close()
	return nil
}
