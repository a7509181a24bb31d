// Package arena is memory for the texts that are made of one transaction, such as decoded arguments. Texts are appended to one buffer, so
// that a clean transaction allocates nothing, and all of them are given up at once. It is a leaf: what variables and transformations need
// for texts is here, and nothing about rules.
package arena
