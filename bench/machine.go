package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// printMachine prints what the figures depend on.
func printMachine(entrants []entrant) {
	fmt.Printf("%s, %d cores, load %s; %s %s/%s\n", lineOf("/proc/cpuinfo", "model name"), runtime.NumCPU(), load(),
		runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Printf("Coraza %s, Core Rule Set %s, paranoia 1, all phases", module("github.com/corazawaf/coraza/v3"),
		module("github.com/corazawaf/coraza-coreruleset/v4"))
	for _, e := range entrants {
		if m, is := e.contestant.(*modSecurity); is {
			fmt.Printf(", %s", m.version)
		}
	}
	fmt.Print("\nprocessor time on one core, medians\n\n")
}

// module returns the version of a module that is built in.
func module(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == path {
				return d.Version
			}
		}
	}
	return "of unknown version"
}

// lineOf returns the value of the first line of a file that starts with a name, "unknown" when there is none.
func lineOf(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// load returns the mean number of programs that wanted a core in the last minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
