package rules

import "slices"

// passVerdict is that of transactions that are not blocked, and of which nobody asked what matches.
var passVerdict Verdict

// matchVerdict stands for verdicts with matches that are remembered for single clients.
var matchVerdict Verdict

// cleanVerdicts are those of transactions on which no rule matches that can alert, by the parts of which rules did not see everything.
var cleanVerdicts [1 << len(partialNames)]Verdict

// sharedVerdicts are all verdicts that many transactions share.
var sharedVerdicts = func() (all [2 + len(cleanVerdicts)]*Verdict) {
	all[0], all[1] = &passVerdict, &matchVerdict
	for p := range cleanVerdicts {
		cleanVerdicts[p].Partial = Partial(p)
		all[2+p] = &cleanVerdicts[p]
	}
	return all
}()

func (v *Verdict) isShared() bool { return slices.Contains(sharedVerdicts[:], v) }

// cleanAsFarAs returns the verdict on a transaction on which no rule matches, of which some parts may be unseen.
func cleanAsFarAs(p Partial) *Verdict { return &cleanVerdicts[p] }
