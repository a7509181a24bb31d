package model

// Partial is a set of parts of a transaction that were logged, and of which rules did not see everything: a bound of the record's
// reading or a limit of the engine was reached, or the engine could not read a body to its end. It is zero for nearly all.
type Partial uint8

// The parts that can be inspected in part.
const (
	PartialHeaders Partial = 1 << iota
	PartialArguments
	PartialBody
	PartialResponse
	PartialRules // not a part, but rules: an expression gave up on a value
)

// partialNames are the parts in the order of their bits, in the words that alerts use.
var partialNames = [...]string{"headers", "arguments", "body", "response", "rules"}

// Names returns the parts, nil when there are none.
func (p Partial) Names() (names []string) {
	for i, name := range partialNames {
		if p&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}
