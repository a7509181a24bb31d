// Package backtrack matches expressions that RE2 cannot: with look-around, atomic groups, possessive quantifiers and back references.
//
// An expression is read as PCRE reads it for ModSecurity: without UTF mode, with (?sm), one byte of a value after the other. Package
// regexp2 matches it, over runes that stand for bytes: those from 0x80 on become private ones (0xE000 and the byte), which are no
// letters and have no other case, as they have none for PCRE. What PCRE and regexp2 might read in different ways is written out:
// classes become ranges, escapes become characters. What is not known here is an error.
//
// Backtracking can take time and memory without end. A match that takes longer than Patience, or on a value of more than 1 MiB, gives up:
// the answer is then ErrGaveUp, and neither yes nor no.
package backtrack
