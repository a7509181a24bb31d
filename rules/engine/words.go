package engine

import (
	"strings"

	corazavariables "github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/load"
)

// operatorNames are the operators of Coraza that can be compiled, as it spells them.
var operatorNames = []string{
	"beginsWith", "contains", "detectSQLi", "detectXSS", "endsWith", "eq", "ge", "gt", "ipMatch", "ipMatchFromDataset",
	"ipMatchFromFile", "ipMatchF", "le", "lt", "noMatch", "pm", "pmFromDataset", "pmFromFile", "pmf", "restpath", "rx", "streq",
	"strmatch", "unconditionalMatch", "validateByteRange", "validateNid", "validateSchema", "validateUrlEncoding",
	"validateUtf8Encoding", "within",
}

// NewVocabulary returns the operators and variables that programs can use: Coraza's, and the operators of the project.
func NewVocabulary() load.Vocabulary {
	v := load.Vocabulary{Operators: map[string]string{}, Variable: knownVariable}
	for _, name := range operatorNames {
		v.Operators[strings.ToLower(name)] = name
	}
	for name := range ownOperators {
		v.Operators[strings.ToLower(name)] = name
	}
	return v
}

// knownVariable reports whether Coraza has a variable, and whether that has keys.
func knownVariable(name string) (hasKeys, known bool) {
	v, err := corazavariables.Parse(name)
	return err == nil && v.CanBeSelected(), err == nil
}
