package engine

import (
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// giveRaw gives rules a body as it was logged, under the name of a TX variable.
func giveRaw(tx types.Transaction, name, body string, headers []model.Header) {
	if state, can := tx.(plugintypes.TransactionState); can && body != "" && model.HasText(model.ContentType(headers)) {
		state.Variables().TX().Set(name, []string{body})
	}
}

// shown returns the name of a variable as alerts show it: bodies as they were logged are bodies.
func shown(variable, key string) string {
	switch {
	case variable == "TX" && key == seclang.RawRequestBody:
		return "REQUEST_BODY"
	case variable == "TX" && key == seclang.RawResponseBody:
		return "RESPONSE_BODY"
	case key == "":
		return variable
	}
	return variable + ":" + key
}
