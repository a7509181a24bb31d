package prefilter

// Exempt are rules that an engine omits which shares the prefilter of the whole rule set: what the prefilter finds of them is no
// reason to evaluate. It is immutable.
type Exempt struct {
	direct []bool // by place in Prefilter.direct
	ids    map[int]bool
	relied bool // without one of the rules, others run or read what the prefilter does not expect
}

// Exempt returns the exemption of rules by their ids. These must be rules that can alert: others may have effects on which the
// prefilter's conclusions rest.
func (g *Prefilter) Exempt(ids []int) *Exempt {
	x := &Exempt{direct: make([]bool, len(g.direct)), ids: map[int]bool{}}
	for _, id := range ids {
		x.ids[id] = true
		x.relied = x.relied || g.counted[id] || g.writers[id]
	}
	for i, c := range g.direct {
		x.direct[i] = x.ids[c.id]
	}
	return x
}

func (x *Exempt) hasDirect(place int) bool { return x != nil && x.direct[place] }

// Has reports whether a rule is exempt. A nil Exempt has none.
func (x *Exempt) Has(id int) bool { return x != nil && x.ids[id] }
