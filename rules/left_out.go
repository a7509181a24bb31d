package rules

// LeftOut is a detection rule that says nothing of records which do not tell some parts of a transaction.
type LeftOut struct {
	Loaded
	Needs Parts  // what it needs of the unknown parts
	Why   string // what it would do without them
}

// LeftOut returns the detection rules that do not run for records of which parts are unknown, because they would take what is
// not logged for something that was not sent.
func (s *Set) LeftOut(unknown Parts) (found []LeftOut) {
	needs := needsByID(s.engines.needs)
	for _, l := range s.List() {
		if n := needs[l.ID]; n != nil && n.parts&unknown != 0 {
			found = append(found, LeftOut{l, n.parts & unknown, n.why(unknown)})
		}
	}
	return found
}

// Idle returns the detection rules that never match when parts are absent from all records, because they look at nothing else.
// For records that are no HTTP transactions they do not run either.
func (s *Set) Idle(absent Parts) (found []Loaded) {
	needs := needsByID(s.engines.needs)
	for _, l := range s.List() {
		if n := needs[l.ID]; n != nil && n.idle(absent) {
			found = append(found, l)
		}
	}
	return found
}
