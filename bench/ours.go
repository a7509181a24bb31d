package main

import (
	"fmt"
	"maps"
	"runtime"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// perChunk is how many records come in one chunk, as from a file that is read.
const perChunk = 100

// ours is the filter on chunks of msgpack: the whole way from bytes to bytes.
type ours struct {
	filter *filter.Filter
	out    filter.Outcome
	before func() error // runs when the records are ready, nil when nothing is to be done
}

// host has what filters of the bench share.
var host = filter.NewHost()

// newFilter returns a filter with the settings of the corpus's site and others. It says errors only: that the prefilter is off is no news.
func newFilter(others setting.Map) (*filter.Filter, error) { return newFilterOf(host, others) }

func newFilterOf(host *filter.Host, others setting.Map) (*filter.Filter, error) {
	settings := setting.Map{"inspect_budget": "off", "rule_packs": "off"} // the rules that the others have, too
	maps.Copy(settings, corpus.Settings)
	maps.Copy(settings, others)
	return filter.NewNamed("", host, settings, func(level filter.Level, line string) {
		if level < filter.LevelWarn {
			fmt.Println(line)
		}
	})
}

func newOurs() (*ours, error) {
	f, err := newFilter(nil)
	return &ours{filter: f}, err
}

func (o *ours) run(records []corpus.Record) (result, error) {
	var chunks [][]byte
	for i := range records {
		if i%perChunk == 0 {
			chunks = append(chunks, nil)
		}
		last := &chunks[len(chunks)-1]
		*last = records[i].AppendEvent(*last, 0)
	}
	before := o.filter.Counts()
	runtime.GC()
	if o.before != nil {
		if err := o.before(); err != nil {
			return result{}, err
		}
	}
	start := processorTime()
	for _, chunk := range chunks {
		o.filter.Process(chunk, "bench", &o.out)
	}
	took := processorTime() - start
	after := o.filter.Counts()
	if http := after.Clean + after.Alerts - before.Clean - before.Alerts; http != uint64(len(records)) {
		return result{}, fmt.Errorf("%d of %d records were inspected: %s", http, len(records), after)
	}
	return result{took: took, alerts: int(after.Alerts - before.Alerts)}, nil
}
