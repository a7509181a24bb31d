//go:build waf_fault

package main

// fault panics on chunks with certain tags, for the tests of what happens then. It is not part of normal builds.
func fault(tag string) {
	switch tag {
	case "fault.panic":
		panic("asked for by the tag")
	case "fault.nil":
		var nothing *[1 << 20]byte
		nothing[len(tag)]++
	}
}
