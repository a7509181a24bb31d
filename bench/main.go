// Command bench compares the filter with plain Coraza and libmodsecurity on the same records. It prints what the
// filter's own work costs, how long the rules take to load and what memory they take. Run it with "make bench".
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
)

type options struct {
	runs, records int
	modSecurity   string
	hold          string
	profile, set  string
	ablation      bool
	only          *regexp.Regexp
	replica       bool
}

func main() {
	var o options
	flag.IntVar(&o.runs, "runs", 5, "how often each engine inspects each set of records; the table has the medians")
	flag.IntVar(&o.records, "records", 200, "records in each run; a twenty-fifth of them for large bodies, which take long")
	flag.StringVar(&o.modSecurity, "modsecurity", "", "path of the program that drives libmodsecurity; without it the comparison goes without")
	flag.StringVar(&o.hold, "hold", "", "only print the memory of a process that holds this (used by the program itself)")
	flag.StringVar(&o.profile, "profile", "", "only write a profile of the filter over the records of -set into this file")
	flag.StringVar(&o.set, "set", recordSets[0].name, "the set of records that is profiled")
	flag.BoolVar(&o.ablation, "ablation", false, "only compare the filter with builds of it that lack one feature each")
	only := flag.String("only", "", "an expression: only the features of an ablation whose names match it")
	flag.BoolVar(&o.replica, "replica", false, "only process events as an ablation asks (used by the program itself)")
	short := flag.Bool("short", false, "a fifth of the records: rougher figures in a fifth of the time")
	flag.Parse()
	if *short {
		o.records = max(o.records/5, 1)
	}
	if flag.NArg() > 0 && !o.replica || o.runs < 1 || o.records < 1 {
		flag.Usage()
		os.Exit(2)
	}
	var err error
	if o.only, err = regexp.Compile(*only); err == nil {
		err = run(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	runtime.GOMAXPROCS(1)
	switch {
	case o.replica:
		return serveReplica(flag.Args())
	case o.ablation:
		return ablate(o.runs, o.only)
	case o.hold != "":
		return hold(o.hold, o.records)
	case o.profile != "":
		return profileSet(o.profile, o.set)
	}
	entrants, leave, err := enter(o)
	if err != nil {
		return err
	}
	defer leave()
	if err := warmUp(entrants[0]); err != nil {
		return err
	}
	printMachine(entrants)
	if err := compare(entrants, o.runs, o.records); err != nil {
		return err
	}
	if err := printOwn(o.records); err != nil {
		return err
	}
	if err := printCores(o.runs, max(o.records/3, 40)); err != nil {
		return err
	}
	return printStart(entrants, o.records)
}

// enter makes all engines ready. What it returns besides ends them.
func enter(o options) (entrants []entrant, leave func(), err error) {
	us, err := newOurs()
	if err != nil {
		return nil, nil, err
	}
	plain, err := newStock(false)
	if err != nil {
		return nil, nil, err
	}
	prefiltered, err := newStock(true)
	if err != nil {
		return nil, nil, err
	}
	entrants = []entrant{{"this filter", us}, {"Coraza", plain}, {"prefilter", prefiltered}}
	if o.modSecurity == "" {
		return entrants, func() {}, nil
	}
	m, err := newModSecurity(o.modSecurity)
	if err != nil {
		return nil, nil, err
	}
	return append(entrants, entrant{"libmodsecurity", m}), m.close, nil
}

// warm is how many records a filter has seen before its time counts: header values and words of a site come again.
const warm = 2000

// warmUp lets the filter see records, none of which comes again in the comparison.
func warmUp(us entrant) error {
	for i := range recordSets {
		s := &recordSets[i]
		if _, err := us.run(s.records(1<<50, max(warm/s.divisor/s.divisor, 20))); err != nil {
			return fmt.Errorf("warming up with %s: %w", s.name, err)
		}
	}
	return nil
}
