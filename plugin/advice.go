package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/fluentbit"
	"github.com/fluent-bit-waf/fluent-bit-waf/plugin/host"
)

// advice explains what is wrong with the names of properties. The host checks names before it calls a plugin, and offers no function
// that lists the properties of an instance; so the file that it was started with is read. Without one there is no advice, and what the
// host says has to do.
type advice struct {
	mu       sync.Mutex
	misuses  []fluentbit.Misuse
	awaiting map[fluentbit.Kind]int // instances that the host has not opened: it may be about to refuse their properties
}

var advisor advice

// prepare reads the host's configuration, and has the process end with what is wrong with it.
func (a *advice) prepare() {
	defer func() { _ = recover() }() // nothing but advice is lost
	arguments, err := os.ReadFile("/proc/self/cmdline")
	if err != nil {
		return
	}
	c, err := fluentbit.Read(configPath(strings.Split(string(bytes.TrimRight(arguments, "\x00")), "\x00")))
	if err != nil {
		return // the host says why
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.misuses, a.awaiting = c.Misuses(), map[fluentbit.Kind]int{}
	for s := range c.All() {
		if name := s.Name(); name == "waf" || name == "nano" {
			a.awaiting[runsAs(s.Kind)]++
		}
	}
	a.leave()
}

// opened notes that the host has accepted the properties of an instance. It logs what is wrong with the others when hosts of this
// version accept every name.
func (a *advice) opened(kind fluentbit.Kind, log filter.Logger) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.awaiting == nil { // no file was read
		return
	}
	if a.awaiting[kind]--; a.awaiting[kind] > 0 {
		return
	}
	unchecked := kind != fluentbit.Filter && !host.ChecksProxyProperties()
	a.misuses = slices.DeleteFunc(a.misuses, func(m fluentbit.Misuse) bool {
		if runsAs(m.Section.Kind) != kind {
			return false
		}
		if unchecked {
			log(filter.LevelWarn, m.String())
		}
		return true
	})
	a.leave()
}

// leave gives the C side what to print at the end.
func (a *advice) leave() {
	var lines strings.Builder
	for _, m := range a.misuses {
		lines.WriteString("[waf] " + printable(m.String()) + "\n")
	}
	host.Advise(lines.String())
}

// runsAs returns the kind of plugin that the host opens for a section.
func runsAs(kind fluentbit.Kind) fluentbit.Kind {
	if kind == fluentbit.Processor {
		return fluentbit.Filter
	}
	return kind
}

// configPath returns the configuration that a command line of Fluent Bit names, "" when it names none.
func configPath(arguments []string) string {
	for i, argument := range arguments {
		for _, name := range []string{"-c", "--config"} {
			if argument == name && i+1 < len(arguments) {
				return arguments[i+1]
			}
		}
		if path, is := strings.CutPrefix(argument, "--config="); is {
			return path
		}
	}
	return ""
}
