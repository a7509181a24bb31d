package seclang

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/backtrack"
)

// Matches reports whether the operator can match a value that stands for something unknown: "" or a number. An operator that
// is not understood can match everything.
func (o *Operator) Matches(value string) bool {
	matched, sure := o.test(value)
	return !sure || matched != o.Negated
}

// test returns whether the operator, negation apart, matches a value, and whether that is sure.
func (o *Operator) test(value string) (matched, sure bool) {
	number, _ := strconv.Atoi(value) // a text counts as 0, as it does for the engine
	limit, _ := strconv.Atoi(o.Argument)
	if strings.Contains(o.Argument, "%{") {
		return o.testMacro(number)
	}
	switch strings.ToLower(o.Name) {
	case "rx":
		return o.testExpression(value)
	case "eq":
		return number == limit, true
	case "ge":
		return number >= limit, true
	case "gt":
		return number > limit, true
	case "le":
		return number <= limit, true
	case "lt":
		return number < limit, true
	case "streq":
		return value == o.Argument, true
	case "contains", "beginswith", "endswith", "containsword":
		return value == o.Argument || o.Argument == "", true
	case "within":
		return strings.Contains(o.Argument, value), true
	case "unconditionalmatch":
		return true, true
	case "nomatch", "pm", "pmf", "pmfromfile", "detectsqli", "detectxss", "ipmatch", "ipmatchf", "ipmatchfromfile",
		"validatebyterange", "validateurlencoding", "validateutf8encoding", "verifycc", "verifyssn", "verifycpf", "verifysvnr", "cardnumber",
		"nationalid", "distinctemails", "distinctphones":
		return false, true
	}
	return false, false
}

func (o *Operator) testExpression(value string) (matched, sure bool) {
	expression, err := regexp.Compile("(?s)" + o.Argument)
	if err == nil {
		return expression.MatchString(value), true
	}
	other, err := backtrack.Compile(o.Argument)
	if err != nil {
		return false, false
	}
	matched, err = other.Match(value)
	return matched, err == nil
}

// testMacro tests an operator whose argument is only known when a transaction is inspected. Limits are positive.
func (o *Operator) testMacro(number int) (matched, sure bool) {
	switch strings.ToLower(o.Name) {
	case "gt", "ge":
		return false, number == 0
	case "lt", "le":
		return true, number == 0
	}
	return false, false
}

// Grows reports whether a match of a number stays a match when the number grows.
func (o *Operator) Grows() bool {
	switch strings.ToLower(o.Name) {
	case "gt", "ge":
		return !o.Negated
	case "lt", "le":
		return o.Negated
	case "eq":
		return o.Negated && o.Argument == "0"
	}
	return false
}
