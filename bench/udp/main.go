// Command udp measures, against a real Fluent Bit, how many datagrams a second Fluent Bit's own input udp and the input nano take
// before the first is lost, what a record costs, what the filter leaves of the rate, and what becomes of bursts. Everything runs on this
// machine, the sender included, so the figures are those of a machine that does both. The two inputs take turns.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/bench/fluentbit"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// plan is what is measured with.
type plan struct {
	*fluentbit.Setup
	runs    int
	length  time.Duration // of one run
	parts   []string
	sizes   []int
	verbose bool
}

func main() {
	p := plan{Setup: fluentbit.Flags()}
	flag.IntVar(&p.runs, "runs", 3, "runs of which the median is printed")
	flag.DurationVar(&p.length, "length", 3*time.Second, "for how long one run sends")
	flag.BoolVar(&p.verbose, "v", false, "print each run")
	parts := flag.String("parts", "rates,cost,filter,bursts,gelf", "what to measure")
	sizes := flag.String("sizes", "1000,4000,60000", "sizes of records in bytes, for rates and cost")
	flag.Parse()
	p.parts = strings.Split(*parts, ",")
	for _, size := range strings.Split(*sizes, ",") {
		bytes, err := strconv.Atoi(size)
		if err != nil {
			fmt.Fprintf(os.Stderr, "udp: malformed size %q (want bytes, several with commas)\n", size)
			os.Exit(2)
		}
		p.sizes = append(p.sizes, bytes)
	}
	if err := p.measure(); err != nil {
		fmt.Fprintln(os.Stderr, "udp:", err)
		os.Exit(1)
	}
}

func (p *plan) measure() error {
	version, err := p.Find()
	if err != nil {
		return err
	}
	fmt.Printf("%s, %s, %d cores, sender included; medians of %d runs of %s\n\n", version, runtime.GOARCH, runtime.NumCPU(), p.runs, p.length)
	measures := map[string]func() error{"rates": p.rates, "cost": p.cost, "filter": p.filter, "bursts": p.bursts, "gelf": p.compressed}
	for _, name := range p.parts {
		measure, known := measures[name]
		if !known {
			return fmt.Errorf("unknown part %q (want rates, cost, filter, bursts or gelf)", name)
		}
		if err := measure(); err != nil {
			return err
		}
	}
	return nil
}

// set-ups that are compared.
var (
	inUDP    = setup{name: "in_udp", input: "udp"}
	udpMany  = setup{name: "in_udp, 2 workers", input: "udp", more: "\n      workers: 2"} // from Fluent Bit 5.1 on
	nano     = setup{name: "nano", input: "nano"}
	nanoOff  = setup{name: "nano, threaded off", input: "nano", more: "\n      threaded: off"}
	udpWAF   = setup{name: "in_udp + waf", input: "udp", filter: true}
	manyWAF  = setup{name: "in_udp, 2 workers + waf", input: "udp", filter: true, more: udpMany.more}
	nanoWAF  = setup{name: "nano + waf", input: "nano", filter: true}
	nanoGELF = setup{name: "nano", input: "nano"}
)

// rates looks for the rate at which in_udp begins to lose, and for what nano does at multiples of it.
func (p *plan) rates() error {
	fmt.Println("Rates, datagrams per second")
	fmt.Println()
	fmt.Println("| size | in_udp loses from | with 2 workers | nano loses from | nano at 4 times in_udp's | threaded off | nano + waf at 2 times | in_udp + waf at 2 times | with 2 workers |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|")
	for _, size := range p.sizes {
		traffic, err := repeated(size)
		if err != nil {
			return err
		}
		onset, err := p.onset(inUDP, traffic, max(500, 4_000_000/(size+1_000)))
		if err != nil {
			return err
		}
		many, err := p.onset(udpMany, traffic, onset)
		if err != nil {
			return err
		}
		own, err := p.onset(nano, traffic, 2*onset)
		if err != nil {
			return err
		}
		line := fmt.Sprintf("| %s | %s | %s | %s |", kilo(size), grouped(onset), grouped(many), grouped(own))
		for _, s := range []struct {
			setup
			times int
		}{{nano, 4}, {nanoOff, 4}, {nanoWAF, 2}, {udpWAF, 2}, {manyWAF, 2}} {
			r, err := p.median(s.setup, traffic, onset*s.times)
			if err != nil {
				return err
			}
			line += " " + r.loss() + " |"
		}
		fmt.Println(line)
	}
	fmt.Println()
	return nil
}

// onset climbs from a rate until one loses more than one datagram in a thousand, twice in a row, or the sender is at its end.
func (p *plan) onset(s setup, t *traffic, rate int) (int, error) {
	for ; ; rate = rate * 5 / 4 {
		lossy := 0
		for range 2 {
			r, err := p.run(s, t, rate)
			if err != nil {
				return 0, err
			}
			if r.lost() <= r.sent/1000 {
				if r.short() {
					return r.reached, nil
				}
				break
			}
			lossy++
		}
		if lossy == 2 {
			return rate, nil
		}
	}
}

