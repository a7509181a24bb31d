package main

import (
	"os"
	"runtime/pprof"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// profiledRecords is how many different records the profile is over.
const profiledRecords = 20_000

// profileClean writes a profile of the processor time that the filter takes for clean records that all differ.
func profileClean(file string) (err error) {
	us, err := newOurs()
	if err != nil {
		return err
	}
	if err := warmUp(entrant{"this filter", us}); err != nil {
		return err
	}
	records := make([]corpus.Record, profiledRecords)
	for i := range records {
		records[i] = corpus.Clean(1<<44 + uint64(i))
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := out.Close(); err == nil {
			err = closeErr
		}
	}()
	us.before = func() error { return pprof.StartCPUProfile(out) }
	_, err = us.run(records)
	pprof.StopCPUProfile()
	return err
}
