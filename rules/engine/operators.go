package engine

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/corazawaf/coraza/v3/experimental/plugins"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/regex"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/sensitive"
)

// ownOperators are the operators that Coraza lacks: those with which ModSecurity checks digits, and ours for the packs. All look
// at the value alone.
var ownOperators = map[string]func(argument string) (sensitive.Finder, error){
	// ModSecurity's: the argument is an expression, and what it finds must have the right check digits.
	"verifyCC":   checked(sensitive.Luhn),
	"verifySSN":  checked(isNationalID("us", "%s%s%s-%s%s-%s%s%s%s")),
	"verifyCPF":  checked(isNationalID("br", "")),
	"verifySVNR": checked(isNationalID("at", "")),

	"cardNumber":    newCardFinder,
	"nationalID":    newNationalIDFinder,
	"emailDump":     counting(sensitive.EmailDump),
	"phoneDump":     counting(sensitive.PhoneDump),
	"secret":        newSecretFinder,
	"strayToken":    newTokenFinder,
	"commandOutput": accepted(sensitive.Unprompted),
}

func init() {
	for name, create := range ownOperators {
		plugins.RegisterOperator(name, func(o plugintypes.OperatorOptions) (plugintypes.Operator, error) {
			find, err := create(o.Arguments)
			if err != nil {
				return nil, fmt.Errorf("operator @%s: %w", name, err)
			}
			f := &finderOperator{find: find}
			if n, _ := requirementsOf(name, o.Arguments); n.Expression != "" {
				_, expressions, _ := makersOf(o)
				f.dfa = expressions.LazyDFA(n.Expression)
			}
			return f, nil
		})
	}
}

// finderOperator matches where a finder finds something, which it captures as TX:0.
type finderOperator struct {
	find sensitive.Finder
	dfa  *regex.LazyDFA // of an expression without a match of which it finds nothing, or nil
}

// Evaluate implements plugintypes.Operator.
func (f *finderOperator) Evaluate(tx plugintypes.TransactionState, value string) bool {
	if f.dfa != nil {
		if _, can := f.dfa.Locate(value); !can {
			return false
		}
	}
	start, end := f.find(value)
	if start < 0 {
		return false
	}
	if tx.Capturing() {
		tx.CaptureField(0, value[start:end])
	}
	return true
}

// checked makes finders of what an expression finds and a check accepts; the first group of the expression with a value is what is checked.
func checked(accept func(string) bool) func(string) (sensitive.Finder, error) {
	return accepted(func(text string, start, end int) bool { return accept(text[start:end]) })
}

// accepted is checked for checks that look at the text around as well.
func accepted(accept sensitive.Accept) func(string) (sensitive.Finder, error) {
	return func(argument string) (sensitive.Finder, error) {
		expression, err := regexp.Compile(argument)
		if err != nil {
			return nil, err
		}
		return func(text string) (start, end int) {
			for _, at := range expression.FindAllStringSubmatchIndex(text, -1) {
				if start, end = firstGroup(at); accept(text, start, end) {
					return start, end
				}
			}
			return -1, -1
		}, nil
	}
}

// firstGroup returns where the first group with a value starts and ends, and the whole match without one.
func firstGroup(at []int) (start, end int) {
	for i := 2; i < len(at); i += 2 {
		if at[i] >= 0 {
			return at[i], at[i+1]
		}
	}
	return at[0], at[1]
}

// isNationalID accepts texts whose digits are an id of a country, written in a layout of single digits or, without one, as they
// follow each other.
func isNationalID(country, layout string) func(string) bool {
	find, _ := sensitive.NationalID(country)
	return func(text string) bool {
		var digits []any
		for i := range len(text) {
			if c := text[i]; '0' <= c && c <= '9' {
				digits = append(digits, string(c))
			}
		}
		plain := fmt.Sprint(digits...)
		if layout != "" {
			if strings.Count(layout, "%s") != len(digits) {
				return false
			}
			plain = fmt.Sprintf(layout, digits...)
		}
		start, end := find(plain)
		return start == 0 && end == len(plain)
	}
}

func newCardFinder(argument string) (sensitive.Finder, error) {
	kind, count, _ := strings.Cut(argument, " ")
	switch {
	case kind == "labeled" && count == "":
		return sensitive.LabeledCard, nil
	case kind == "any" && count == "":
		return sensitive.BareCard, nil
	case kind == "list":
		return counting(sensitive.CardList)(count)
	}
	return nil, fmt.Errorf("unknown argument %q (want labeled, any, or list and a number)", argument)
}

// newNationalIDFinder reads a country and, perhaps, an expression that finds texts that may be ids.
func newNationalIDFinder(argument string) (sensitive.Finder, error) {
	country, expression, _ := strings.Cut(argument, " ")
	find, known := sensitive.NationalID(country)
	if !known {
		return nil, fmt.Errorf("unknown country %q (want %s)", country, strings.Join(sensitive.Countries(), ", "))
	}
	if expression == "" {
		return find, nil
	}
	return accepted(func(text string, start, end int) bool {
		at, _ := find(text[start:end])
		return at >= 0 && !sensitive.IsExample(text, start)
	})(expression)
}

// newSecretFinder reads a kind of secret and an expression that finds texts that may be one.
func newSecretFinder(argument string) (sensitive.Finder, error) {
	kind, expression, _ := strings.Cut(argument, " ")
	accept, known := sensitive.Secrets[kind]
	if !known || expression == "" {
		return nil, fmt.Errorf("unknown argument %q (want %s, and an expression)", argument, setting.Choice(slices.Sorted(maps.Keys(sensitive.Secrets))))
	}
	return accepted(accept)(expression)
}

func newTokenFinder(argument string) (sensitive.Finder, error) {
	if argument != "" {
		return nil, fmt.Errorf("unknown argument %q (want none)", argument)
	}
	return sensitive.StrayToken, nil
}

// counting makes finders that take the least number of findings.
func counting(finder func(least int) sensitive.Finder) func(string) (sensitive.Finder, error) {
	return func(argument string) (sensitive.Finder, error) {
		least, err := setting.ParseInt(argument, 1, sensitive.MaxDistinct)
		if err != nil {
			return nil, err
		}
		return finder(least), nil
	}
}

// requirementsOf returns what every value has on which one of our operators matches. ok is false for operators that are not ours.
func requirementsOf(operator, argument string) (n prefilter.Requirements, ok bool) {
	for name := range ownOperators {
		if !strings.EqualFold(name, operator) {
			continue
		}
		switch {
		case strings.HasPrefix(name, "verify"):
			n.Expression = argument
		case name == "strayToken":
			n.Expression = sensitive.WebToken
		case name == "commandOutput":
			n.Expression = argument
		case name == "secret":
			_, n.Expression, _ = strings.Cut(argument, " ")
		case name == "nationalID":
			var country string
			country, n.Expression, _ = strings.Cut(argument, " ")
			n.Digits = sensitive.NationalDigits(country)
		case name == "cardNumber":
			n.Digits = sensitive.CardDigits
		case name == "phoneDump":
			n.Digits = sensitive.PhoneDigits
		}
		return n, true
	}
	return n, false
}
