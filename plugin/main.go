// Command plugin is out_waf.so: the filter waf, the output waf and the input nano of Fluent Bit in one shared object.
// Its Go exports find the instance, view the input, call package filter, copy the result and translate the error.
// Package host has the C side: what Fluent Bit looks up, and everything that has to happen before Go may be entered.
//
// The object is also installed as flb-filter_waf.so, a link, because Fluent Bit chooses by file name how it loads an
// object.
package main

// #cgo CFLAGS: -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -fvisibility=hidden -I${SRCDIR}/host
// #include "exports.h"
import "C"

// main is what c-shared asks for and never calls.
func main() {}
