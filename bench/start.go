package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// holders are what a process of its own holds while its memory is measured.
var holders = []struct{ name, title string }{
	{"nothing", "nothing"},
	{"filter", "this filter"},
	{"filters", "8 of this filter, same rules"},
	{"coraza", "Coraza"},
	{"prefilter", "Coraza, prefilter"},
}

// held are the figures of a process that holds rules.
type held struct {
	ready                time.Duration // processor time until the rules are loaded
	heap, resident, peak int64         // bytes
}

// hold makes one of the holders, has it inspect records, and prints its figures for the process that asked.
func hold(name string, records int) error {
	start := processorTime()
	entrants, err := makeHolder(name)
	if err != nil {
		return err
	}
	ready := processorTime() - start
	for i, e := range entrants {
		n := records
		if _, fast := e.(*ours); fast {
			n *= 10
		}
		if _, err := e.run(recordSets[0].records(uint64(i*n), n)); err != nil {
			return err
		}
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	fmt.Println(int64(ready), m.HeapAlloc, statusBytes("VmRSS"), statusBytes("VmHWM"))
	runtime.KeepAlive(entrants)
	return nil
}

func makeHolder(name string) (entrants []contestant, err error) {
	add := func(c contestant, failure error) {
		entrants = append(entrants, c)
		if err == nil {
			err = failure
		}
	}
	switch name {
	case "nothing":
	case "filter":
		add(newOurs())
	case "filters":
		for range 8 {
			add(newOurs())
		}
	case "coraza", "prefilter":
		add(newStock(name == "prefilter"))
	default:
		err = fmt.Errorf("unknown holder %q", name)
	}
	return entrants, err
}

// statusBytes returns a figure of /proc/self/status in bytes, 0 where there is none.
func statusBytes(name string) int64 {
	kilobytes, err := strconv.ParseInt(strings.TrimSuffix(lineOf("/proc/self/status", name), " kB"), 10, 64)
	if err != nil {
		return 0
	}
	return kilobytes << 10
}

// printStart prints how long rules take to load and what memory a process with them needs.
func printStart(entrants []entrant, records int) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	t := table{{"start and memory", "rules ready, ms", "live heap, MB", "resident, MB", "peak, MB"}}
	for _, h := range holders {
		command := exec.Command(program, "-hold", h.name, "-records", fmt.Sprint(records))
		command.Stderr = os.Stderr
		text, err := command.Output()
		if err != nil {
			return fmt.Errorf("memory of %s: %w", h.title, err)
		}
		var f held
		if _, err := fmt.Sscan(string(text), (*int64)(&f.ready), &f.heap, &f.resident, &f.peak); err != nil {
			return fmt.Errorf("memory of %s: %w", h.title, err)
		}
		t.row(h.title, fmt.Sprint(f.ready.Milliseconds()), megabytes(f.heap), megabytes(f.resident), megabytes(f.peak))
	}
	for _, e := range entrants {
		if m, is := e.contestant.(*modSecurity); is {
			t.row(e.name, fmt.Sprint(m.ready.Milliseconds()), "", megabytes(m.resident), "")
		}
	}
	fmt.Println()
	t.print()
	return nil
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f", float64(n)/1e6) }
