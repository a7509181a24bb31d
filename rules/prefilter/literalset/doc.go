// Package literalset finds which of many literals a value contains, whatever their case, in one pass. A literal set belongs to a test: every
// value that the test matches contains at least one of its texts, so the multi-pattern matcher must never miss one. What it finds too much
// costs time only.
package literalset
