package rules

// cleanVerdict is that of every transaction on which no rule matches that can alert. passVerdict is that of transactions that
// are not blocked, and of which nobody asked what matches.
var cleanVerdict, passVerdict Verdict

// partialVerdicts are those of transactions on which no rule matches, and of which some parts may be unseen.
var partialVerdicts [1 << len(partialNames)]Verdict

// sharedVerdicts are all verdicts that many transactions share.
var sharedVerdicts [2 + len(partialVerdicts)]*Verdict

func init() {
	sharedVerdicts[0], sharedVerdicts[1] = &cleanVerdict, &passVerdict
	for p := range partialVerdicts {
		partialVerdicts[p].Partial = Partial(p)
		sharedVerdicts[2+p] = &partialVerdicts[p]
	}
}

// cleanAsFarAs returns the verdict on a transaction on which no rule matches, of which some parts may be unseen.
func cleanAsFarAs(p Partial) *Verdict {
	if p == 0 {
		return &cleanVerdict
	}
	return &partialVerdicts[p]
}
