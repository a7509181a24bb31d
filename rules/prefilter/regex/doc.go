// Package regex decides expressions in one pass over a value with a lazy DFA, and derives the literal set that every match of an expression
// contains. Both are exact or careful: the DFA gives the answer of package regexp, and a literal set that is not certain is none. The memory
// of all DFAs of a rule set is bounded together.
package regex
