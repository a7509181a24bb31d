package rules

import (
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/coverage"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

// LeftOut is a detection rule that does not run for records without some parts of a transaction.
type LeftOut struct {
	Loaded
	Needs model.Parts // what it needs of the unknown parts
	Why   string      // what it would do without them
}

// LeftOut returns the detection rules that do not run for records of which parts are unknown, because they would take what is
// not logged for something that was not sent.
func (s *Set) LeftOut(unknown model.Parts) (found []LeftOut) {
	needs := coverage.ByID(s.engines.needs)
	for _, l := range s.List() {
		if n := needs[l.ID]; n != nil && n.Parts&unknown != 0 {
			found = append(found, LeftOut{l, n.Parts & unknown, n.Why(unknown)})
		}
	}
	return found
}

// Idle returns the detection rules that never match when parts are absent from all records, because they look at nothing else.
// For records that are no HTTP transactions they do not run either.
func (s *Set) Idle(absent model.Parts) (found []Loaded) {
	needs := coverage.ByID(s.engines.needs)
	for _, l := range s.List() {
		if n := needs[l.ID]; n != nil && n.Idle(absent) {
			found = append(found, l)
		}
	}
	return found
}
