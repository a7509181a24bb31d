// Package corazalink reaches the parts of Coraza that have no public interface: transformations, operators, actions and body processors
// by name, and the rules of a WAF as Coraza has compiled them.
//
// All go:linknames of the project are in linknames.go, and all reads of Coraza's private fields in rules.go. A Coraza that names a
// function differently does not link; one that names a field differently makes Compiled return an error, so that whoever relies on the
// rules does without them. The tests compare each declaration with the source of the pinned version, and fail with both.
//
// Importing the package changes nothing in Coraza.
package corazalink
