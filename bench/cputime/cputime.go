// Package cputime reads how much processor time other processes have used. The measurements of Fluent Bit and of the OpenTelemetry
// Collector compare these times, because the clock also counts what else runs on the machine. It works on Linux.
package cputime

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Of returns the processor time that all threads of a process have used so far.
func Of(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:])) // the name may have spaces and parentheses
	const user, system, hertz = 11, 12, 100                                             // USER_HZ is 100 on every platform of Go's
	if len(fields) <= system {
		return 0, fmt.Errorf("/proc/%d/stat: %d fields after the name, expected more than %d", pid, len(fields), system)
	}
	ticks := 0
	for _, at := range []int{user, system} {
		n, err := strconv.Atoi(fields[at])
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / hertz, nil
}
