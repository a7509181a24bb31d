// Command proxy measures what a WAF in the request path costs: requests a second, the time that requests take, and processor time for each,
// through a reverse proxy without a WAF, wafctl proxy, the first proxy with Coraza's handler, and nginx with libmodsecurity. All have the
// same rules, the same backend and the same requests, over loopback and in turn. Each runs on one core, and load and backend on another.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// plan is what is measured with.
type plan struct {
	runs        int
	length      time.Duration // of one run
	connections int
	html        bool
	wafctl      string
	only        string
	verbose     bool
}

func main() {
	var p plan
	flag.IntVar(&p.runs, "runs", 5, "runs of which the median is printed")
	flag.DurationVar(&p.length, "length", 3*time.Second, "how long one run sends")
	flag.IntVar(&p.connections, "connections", 16, "connections that send")
	flag.BoolVar(&p.html, "html", false, "the backend answers with HTML, which all engines inspect, instead of JSON")
	flag.StringVar(&p.wafctl, "wafctl", "build/out/wafctl", "the program wafctl")
	flag.StringVar(&p.only, "only", "", "contestants, with commas")
	flag.BoolVar(&p.verbose, "v", false, "print each run")
	serve := flag.String("serve", "", "run as a contestant: plain or coraza")
	listen := flag.String("listen", "", "where the contestant listens")
	backend := flag.String("backend", "", "the contestant's backend")
	flag.Parse()
	err := serveOrMeasure(&p, *serve, *listen, *backend)
	if err != nil {
		fmt.Fprintln(os.Stderr, "proxy:", err)
		os.Exit(1)
	}
}

func serveOrMeasure(p *plan, serve, listen, backend string) error {
	if serve != "" {
		return serveAs(serve, listen, backend)
	}
	if os.Getenv("BENCH_PINNED") == "" && runtime.NumCPU() > 1 {
		return pinned()
	}
	return p.measure()
}

// pinned runs the program again on the second core, which load and backend share.
func pinned() error {
	command := exec.Command("taskset", append([]string{"-c", "1", os.Args[0]}, os.Args[1:]...)...)
	command.Env = append(os.Environ(), "BENCH_PINNED=1")
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	return command.Run()
}

// traffics are the kinds of requests.
var traffics = []struct{ name, title string }{{"clean", "clean, all different"}, {"attacks", "attacks"}}

func (p *plan) measure() error {
	b, err := startBackend(p.html)
	if err != nil {
		return err
	}
	defer b.Close()
	all, err := p.start(b.Addr().String())
	defer func() {
		for _, c := range all {
			c.stop()
		}
	}()
	if err != nil {
		return err
	}
	for _, t := range traffics {
		if err := p.compare(all, t.name, t.title); err != nil {
			return err
		}
	}
	return nil
}

// compare has all contestants take turns with one kind of requests, and prints their medians.
func (p *plan) compare(all []*contestant, kind, title string) error {
	results := make([][]result, len(all))
	for run := -1; run < p.runs; run++ { // the first is for warming up
		requests := makeRequests(kind, uint64(run+2), 40_000)
		for i, c := range all {
			r, err := c.run(requests, p.connections, p.length)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if p.verbose {
				fmt.Fprintf(os.Stderr, "%s, %s: %s\n", title, c.name, r)
			}
			if run >= 0 {
				results[i] = append(results[i], r)
			}
		}
	}
	fmt.Printf("| %s | requests/s | p50 | p99 | CPU per request | blocked | requests/s, compared | CPU, compared |\n|---|---|---|---|---|---|---|---|\n", title)
	ours := 0
	medians := make([]result, len(all))
	for i, c := range all {
		if medians[i] = median(results[i]); c.name == oursName {
			ours = i
		}
	}
	for i, c := range all {
		m := medians[i]
		fmt.Printf("| %s | %.0f | %s | %s | %.0f µs | %.1f %% | %.2f × | %.2f × |\n", c.title, m.rate(), milliseconds(m.quantile(0.5)), milliseconds(m.quantile(0.99)),
			m.cpuEach(), 100*float64(m.blocked)/float64(m.requests), medians[ours].rate()/m.rate(), m.cpuEach()/medians[ours].cpuEach())
	}
	fmt.Println()
	return nil
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

// median is the run in the middle by processor time for a request, which others on the machine disturb least, with the rate in the middle.
func median(all []result) result {
	slices.SortFunc(all, func(a, b result) int { return int(1000 * (a.cpuEach() - b.cpuEach())) })
	return all[len(all)/2]
}

func (p *plan) wants(name string) bool {
	return p.only == "" || slices.Contains(strings.Split(p.only, ","), name)
}
