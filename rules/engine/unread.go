package engine

import (
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

// partialOf returns what the engine has not read of a transaction that it has evaluated.
func partialOf(tx types.Transaction) (p model.Partial) {
	state, can := tx.(plugintypes.TransactionState)
	if !can {
		return 0
	}
	v := state.Variables()
	if v.ArgumentsLimitReached().Get() == "1" {
		p |= model.PartialArguments
	}
	if v.InboundDataError().Get() == "1" || v.RequestBodyError().Get() == "1" {
		p |= model.PartialBody
	}
	if v.OutboundDataError().Get() == "1" {
		p |= model.PartialResponse
	}
	if givenUp(state) > 0 {
		p |= model.PartialRules
	}
	return p
}
