package regex

import "sync/atomic"

// Union decides in one pass over a value that none of several expressions has a match. It is safe for concurrent use.
type Union struct {
	dfa  LazyDFA
	read atomic.Int64 // bytes of all values
}

// bytesPerFill is how many bytes of values a union has to be asked about for each time that its memory was full. Making so many states takes
// some 30 ms, which are 2 ns a byte then.
const bytesPerFill = 16 << 20

// Union returns the union of the expressions of lazy DFAs of the budget.
func (b *Budget) Union(members []*LazyDFA) *Union {
	u := &Union{dfa: LazyDFA{budget: b}}
	for _, a := range members {
		u.dfa.patterns = append(u.dfa.patterns, a.patterns...)
	}
	return u
}

// CanMatch reports whether the value can have a match of one of the expressions; false is certain. A union has more states than its
// expressions: when values have filled its memory, it rests until it has been asked about enough others.
func (u *Union) CanMatch(value string) bool {
	if u.read.Add(int64(len(value))) < u.dfa.filled.Load()*bytesPerFill {
		return true
	}
	_, found := u.dfa.scan(value)
	return found != no
}
