// Package coverage derives from the text of rules which parts of a transaction each needs. A rule that takes the absence of a part for an
// attack must not run on records whose source does not log that part: unknown is not empty. Rules that look at nothing but absent parts
// never match, and are reported as idle.
package coverage
