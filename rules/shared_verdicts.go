package rules

// passVerdict is that of transactions that are not blocked, and of which nobody asked what matches.
var passVerdict Verdict

// cleanVerdicts are those of transactions on which no rule matches that can alert, by the parts of which rules did not see everything.
var cleanVerdicts [1 << len(partialNames)]Verdict

// sharedVerdicts are all verdicts that many transactions share.
var sharedVerdicts [1 + len(cleanVerdicts)]*Verdict

func init() {
	sharedVerdicts[0] = &passVerdict
	for p := range cleanVerdicts {
		cleanVerdicts[p].Partial = Partial(p)
		sharedVerdicts[1+p] = &cleanVerdicts[p]
	}
}

// cleanAsFarAs returns the verdict on a transaction on which no rule matches, of which some parts may be unseen.
func cleanAsFarAs(p Partial) *Verdict { return &cleanVerdicts[p] }
