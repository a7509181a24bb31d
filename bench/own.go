package main

import (
	"fmt"
	"net/url"
	"runtime"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// sample is a kind of record for which the filter's own work is measured apart from the engine's.
type sample struct {
	name    string
	divisor int // of the number of records measured
	event   func(i uint64) []byte
}

var samples = []sample{
	{"clean GET", 1, func(i uint64) []byte { return event(page(i)) }},
	{"clean form", 1, func(i uint64) []byte { return event(smallForm(i)) }},
	{"attack", 2, func(i uint64) []byte { return event(corpus.Attack(1<<42 + i)) }},
	{"10 kB form", 20, func(i uint64) []byte { return event(form(usualSize)(1<<42 + i)) }},
	{"not HTTP", 1, nameQuery},
}

func event(r corpus.Record) []byte { return r.AppendEvent(nil, 0) }

// page returns a browser's request for page number i.
func page(i uint64) corpus.Record {
	r := corpus.Record{
		Begin: "2024-05-30 07:16:48.000", Method: "GET", Target: fmt.Sprintf("/catalog/item?id=%d&color=blue&page=3", i),
		Host: "shop.example", Status: 200, SrcIP: "203.0.113.7", DstIP: "10.0.0.5", SrcPort: 40_000, DstPort: 80,
		Agent:        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
		ResponseHead: "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 14\r\n\r\n", ResponseBody: "<p>welcome</p>",
	}
	r.RequestHead = fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept: text/html,application/xhtml+xml\r\n"+
		"Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\nCookie: session=%016x; theme=dark\r\n\r\n",
		r.Target, r.Host, r.Agent, i*0x9e3779b97f4a7c15)
	return r
}

func smallForm(i uint64) corpus.Record {
	values := url.Values{"item": {fmt.Sprint(i)}, "quantity": {"2"}, "note": {"please ring twice"}}
	return posted(i, "application/x-www-form-urlencoded", values.Encode())
}

// nameQuery returns a record of a name server's query.
func nameQuery(i uint64) []byte {
	b := []byte{0x92, 0x92, 0xd7, 0x00, 0x66, 0x58, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x80}
	b = msgp.AppendMapHeader(b, 4)
	for _, s := range []string{"L7_PROTOCOL", "dns", "SRC_IP", "10.0.0.9", "DST_IP", "10.0.0.53", "QUERY", fmt.Sprintf("host%d.example", i)} {
		b = msgp.AppendString(b, s)
	}
	return b
}

// cost is what one record takes.
type cost struct {
	time        time.Duration // processor time
	allocations float64
}

func (c cost) cells() (µs, allocations string) {
	return microseconds(c.time), fmt.Sprintf("%.1f", c.allocations)
}

// measure returns the cost of one of n calls of work.
func measure(n int, work func(i int)) cost {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := processorTime()
	for i := range n {
		work(i)
	}
	took := processorTime() - start
	runtime.ReadMemStats(&after)
	return cost{took / time.Duration(n), float64(after.Mallocs-before.Mallocs) / float64(n)}
}

// printOwn prints what chunks of one record cost: reading them, the whole way when the verdict is cached, when the
// prefilter decides, and if the engine evaluates each.
func printOwn(records int) error {
	maps, err := fieldmap.Open("auto")
	if err != nil {
		return err
	}
	fresh := filter.NewHost() // the cache of the shared rules is full of verdicts on attacks by now
	defer fresh.Close()       //nolint:errcheck // it has no rules of filters to come
	var filters []*filter.Filter
	for _, settings := range []setting.Map{{}, {"cache_size": "0"}, {"cache_size": "0", "prefilter": "off"}} {
		f, err := newFilterOf(fresh, settings)
		if err != nil {
			return err
		}
		defer f.Close()
		filters = append(filters, f)
	}
	t := table{{"µs and allocations", "bytes", "walk, map", "allocs", "+ cache hit", "allocs", "records/s", "or + prefilter", "allocs", "or + engine", "allocs"}}
	for i := range samples {
		t.row(samples[i].measure(maps, filters, records)...)
	}
	fmt.Println()
	t.print()
	return nil
}

func (s *sample) measure(maps *fieldmap.Choice, filters []*filter.Filter, records int) []string {
	n := max(records/s.divisor, 5)
	events := make([][]byte, 3*n)
	for i := range events {
		events[i] = s.event(uint64(i))
	}
	var (
		values      fieldmap.Values
		transaction rules.Transaction
		out         filter.Outcome
	)
	read := func(int) {
		if e, _, err := record.Next(events[0]); err == nil && maps.Read(e.Meta, e.Body, &values) != fieldmap.NoMap {
			values.Transaction(&transaction)
		}
	}
	process := func(f *filter.Filter, i int) { f.Process(events[i], "bench", &out) }
	const again = 20 // calls for each record where all are the same
	read(0)
	reading := measure(n*again, read)
	for range again { // the first calls also compile what the rules need
		process(filters[0], 0)
	}
	cached := measure(n*again, func(int) { process(filters[0], 0) })
	for i := range n {
		process(filters[1], i)
	}
	gated := measure(n, func(i int) { process(filters[1], n+i) })
	judged := measure(max(n/10, 2), func(i int) { process(filters[2], 2*n+i) })

	row := []string{s.name, fmt.Sprint(len(events[0]))}
	for i, c := range []cost{reading, cached, gated, judged} {
		µs, allocations := c.cells()
		if row = append(row, µs, allocations); i == 1 {
			row = append(row, fmt.Sprintf("%.0f", float64(time.Second)/float64(max(c.time, 1))))
		}
	}
	return row
}
