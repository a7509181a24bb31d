package load

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// settleDatasets names lists of SecDataset after their content. Coraza caches what operators make of a list by its name alone, and must not
// take the list of another rule set, or the words of an @pm, for it.
func (p *Program) settleDatasets(all []Unit) {
	names := map[string]string{} // as Coraza sees them, by those in the text; of two with one name the last counts
	for i := range all {
		u := &all[i]
		if len(u.Directives) == 0 {
			continue
		}
		if u.Directives[0].Is("SecDataset") {
			u.Directives = []seclang.Directive{namedByContent(&u.Directives[0], names)}
			continue
		}
		for k := range u.Rules {
			r := &u.Rules[k]
			if name := names[r.Operator.Argument]; name != "" && IsOfDataset(r.Operator.Name) {
				u.rewrite(k, r.WithArgument(name))
			}
		}
	}
}

// namedByContent returns a list under its new name, which it notes.
func namedByContent(d *seclang.Directive, names map[string]string) seclang.Directive {
	name, rest, complete := strings.Cut(d.Args, " ")
	if !complete {
		return *d // for the parser to complain about
	}
	rows := strings.Join(d.Rows()[1:], "\n")
	sum := sha256.Sum256([]byte(rows))
	names[name] = name + datasetMark + hex.EncodeToString(sum[:8])
	return seclang.NewDirective(d.File, d.Line, d.Name+" "+names[name]+" "+rest+"\n"+rows)
}

// datasetMark separates the name of a list from the hash of its content.
const datasetMark = "#"

// IsOfDataset reports whether an operator takes its words from a SecDataset.
func IsOfDataset(operator string) bool {
	return strings.HasSuffix(strings.ToLower(operator), "fromdataset")
}

// WrittenArgument returns the argument of an operator as it stands in the text.
func WrittenArgument(o *seclang.Operator) string {
	if IsOfDataset(o.Name) {
		name, _, _ := strings.Cut(o.Argument, datasetMark)
		return name
	}
	return o.Argument
}
