package main

import (
	"fmt"
	"os"
	"runtime/pprof"
	"slices"
)

// profiledRecords is how many records the profile is over, of large ones a part.
const profiledRecords = 20_000

// profileSet writes a profile of the processor time that the filter takes for the records of a set.
func profileSet(file, name string) (err error) {
	at := slices.IndexFunc(recordSets, func(s recordSet) bool { return s.name == name })
	if at < 0 {
		return fmt.Errorf("no set of records is named %q", name)
	}
	us, err := newOurs()
	if err != nil {
		return err
	}
	if err := warmUp(entrant{"this filter", us}); err != nil {
		return err
	}
	set := &recordSets[at]
	records := set.records(1<<44, profiledRecords/set.divisor)
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
