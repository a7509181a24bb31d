// Command plugin is out_waf.so, the filter waf and the output waf of Fluent Bit in one shared object. It is also installed as
// flb-filter_waf.so, a link, because Fluent Bit chooses by file name how it loads an object.
//
// C (the .c files) holds what the host looks up and everything that has to happen before Go may be entered; each Go function
// that C calls finds the instance, views the input, calls package filter, copies the result and translates the error.
package main

// #cgo CFLAGS: -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -fvisibility=hidden
// #cgo LDFLAGS: -ldl
import "C"

// main is what c-shared asks for and never calls.
func main() {}