// cost compares what a record costs at a rate that both inputs take.
func (p *plan) cost() error {
	fmt.Println("CPU time of Fluent Bit by record, at a rate that loses nothing, in microseconds")
	fmt.Println()
	fmt.Println("| size | rate | in_udp | with 2 workers | nano | nano, threaded off | in_udp + waf | with 2 workers | nano + waf |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|")
	for _, size := range p.sizes {
		rate := 30_000_000 / (size + 3_000) // that all set-ups take
		traffic, err := repeated(size)
		if err != nil {
			return err
		}
		line := fmt.Sprintf("| %s | %s |", kilo(size), grouped(rate))
		results, err := p.alternate([]setup{inUDP, udpMany, nano, nanoOff, udpWAF, manyWAF, nanoWAF}, traffic, rate)
		if err != nil {
			return err
		}
		for _, r := range results {
			line += fmt.Sprintf(" %.1f |", r.microseconds())
		}
		fmt.Println(line)
	}
	fmt.Println()
	return nil
}

// flood is a rate of which in_udp takes only a part, in datagrams a second.
const flood = 60_000

// filter compares how many records a second the inputs take with and without the filter, while more come than in_udp can take.
func (p *plan) filter() error {
	fmt.Printf("Records per second of %s\n\n", grouped(flood))
	fmt.Println("| clean records | in_udp | in_udp + waf | | nano | nano + waf | | goal |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	for _, set := range []struct {
		name   string
		record func(uint64) corpus.Record
		goal   string
	}{{"repeated", fluentbit.Repeated, "90 %"}, {"all different", fluentbit.Unique, "50 %"}} {
		n := int(flood * p.length.Seconds())
		traffic := records(set.record, 0, n)
		traffic.before = records(set.record, n, n/10)
		results, err := p.alternate([]setup{inUDP, udpWAF, nano, nanoWAF}, traffic, flood)
		if err != nil {
			return err
		}
		line := "| " + set.name
		for i := 0; i < len(results); i += 2 {
			without, with := results[i].taken(), results[i+1].taken()
			line += fmt.Sprintf(" | %s | %s | %d %%", grouped(without), grouped(with), 100*with/without)
		}
		fmt.Println(line + " | " + set.goal + " |")
	}
	fmt.Println()
	return nil
}

// burst is how many datagrams are sent as fast as they can be.
const burst = 100_000

func (p *plan) bursts() error {
	fmt.Printf("Bursts of %s datagrams, as fast as the sender can\n\n", grouped(burst))
	fmt.Println("| size | in_udp | with 2 workers | nano | nano, queue_limit 512M | the same, receive_buffer 64M |")
	fmt.Println("|---|---|---|---|---|---|")
	patient := setup{name: "nano, queue_limit 512M", input: "nano", more: "\n      queue_limit: 512M"}
	large := setup{name: "nano, queue_limit 512M, receive_buffer 64M", input: "nano", more: patient.more + "\n      receive_buffer: 64M"}
	for _, size := range []int{1_000, 4_000} {
		traffic, err := repeated(size)
		if err != nil {
			return err
		}
		traffic.total = burst
		results, err := p.alternate([]setup{inUDP, udpMany, nano, patient, large}, traffic, 0)
		if err != nil {
			return err
		}
		line := "| " + kilo(size) + " |"
		for _, r := range results {
			line += " " + r.loss() + " |"
		}
		fmt.Println(line)
	}
	fmt.Println()
	return nil
}

// compressed sends GELF messages, compressed and in chunks, which in_udp cannot read.
func (p *plan) compressed() error {
	traffic, err := gelf(60_000, 4)
	if err != nil {
		return err
	}
	fmt.Printf("GELF messages of 60 kB, gzip, in %d chunks each (in_udp reads neither)\n\n", traffic.parts)
	fmt.Println("| messages per second | nano | CPU per message, µs |")
	fmt.Println("|---|---|---|")
	for _, rate := range []int{500, 1_000, 2_000} {
		r, err := p.median(nanoGELF, traffic, rate)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %s | %.0f |\n", grouped(rate), r.loss(), r.microseconds())
	}
	return nil
}

// alternate runs the set-ups in turn and returns the median of each.
func (p *plan) alternate(all []setup, t *traffic, rate int) ([]result, error) {
	runs := make([][]result, len(all))
	for range p.runs {
		for n, s := range all {
			r, err := p.run(s, t, rate)
			if err != nil {
				return nil, err
			}
			runs[n] = append(runs[n], r)
		}
	}
	medians := make([]result, len(all))
	for n := range all {
		medians[n] = median(runs[n])
	}
	return medians, nil
}

func (p *plan) median(s setup, t *traffic, rate int) (result, error) {
	all, err := p.alternate([]setup{s}, t, rate)
	if err != nil {
		return result{}, err
	}
	return all[0], nil
}
