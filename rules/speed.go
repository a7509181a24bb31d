package rules

import (
	"sync/atomic"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/cache"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter"
)

// startCache makes the verdict cache, if the rules allow one and it is given memory.
func (s *Set) startCache(size int64) {
	if r := s.engines.whole.Reads(); size > 0 && r != nil && r.Volatile == "" {
		s.cache = cache.New(size)
	}
}

// Notes explain what makes inspection slow: that there is no prefilter or no verdict cache, and why.
func (s *Set) Notes() []string {
	var notes []string
	if why := s.engines.whole.Unfiltered(); why != "" {
		notes = append(notes, "every transaction runs all rules: "+why)
	}
	if r := s.engines.whole.Reads(); s.cache == nil && s.engines.config.CacheSize > 0 {
		why := "the rules are not understood"
		if r != nil {
			why = r.Volatile
		}
		notes = append(notes, "verdicts are not cached: "+why)
	}
	return notes
}

// Way is how the verdict on a transaction was found.
type Way uint8

// The ways to a verdict, the fastest first.
const (
	Cached      Way = iota // by a cached verdict
	Prefiltered            // certain without running the rules
	Evaluated              // by the engine
)

// Speed counts how verdicts on transactions were found.
type Speed struct {
	Cached      uint64 // cached verdicts
	Prefiltered uint64 // certain without running the rules
	Evaluated   uint64 // by the engine
}

// Speed returns the counters as they stand.
func (s *Set) Speed() Speed {
	return Speed{Cached: s.speed.cached.Load(), Prefiltered: s.speed.prefiltered.Load(), Evaluated: s.speed.evaluated.Load()}
}

type speed struct{ cached, prefiltered, evaluated atomic.Uint64 }

// PrefilterReport returns for every rule that can alert how the prefilter proves that it does not match. It is empty when there is no prefilter.
func (s *Set) PrefilterReport() []prefilter.Rule { return s.engines.whole.Report() }
