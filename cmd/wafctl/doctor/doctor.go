// Package doctor is the command "wafctl doctor": it checks a pipeline of Fluent Bit on the machine that it is to run
// on. It reads the configuration, tries what the configuration refers to, and looks at the records that would flow.
// For each finding it shows what to do.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/sample"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident/digest"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/fluentbit"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/writable"
)

// Level says how bad a finding is.
type Level string

// The levels of findings.
const (
	OK   Level = "ok"
	Warn Level = "warn"
	Fail Level = "fail"
)

// Finding is the result of one check.
type Finding struct {
	Check  string `json:"check"`
	Level  Level  `json:"level"`
	Text   string `json:"text"`
	Advice string `json:"advice,omitempty"`
}

// Alarms is what the rules find in a sample.
type Alarms struct {
	Records    uint64
	Alerts     int
	Attacks    int      // alerts that look like attacks
	Exclusions []string // with which the others are gone, as parts of exclude_rules
}

// Doctor checks one pipeline.
type Doctor struct {
	Config    *fluentbit.Config
	FluentBit string       // path of the program, "" for none
	Plugin    string       // of the plugin beside this program, "" when there is none
	Version   string       // of this program
	Host      *filter.Host // what the filters share that it opens
	Sample    string       // path of a file with records, "" for the one that the pipeline reads

	// Open opens a file of records, and Evaluate finds false positives in records with the settings of a filter.
	Open     func(path string) (io.ReadCloser, error)
	Evaluate func(ctx context.Context, settings setting.Map, records io.Reader) (Alarms, error)
	Now      func() time.Time

	findings []Finding
	broken   map[*fluentbit.Section]bool   // properties that do not serve
	states   map[string]*fluentbit.Section // by the file that keeps them
	tell     func(Finding)
	filters  map[*fluentbit.Section]*filter.Filter // with well-formed properties; rules are compiled once while one has them
}

// Run runs all checks, and gives each finding to tell as soon as it is there.
func (d *Doctor) Run(ctx context.Context, tell func(Finding)) {
	d.tell, d.filters, d.broken = tell, map[*fluentbit.Section]*filter.Filter{}, map[*fluentbit.Section]bool{}
	d.states = map[string]*fluentbit.Section{}
	defer func() {
		for _, f := range d.filters {
			f.Close()
		}
	}()
	d.host(ctx)
	d.variables()
	d.properties()
	d.routing()
	d.tails()
	d.listeners()
	d.descriptors()
	d.destinations(ctx)
	d.records(ctx)
}

// Worst returns the highest level of all findings.
func (d *Doctor) Worst() Level {
	worst := OK
	for i := range d.findings {
		if l := d.findings[i].Level; l == Fail || l == Warn && worst == OK {
			worst = l
		}
	}
	return worst
}

// Counts returns how many findings there are of a level.
func (d *Doctor) Counts(level Level) (n int) {
	for i := range d.findings {
		if d.findings[i].Level == level {
			n++
		}
	}
	return n
}

func (d *Doctor) find(check string, level Level, advice, format string, arguments ...any) {
	f := Finding{Check: check, Level: level, Text: fmt.Sprintf(format, arguments...), Advice: advice}
	d.findings = append(d.findings, f)
	d.tell(f)
}

// variables reports environment variables that have no value here.
func (d *Doctor) variables() {
	for _, v := range d.Config.Unset {
		d.find("variables", Warn, "set it for the service, or in the section env", "%s: ${%s} is not set here", v.Place, v.Key)
	}
}

// properties reads all properties of our plugins as the plugins do.
func (d *Doctor) properties() {
	before := len(d.findings)
	ours := 0
	for _, m := range d.Config.Misuses() {
		d.find("properties", Fail, "", "%s", m)
	}
	for s := range d.Config.All() {
		switch {
		case s.Name() == "waf" && s.Kind == fluentbit.Output:
			d.problems(s, errors.Join(d.openOutput(s), d.state(s)))
		case s.Name() == "waf" && s.Kind != fluentbit.Input:
			d.problems(s, errors.Join(d.openFilter(s), d.state(s)))
		case s.Name() == "nano" && s.Kind == fluentbit.Input:
			d.problems(s, readInput(s))
		default:
			continue
		}
		ours++
	}
	switch {
	case ours == 0:
		d.find("properties", Fail, "add the filter or output waf; wafctl init writes a pipeline", "the pipeline has no plugin waf")
	case len(d.findings) == before:
		d.find("properties", OK, "", "all properties of %s are valid", sections(ours))
	}
}

func sections(n int) string {
	if n == 1 {
		return "one section"
	}
	return fmt.Sprintf("%d sections", n)
}

// problems reports each part of an error.
func (d *Doctor) problems(s *fluentbit.Section, err error) {
	if err == nil {
		return
	}
	d.broken[s] = true
	for line := range strings.Lines(err.Error()) {
		place := s.Place
		if name, is := strings.CutPrefix(line, "property "); is {
			name, _, _ = strings.Cut(name, ":")
			if p := s.Find(name); p != nil {
				place = p.Place
			}
		}
		d.find("properties", Fail, "", "%s: %s: %s", place, s.Title(), strings.TrimSpace(line))
	}
}

// quiet is the configuration of a section without what would take a port or write a file that the running pipeline has, and without what
// belongs to the other kind of plugin, which Misuses reports.
func quiet(s *fluentbit.Section, table []setting.Property) setting.Map {
	m := setting.Map{}
	for _, p := range table {
		if value := s.Get(p.Name); value != "" {
			m[p.Name] = value
		}
	}
	if address := m["metrics_listen"]; strings.Contains(address, ":") {
		delete(m, "metrics_listen")
	}
	if setting.NewReader(m, table).Bool("incidents") {
		delete(m, "incident_state") // state checks it
	}
	return m
}

// state checks the file that keeps the state of incident detection.
func (d *Doctor) state(s *fluentbit.Section) error {
	file := s.Get("incident_state")
	if file == "" {
		return nil
	}
	same := writable.Real(file)
	if other := d.states[same]; other != nil {
		return fmt.Errorf("property incident_state: %s: %s keeps its state there (want a file of its own)", file, other.Place)
	}
	d.states[same] = s
	if err := digest.CheckFile(file); err != nil {
		return fmt.Errorf("property incident_state: %w", err)
	}
	return nil
}

func (d *Doctor) warnings(s *fluentbit.Section) filter.Logger {
	return func(level filter.Level, line string) {
		if level == filter.LevelWarn {
			d.find("rules", Warn, "", "%s: %s: %s", s.Place, s.Title(), line)
		}
	}
}

func (d *Doctor) openFilter(s *fluentbit.Section) error {
	f, err := filter.New(d.Host, quiet(s, filter.Properties()), d.warnings(s))
	if err != nil {
		return err
	}
	d.filters[s] = f
	return nil
}

func (d *Doctor) openOutput(s *fluentbit.Section) error {
	o, err := filter.NewOutput("", d.Host, quiet(s, filter.OutputProperties()), d.warnings(s), io.Discard)
	if err != nil {
		return err
	}
	return o.Close()
}

// subject is a section with waf and the sample that it evaluates.
type subject struct {
	section *fluentbit.Section
	sample  *sample.Sample
	path    string
	records []byte // as lines of JSON or text
}
