package rules

import (
	"cmp"
	"slices"
	"time"
)

// Profile is where the time of a profiled set has gone. All times are by the clock, added up over all goroutines.
type Profile struct {
	Speed
	Prefilter time.Duration // asking the prefilter
	Engine    time.Duration // transactions that the engine evaluated
	Rules     []RuleTime    // of all rules of the set, the slowest first
}

// RuleTime is what one rule has cost.
type RuleTime struct {
	Loaded
	Time   time.Duration // in all runs, those of chained rules with it
	Runs   uint64        // how often the engine has evaluated the rule
	Spared uint64        // transactions for which the prefilter spared the engine this rule
}

// Profile returns what is known so far, nil unless the set was opened with Config.Profile.
func (s *Set) Profile() *Profile {
	e := s.engines.whole
	if !e.Profiled() {
		return nil
	}
	all := &Profile{Speed: s.Speed()}
	all.Prefilter, all.Engine = e.Times()
	for _, loaded := range s.List() {
		took, runs, spared := e.RuleTimes(loaded.ID)
		all.Rules = append(all.Rules, RuleTime{Loaded: loaded, Time: took, Runs: runs, Spared: spared + s.engines.spared(loaded.ID)})
	}
	slices.SortStableFunc(all.Rules, func(a, b RuleTime) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(b.Runs, a.Runs))
	})
	return all
}

// spared returns for how many transactions the prefilter has spared the engine all rules, among them this one.
func (es *engines) spared(id int) (n uint64) {
	es.mu.Lock()
	defer es.mu.Unlock()
	for _, e := range es.made {
		n += e.Spared(id)
	}
	return n
}
