// Package engine compiles a program with Coraza and runs it on transactions. It asks the prefilter before it runs rules, and turns what
// Coraza matches into verdicts and explanations. Together with the prefilter it is the only importer of Coraza below rules/; the operators
// that Coraza lacks, or that are made lazily here, are registered under separate names.
package engine
