// Command otel measures how many records a second an OpenTelemetry Collector reads from an access log of nginx, and what a record
// costs in processor time, with and without the processor waf. Pipelines of file_log and nop, and of file_log, waf and nop, take turns. Run it with "make
// bench-otel".
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/bench/fluentbit"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// plan is what is measured with.
type plan struct {
	collector     string
	records, runs int
}

func main() {
	var p plan
	flag.StringVar(&p.collector, "collector", "build/work/otelcol/otelcol-waf", "path of the collector")
	flag.IntVar(&p.records, "records", 200_000, "records of a run")
	flag.IntVar(&p.runs, "runs", 5, "runs of each, of which the median is shown")
	flag.Parse()
	if flag.NArg() > 0 || p.records < 1000 || p.runs < 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := p.run(); err != nil {
		fmt.Fprintln(os.Stderr, "otel:", err)
		os.Exit(1)
	}
}

// result is what a run took.
type result struct {
	rate float64       // records a second
	cost time.Duration // processor time of a record
}

func (p *plan) run() error {
	fmt.Printf("%s, %d cores; medians of %d runs of %d lines of nginx\n\n", runtime.GOARCH, runtime.NumCPU(), p.runs, p.records)
	fmt.Println("| records | file_log → nop | file_log → waf → nop | |")
	fmt.Println("|---|---|---|---|")
	for _, t := range []struct {
		name   string
		record func(uint64) corpus.Record
	}{{"clean, repeated", fluentbit.Repeated}, {"clean, all different", fluentbit.Unique}, {"mixed, 0.1 % attacks", fluentbit.Mixed}} {
		bare, inspected, err := p.compare(t.record)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %.0f a second, %.1f µs | %.0f a second, %.1f µs | %.0f %% |\n", t.name, bare.rate, micros(bare.cost), inspected.rate,
			micros(inspected.cost), 100*inspected.rate/bare.rate)
	}
	return nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// compare returns the medians of both pipelines.
func (p *plan) compare(record func(uint64) corpus.Record) (bare, inspected result, err error) {
	dir, err := os.MkdirTemp("", "waf-bench-")
	if err != nil {
		return bare, inspected, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // left to the system
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	before := p.records / 10
	if err := writeLines(first, record, p.records, before); err != nil {
		return bare, inspected, err
	}
	if err := writeLines(second, record, 0, p.records); err != nil {
		return bare, inspected, err
	}
	var results [2][]result
	for range p.runs {
		for i, processor := range [...]bool{false, true} {
			r, err := p.measure(first, second, before, processor)
			if err != nil {
				return bare, inspected, err
			}
			results[i] = append(results[i], r)
		}
	}
	return median(results[0]), median(results[1]), nil
}

// median returns the medians of rates and costs, each by itself.
func median(all []result) (m result) {
	rates, costs := make([]float64, len(all)), make([]time.Duration, len(all))
	for i, r := range all {
		rates[i], costs[i] = r.rate, r.cost
	}
	slices.Sort(rates)
	slices.Sort(costs)
	return result{rates[len(rates)/2], costs[len(costs)/2]}
}

// measure has a new collector read a file. Another one goes before, so that the file is read by a pipeline that runs.
func (p *plan) measure(first, second string, before int, processor bool) (r result, err error) {
	c, err := start(p.collector, processor)
	if err != nil {
		return r, err
	}
	defer c.stop()
	if err := c.read(first, before); err != nil {
		return r, err
	}
	used, begin := c.used(), time.Now()
	if err := c.read(second, before+p.records); err != nil {
		return r, err
	}
	took, used := time.Since(begin), c.used()-used
	return result{float64(p.records) / took.Seconds(), used / time.Duration(p.records)}, c.err
}
