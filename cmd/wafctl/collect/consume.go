package collect

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/kafka"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/receive"
)

const (
	// pollPause is how long a topic is left alone after an error.
	pollPause = time.Second
	// pollWarning is how often errors of a topic are logged.
	pollWarning = 10 * time.Second
)

// consume evaluates the records of a topic until ctx ends. While alerts find no room it reads no more.
func (r *collector) consume(ctx context.Context, topic *kafka.Consumer) {
	decoder := r.intakes.Messages()
	told := cli.Limiter{Every: pollWarning}
	var outcome filter.Outcome
	digesting := r.sections[topic]
	for ctx.Err() == nil {
		batch, err := r.poll(ctx, topic, digesting)
		if err != nil {
			if _, may := told.May(time.Now()); may {
				r.console.Say("warning: " + topic.Name() + ": " + err.Error())
			}
			wait(ctx, pollPause)
		}
		switch {
		case len(batch.Records) == 0:
		case digesting != nil:
			digesting.consumeBatch(batch, decoder, &outcome)
		default:
			r.consumeBatch(batch, decoder, &outcome)
		}
	}
}

// poll waits for records, until ctx ends, and sees to sections.
func (r *collector) poll(ctx context.Context, topic *kafka.Consumer, digesting *sections) (*kafka.Batch, error) {
	if digesting == nil {
		return topic.Poll(ctx)
	}
	digesting.identify(ctx)
	digesting.tick()
	ctx, cancel := context.WithTimeout(ctx, sectionTick)
	defer cancel()
	return topic.Poll(ctx)
}

// consumeBatch evaluates some records. They are finished when their alerts are delivered, and also when this panics: they must not hold up
// others for ever. Records whose alerts were given up at the end are not.
func (r *collector) consumeBatch(batch *kafka.Batch, decoder *receive.Messages, outcome *filter.Outcome) {
	delivered, complete := func() bool { return true }, true
	defer func() {
		if complete {
			batch.Evaluated(delivered)
		}
	}()
	for _, m := range batch.Records {
		decoder.Add(m.Value, sentAt(m), m.Topic, m.Partition, m.Offset)
	}
	events, _ := decoder.Take()
	delivered, complete = r.evaluateAndPut(nil, events, outcome)
}

// evaluateAndPut evaluates events in a section, or in none, and puts what comes of them into the outboxes.
func (r *collector) evaluateAndPut(section *filter.Section, events []byte, outcome *filter.Outcome) (delivered func() bool, complete bool) {
	r.keeper.emitting.RLock()
	defer r.keeper.emitting.RUnlock()
	before := r.keeper.digests()
	r.evaluate(section, events, outcome)
	taken, complete := r.put(outcome.Emits, true)
	if r.keeper.digests() == before {
		return taken, complete
	}
	kept := r.keeper.next()
	return func() bool { return taken() && kept() }, complete
}

// sentAt returns the time of a message, the same one each time it is read.
func sentAt(m *kgo.Record) time.Time {
	if m.Timestamp.Unix() < 0 { // it has none
		return time.Unix(0, 0)
	}
	return m.Timestamp
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
