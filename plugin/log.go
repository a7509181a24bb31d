package main

// #include <stdlib.h>
// #include "host.h"
import "C"

import (
	"strings"
	"unsafe"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
)

// logger returns the Logger of an instance of waf.
func logger(kind, name string) filter.Logger { return pluginLogger(kind, "waf", name) }

// pluginLogger returns a Logger that writes "[kind:plugin:name] line" as Fluent Bit's own plugins do, one log line for each line.
func pluginLogger(kind, plugin, name string) filter.Logger {
	prefix := "[" + kind + ":" + plugin + ":" + name + "] "
	return func(level filter.Level, text string) {
		for line := range strings.Lines(text) {
			c := C.CString(prefix + strings.TrimRight(line, "\n"))
			C.waf_log(C.int(level), c)
			C.free(unsafe.Pointer(c))
		}
	}
}
