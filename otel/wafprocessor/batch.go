package wafprocessor

import (
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/otel/wafprocessor/internal/metadata"
)

// batch is the memory for the log records that go through the filter in one call: those in a row that came from the same file.
type batch struct {
	chunk   []byte  // of msgpack events
	file    string  // from which the records were read, "" when they do not say
	records []place // by event
	outcome filter.Outcome
}

// place is a log record of a batch, and the resource to which its alerts belong.
type place struct {
	plog.LogRecord
	origin *origin
}

// origin is a resource whose records are inspected.
type origin struct {
	logs     plog.ResourceLogs
	workload []byte // as a map of msgpack, nil when it describes none
	alerts   plog.LogRecordSlice
	has      bool // alerts
}

var batches = sync.Pool{New: func() any { return &batch{} }}

// largeBatch is the size in bytes of a chunk from which a batch is left to the garbage collector.
const largeBatch = 4 << 20

func (b *batch) putBack() {
	if cap(b.chunk)+cap(b.outcome.Data) <= largeBatch {
		b.reset()
		batches.Put(b)
	}
}

func (b *batch) reset() {
	clear(b.records)
	b.chunk, b.file, b.records = b.chunk[:0], "", b.records[:0]
	b.outcome.Reset()
}

// fileOf returns the name of the file that a record was read from, "" when it does not say. The filter needs it for logs that announce
// their columns in a line of their own.
func fileOf(r plog.LogRecord) string {
	for _, name := range [...]string{"log.file.path", "log.file.name"} {
		if value, has := r.Attributes().Get(name); has && value.Type() == pcommon.ValueTypeStr {
			return value.Str()
		}
	}
	return ""
}

// inspect runs all records through the filter, but for alerts that another processor has added.
func (p *wafProcessor) inspect(f *filter.Filter, logs plog.Logs) {
	b := batches.Get().(*batch)
	defer b.putBack()
	now := time.Now()
	for _, resource := range logs.ResourceLogs().All() {
		from := &origin{logs: resource, workload: workloadOf(resource.Resource())}
		for _, scope := range resource.ScopeLogs().All() {
			if scope.Scope().Name() == metadata.ScopeName {
				continue
			}
			for _, r := range scope.LogRecords().All() {
				if file := fileOf(r); file != b.file {
					p.flush(f, b)
					b.file = file
				}
				p.removeForged(r)
				b.chunk = appendEvent(b.chunk, r, from.workload, p.alertKey, now)
				b.records = append(b.records, place{r, from})
			}
		}
	}
	p.flush(f, b)
}

// removeForged removes a verdict that came with a record: only the processor's own counts.
func (p *wafProcessor) removeForged(r plog.LogRecord) {
	if p.alertKey == "" {
		return
	}
	for name := range r.Attributes().All() {
		if isVerdict(name, p.alertKey) {
			r.Attributes().RemoveIf(func(name string, _ pcommon.Value) bool { return isVerdict(name, p.alertKey) })
			return
		}
	}
}

// flush runs the records of a batch through the filter and empties it. After a panic they pass as they are.
func (p *wafProcessor) flush(f *filter.Filter, b *batch) {
	if len(b.records) == 0 {
		return
	}
	defer b.reset()
	defer p.recovered(f, b)
	f.Process(b.chunk, "file."+b.file, &b.outcome) // no tag of the filter's own begins so
	if b.outcome.Changed {
		if err := p.putVerdicts(b); err != nil {
			panic(err)
		}
	}
	for i := range b.outcome.Emits {
		p.addAlert(f, b, &b.outcome.Emits[i])
	}
}

var errUnequal = errors.New("the filter returned other records than it was given")

// putVerdicts writes what the filter has added to records into their attributes.
func (p *wafProcessor) putVerdicts(b *batch) error {
	rest := b.outcome.Data
	for i := range b.records {
		event, more, err := record.Next(rest)
		if err != nil {
			return errUnequal
		}
		rest = more
		if verdict := record.Get(event.Body, p.alertKey); verdict != nil {
			if err := putVerdict(b.records[i].Attributes(), p.alertKey, verdict); err != nil {
				return err
			}
		}
	}
	if len(rest) > 0 {
		return errUnequal
	}
	return nil
}
