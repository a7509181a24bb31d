// Package ascii compares texts without regard to the case of ASCII letters, byte by byte and without allocations. Multi-pattern matchers,
// transformations and arenas share its table. Letters beyond ASCII are left alone; who needs them folded uses package strings.
package ascii
