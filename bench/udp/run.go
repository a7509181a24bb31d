package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/bench/fluentbit"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// setup is a pipeline: an input, with or without the filter, and an output that counts.
type setup struct {
	name, input string
	more        string // properties of the input
	filter      bool
}

// result is what has come of a run.
type result struct {
	sent, delivered int           // messages
	kernel          int           // datagrams that the kernel has dropped
	cpu             time.Duration // of Fluent Bit
	took            time.Duration // from the first message until Fluent Bit was done
	rate, reached   int           // messages a second that were to be sent, and that were
}

func (r result) lost() int { return r.sent - r.delivered }

// taken returns how many messages a second were delivered.
func (r result) taken() int { return int(float64(r.delivered) / r.took.Seconds()) }

// short reports whether the sender could not send as fast as it was to.
func (r result) short() bool { return r.reached < r.rate*9/10 }

// loss tells what was lost, in percent, and at which rate when the sender did not reach the one asked for.
func (r result) loss() string {
	text := "no loss"
	if r.lost() > 0 {
		text = fmt.Sprintf("%.2f %% lost", 100*float64(r.lost())/float64(r.sent))
	}
	if r.short() {
		text += " at " + grouped(r.reached)
	}
	return text
}

func (r result) microseconds() float64 {
	return float64(r.cpu.Microseconds()) / float64(max(r.delivered, 1))
}

// median is the run in the middle by loss, and by time where the losses are the same, with the CPU time in the middle.
func median(all []result) result {
	slices.SortFunc(all, func(a, b result) int {
		return cmp.Or(cmp.Compare(a.lost(), b.lost()), cmp.Compare(a.took, b.took))
	})
	m := all[len(all)/2]
	slices.SortFunc(all, func(a, b result) int { return cmp.Compare(a.microseconds(), b.microseconds()) })
	m.cpu = time.Duration(all[len(all)/2].microseconds() * float64(m.delivered) * 1000)
	return m
}

// run starts a pipeline, sends to it, and waits for what arrives at its end.
func (p *plan) run(s setup, t *traffic, rate int) (r result, err error) {
	fb, port, err := p.start(s)
	if err != nil {
		return r, err
	}
	defer fb.Stop()
	earlier := 0
	if t.before != nil {
		if earlier, err = p.warmUp(fb, port, t.before); err != nil {
			return r, err
		}
	}
	before, begin := fb.CPU(), time.Now()
	if r.sent, err = t.send(port, rate, p.length); err != nil {
		return r, err
	}
	r.rate, r.reached = rate, int(float64(r.sent)/time.Since(begin).Seconds())
	end, err := fb.Rest()
	if err != nil {
		return r, err
	}
	r.took = end.Sub(begin)
	if r.delivered, err = fb.Settled(earlier + r.sent); err != nil {
		return r, err
	}
	r.delivered -= earlier
	r.cpu = fb.CPU() - before
	r.kernel = kernelDrops(port)
	if p.verbose {
		fmt.Fprintf(os.Stderr, "%s, %s, %d a second (%d): sent %d, delivered %d, dropped by the kernel %d, %.1f µs\n", s.name, kilo(t.size), rate, r.reached, r.sent,
			r.delivered, r.kernel, r.microseconds())
	}
	return r, nil
}

// warmUp sends what comes before, at a rate that every pipeline takes, and returns how many messages have arrived.
func (p *plan) warmUp(fb *fluentbit.Process, port int, t *traffic) (int, error) {
	sent, err := t.send(port, 2_000, p.length)
	if err != nil {
		return 0, err
	}
	return fb.Settled(sent)
}

// start runs the pipeline of a set-up and returns it with the port of its input.
func (p *plan) start(s setup) (fb *fluentbit.Process, port int, err error) {
	if port, err = loopback.FreePort(); err != nil {
		return nil, 0, err
	}
	if fb, err = fluentbit.Start(p.Path, fluentbit.Config{Pipeline: p.pipeline(s, port), Args: []string{"-e", p.Plugin}}); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", s.name, err)
	}
	return fb, port, nil
}

func (p *plan) pipeline(s setup, port int) string {
	input := fmt.Sprintf("\n    - name: nano\n      tag: nano\n      listen_on: udp://127.0.0.1:%d%s", port, s.more)
	if s.input == "udp" {
		input = fmt.Sprintf("\n    - name: udp\n      tag: nano\n      listen: 127.0.0.1\n      port: %d\n      format: json\n      chunk_size: 64%s",
			port, s.more)
	}
	filters := " []"
	if s.filter {
		filters = p.Filter("inspect_budget: off")
	}
	return fmt.Sprintf("  inputs:%s\n  filters:%s\n  outputs:\n    - name: 'null'\n      match: '*'\n", input, filters)
}

// kernelDrops adds up what the kernel has dropped at the sockets of a port.
func kernelDrops(port int) (n int) {
	table, err := os.ReadFile("/proc/self/net/udp")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(table)) {
		columns := strings.Fields(line)
		if len(columns) > 12 && strings.HasSuffix(columns[1], fmt.Sprintf(":%04X", port)) {
			drops, err := strconv.Atoi(columns[12])
			if err == nil {
				n += drops
			}
		}
	}
	return n
}

func kilo(size int) string { return fmt.Sprintf("%d kB", size/1000) }

// grouped writes a number with commas.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
