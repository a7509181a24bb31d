package rules

import (
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/gate"
)

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
