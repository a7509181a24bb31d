package model

// passed is the verdict on transactions that are not blocked, and of which nobody asked what matches.
var passed = &Verdict{}

// clean are the verdicts on transactions on which no rule matches that can alert, by the parts of which rules did not see everything.
var clean = func() (all [1 << len(partialNames)]*Verdict) {
	for p := range all {
		all[p] = &Verdict{Partial: Partial(p)}
	}
	return all
}()

// PassVerdict returns the verdict on all transactions that are not blocked, and of which nobody asked what matches.
func PassVerdict() *Verdict { return passed }

// CleanVerdict returns the verdict on all transactions on which no rule matches, of which some parts may be unseen.
func CleanVerdict(unseen Partial) *Verdict { return clean[unseen] }

// SharedVerdicts returns all verdicts that many transactions share.
func SharedVerdicts() []*Verdict { return append([]*Verdict{passed}, clean[:]...) }
