package main

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"os"
	"runtime"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// serveReplica processes the next events of each set that its input names, until the input ends. It is what ablate starts.
func serveReplica(settings []string) error {
	start := processorTime()
	others := setting.Map{"rule_packs": "lateral-movement,sensitive-data"}
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		maps.Copy(others, setting.Map{name: value})
	}
	f, err := newFilter(others)
	if err != nil {
		return err
	}
	defer f.Close()
	ready := processorTime() - start
	next := make([]uint64, len(ablationSets))
	for set := range ablationSets {
		if _, _, err := process(f, set, &next[set], warmTurns*ablationSets[set].size); err != nil {
			return err
		}
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	fmt.Println(int64(ready), m.HeapAlloc)
	for {
		var set int
		switch _, err := fmt.Fscanln(os.Stdin, &set); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		took, made, err := process(f, set, &next[set], ablationSets[set].size)
		if err != nil {
			return err
		}
		fmt.Println(took, made)
	}
}

// warmTurns is how many turns a replica processes before its time counts.
const warmTurns = 10

// process returns how long the filter takes for the next n events of a set, in nanoseconds of processor time, and a hash of what it makes.
func process(f *filter.Filter, set int, next *uint64, n int) (took int64, made uint64, err error) {
	var chunks [][]byte
	for i := range n {
		if i%perChunk == 0 {
			chunks = append(chunks, nil)
		}
		last := &chunks[len(chunks)-1]
		*last = append(*last, ablationSets[set].event(*next)...)
		*next++
	}
	hash := fnv.New64a()
	var out filter.Outcome
	before := f.Counts()
	for _, chunk := range chunks {
		start := processorTime()
		f.Process(chunk, "bench", &out)
		took += int64(processorTime() - start)
		hash.Write(out.Data)
	}
	after := f.Counts()
	if http := after.Clean + after.Alerts - before.Clean - before.Alerts; http != uint64(n) {
		return 0, 0, fmt.Errorf("%s: %d of %d records were inspected: %s", ablationSets[set].name, http, n, after)
	}
	_, _ = fmt.Fprintf(hash, "%d", after.Alerts-before.Alerts) // a hash takes everything
	return took, hash.Sum64(), nil
}
