package rules

import (
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/gate"
)

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

// partialNames are the parts in the order of their bits, in the words in which alerts tell what was inspected.
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

// partialOfCut returns the parts that the prefilter has read as far as the engine would.
func partialOfCut(c gate.Cut) (p Partial) {
	if c.Arguments {
		p |= PartialArguments
	}
	if c.RequestBody {
		p |= PartialBody
	}
	if c.ResponseBody {
		p |= PartialResponse
	}
	return p
}

// partialOf returns what the engine has not read of a transaction that it has judged.
func partialOf(tx types.Transaction) (p Partial) {
	state, can := tx.(plugintypes.TransactionState)
	if !can {
		return 0
	}
	v := state.Variables()
	if v.ArgumentsLimitReached().Get() == "1" {
		p |= PartialArguments
	}
	if v.InboundDataError().Get() == "1" || v.RequestBodyError().Get() == "1" {
		p |= PartialBody
	}
	if v.OutboundDataError().Get() == "1" {
		p |= PartialResponse
	}
	if givenUp(state) > 0 {
		p |= PartialRules
	}
	return p
}
