// Package variables computes the variables of a transaction as Coraza does: request line, headers, cookies, arguments, bodies and response.
// sources.go lists the variables that it knows; what is not on the list is an unsupported construct for the prefilter. Where it is not
// certain that Coraza has the same values, it says so, and the engine evaluates the transaction.
package variables
