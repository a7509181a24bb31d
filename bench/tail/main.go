// Command tail measures how many records a second go through a real Fluent Bit from a file, with and without the
// filter. The same file goes through tail and null, and the two pipelines take turns. Run it with "make bench-tail".
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
	*fluentbit.Setup
	records, runs int
	input         string // a property of tail
}

func main() {
	p := plan{Setup: fluentbit.Flags()}
	flag.IntVar(&p.records, "records", 100_000, "records of a run")
	flag.IntVar(&p.runs, "runs", 5, "runs of each, of which the median is printed")
	flag.StringVar(&p.input, "tail", "", "a property of tail, as in 'threaded: on'")
	flag.Parse()
	if flag.NArg() > 0 || p.records < 1000 || p.runs < 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := p.run(); err != nil {
		fmt.Fprintln(os.Stderr, "tail:", err)
		os.Exit(1)
	}
}

func (p *plan) run() error {
	version, err := p.Find()
	if err != nil {
		return err
	}
	fmt.Printf("%s, %s, %d cores; %d runs of %d records\n\n", version, runtime.GOARCH, runtime.NumCPU(), p.runs, p.records)
	fmt.Println("| clean records | tail → null | tail → waf → null | | goal |")
	fmt.Println("|---|---|---|---|---|")
	for _, t := range []struct {
		name   string
		record func(uint64) corpus.Record
		goal   string
	}{{"repeated", fluentbit.Repeated, "90 %"}, {"all different", fluentbit.Unique, "50 %"}} {
		without, with, share, err := p.compare(t.record)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %.0f a second | %.0f a second | %.0f %% | %s |\n", t.name, without, with, 100*share, t.goal)
	}
	return nil
}

// compare returns the medians of both pipelines in records a second, and the median of their ratios.
func (p *plan) compare(record func(uint64) corpus.Record) (without, with, share float64, err error) {
	var rates [3][]float64
	for range p.runs {
		bare, err := p.rate(record, false)
		if err != nil {
			return 0, 0, 0, err
		}
		filtered, err := p.rate(record, true)
		if err != nil {
			return 0, 0, 0, err
		}
		for i, value := range [...]float64{bare, filtered, filtered / bare} {
			rates[i] = append(rates[i], value)
		}
	}
	for _, values := range rates {
		slices.Sort(values)
	}
	return rates[0][p.runs/2], rates[1][p.runs/2], rates[2][p.runs/2], nil
}

// rate has a new Fluent Bit read a file and returns how many records a second arrive. Another one goes before, so that the file
// is read by a pipeline that runs.
func (p *plan) rate(record func(uint64) corpus.Record, filter bool) (float64, error) {
	r, err := p.start(filter)
	if err != nil {
		return 0, err
	}
	defer r.Stop()
	before := p.records / 10
	if err := fluentbit.WriteRecords(filepath.Join(r.Dir, "before.jsonl"), record, p.records, before); err != nil {
		return 0, err
	}
	if err := r.Await(before); err != nil {
		return 0, err
	}
	file := filepath.Join(r.Dir, "records.jsonl")
	if err := fluentbit.WriteRecords(file, record, 0, p.records); err != nil {
		return 0, err
	}
	begin, err := reading(r, file)
	if err != nil {
		return 0, err
	}
	// A tail with a thread of its own has read the file long before the records have gone through the filter.
	end, err := r.Rest()
	if err != nil {
		return 0, err
	}
	return float64(p.records) / end.Sub(begin).Seconds(), r.Await(before + p.records)
}

// reading waits until the process has read a file, and returns when it began. It looks seldom once the process has begun: that takes
// a part of the processors that are measured.
func reading(r *fluentbit.Process, file string) (begin time.Time, err error) {
	size, err := os.Stat(file)
	if err != nil {
		return begin, err
	}
	descriptor := ""
	for end := time.Now().Add(fluentbit.Patience); descriptor == ""; time.Sleep(time.Millisecond) {
		if descriptor, err = r.Descriptor(file); err != nil {
			return begin, err
		}
		if time.Now().After(end) {
			return begin, fmt.Errorf("%s was not opened within %v", file, fluentbit.Patience)
		}
	}
	begin = time.Now()
	for at := int64(0); at < size.Size(); time.Sleep(10 * time.Millisecond) {
		if at, err = r.Position(descriptor); err != nil {
			return begin, err
		}
		if time.Since(begin) > fluentbit.Patience {
			return begin, fmt.Errorf("%s was not read within %v", file, fluentbit.Patience)
		}
	}
	return begin, nil
}

func (p *plan) start(filter bool) (*fluentbit.Process, error) {
	filters := " []"
	if filter {
		filters = p.Filter("inspect_budget: off")
	}
	input := ""
	if p.input != "" {
		input = "      " + p.input + "\n"
	}
	text := "  inputs:\n    - name: tail\n      path: DIR/*.jsonl\n      parser: lines\n      refresh_interval: 1\n      read_from_head: on\n" +
		input + "  filters:" + filters + "\n  outputs:\n    - name: 'null'\n      match: '*'\n"
	c := fluentbit.Config{Pipeline: text, Sections: "parsers:\n  - name: lines\n    format: json\n"}
	if filter {
		c.Args = []string{"-e", p.Plugin}
	}
	return fluentbit.Start(p.Path, c)
}
