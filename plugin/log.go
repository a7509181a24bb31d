package main

import (
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/visible"
	"github.com/fluent-bit-waf/fluent-bit-waf/plugin/host"
)

// logger returns the Logger of an instance of waf.
func logger(kind, name string) filter.Logger { return pluginLogger(kind, "waf", name) }

// pluginLogger returns a Logger that writes "[kind:plugin:name] line" as Fluent Bit's own plugins do, one log line for each line.
func pluginLogger(kind, plugin, name string) filter.Logger {
	prefix := "[" + kind + ":" + plugin + ":" + name + "] "
	return func(level filter.Level, text string) {
		for line := range strings.Lines(text) {
			host.Log(int(level), prefix+printable(strings.TrimRight(line, "\n")))
		}
	}
}

// printable puts spaces in the place of control characters, and of what is no UTF-8: a line may quote a record.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if visible.IsControl(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, line)
}

// running counts what the host has opened and not closed, of all kinds.
var running atomic.Int32

// closed is to be deferred by what ends an instance. A host that ends stops its log thread without reading what is still on
// the way to it, so the last one waits a moment for its own last lines.
func closed() {
	if running.Add(-1) == 0 {
		time.Sleep(50 * time.Millisecond)
	}
}
