package main

import (
	"os"
	"runtime/debug"

	"github.com/fluent-bit-waf/fluent-bit-waf/plugin/host"
)

// gcPercent is how much garbage may gather before it is collected, in percent of what is in use. Clean records leave next to
// none behind, so a smaller heap than Go's default costs little, and the collector shares its node with the services. While rules
// are loaded it is less: what stays of them lies between what does not, and the more of that there is, the more pages it keeps in
// memory for good.
const gcPercent, gcPercentLoading = 20, 10

func init() { setGCPercent(gcPercent) }

// setGCPercent leaves the choice to $GOGC where that is set.
func setGCPercent(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// beginLoading is called before rules are loaded, and what it returns behind that: it gives what loading has used back to the
// system.
func beginLoading() (end func()) {
	setGCPercent(gcPercentLoading)
	return func() {
		setGCPercent(gcPercent)
		debug.FreeOSMemory()
		host.ReleasePages()
	}
}
