package main

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// printCores prints how much sooner a chunk of attacks is done with all cores than with one, by the clock on the wall.
// It takes the fastest of several runs: others take cores away, but never give any.
func printCores(runs, records int) error {
	f, err := newFilter(setting.Map{"cache_size": "0"})
	if err != nil {
		return err
	}
	defer f.Close()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var chunk []byte
	for i := range records {
		chunk = append(chunk, event(corpus.Attack(1<<43+uint64(i)))...)
	}
	cores := runtime.NumCPU()
	var one, all []time.Duration
	for range runs {
		first, took := timeOn(1, f, chunk)
		one = append(one, took)
		second, took := timeOn(cores, f, chunk)
		all = append(all, took)
		if !bytes.Equal(first, second) {
			return errors.New("a chunk comes out differently on several cores")
		}
	}
	fmt.Printf("\nchunk of %d attacks, one core %s ms, %d cores %s ms: %s (goal 1.7 ×), results the same and in order\n", records,
		milliseconds(slices.Min(one)), cores, milliseconds(slices.Min(all)), times(float64(slices.Min(one))/float64(slices.Min(all))))
	return nil
}

func timeOn(cores int, f *filter.Filter, chunk []byte) (changed []byte, took time.Duration) {
	runtime.GOMAXPROCS(cores)
	runtime.GC()
	var out filter.Outcome
	start := time.Now()
	f.Process(chunk, "bench", &out)
	return out.Data, time.Since(start)
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.0f", float64(d)/float64(time.Millisecond))
}
