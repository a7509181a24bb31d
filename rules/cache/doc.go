// Package cache is a verdict cache of bounded size, keyed by a hash of all that rules look at in a transaction. Its slots lie beside Go's
// heap, so that a large cache does not slow garbage collection down. It knows verdicts only; what identifies a transaction is up to its user.
package cache
