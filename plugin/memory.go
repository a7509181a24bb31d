package main

// #include "host.h"
import "C"

import (
	"os"
	"runtime/debug"
)

// gcPercent is how much garbage may gather before it is collected, in percent of what is in use. Clean records leave next to
// none behind, so a smaller heap than Go's default costs little, and the collector shares its node with the services.
const gcPercent = 50

func init() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// releaseMemory gives what loading rules has used back to the system.
func releaseMemory() {
	debug.FreeOSMemory()
	releasePages()
}

// releasePages takes the pages of this object's file out of the resident memory, and returns their size in bytes.
func releasePages() int { return int(C.waf_release_pages()) }
