// Package filter is the pipeline without Fluent Bit: a chunk of records goes in, each HTTP record becomes a transaction, the
// rules give a verdict, and the chunk comes out with the verdict written where the operator wants it.
package filter

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/flood"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// Level is the importance of a log line, in Fluent Bit's numbers.
type Level int

// The levels of Fluent Bit's flb_log_print.
const (
	LevelError Level = 1
	LevelWarn  Level = 2
	LevelInfo  Level = 3
	LevelDebug Level = 4
)

// Logger writes one line to the host's log. It may be called from any goroutine.
type Logger func(level Level, line string)

// Filter evaluates chunks with one configuration. Its methods may be called from several threads at once.
type Filter struct {
	config      config
	maps        *fieldmap.Choice
	name        string // of the instance, "" when nothing is kept of it
	current     atomic.Pointer[loaded]
	reloads     reloads
	meter       meter
	log         Logger
	counts      counters
	sources     []atomic.Uint64 // records by field map, those of no map first
	columns     columnsByTag
	silence     silence
	flood       *flood.Control // nil when every alert goes out
	background  *background    // nil unless records are inspected beside the pipeline
	correlation *correlation   // nil unless incidents are found
	batches     sync.Pool      // of *batch
	pace        pace

	inLine       *demand               // for alerts that go into the record
	afterwards   *demand               // for the same, where alerts name their incidents
	evaluateInto func(*item, *scratch) // with it; a closure for each chunk would cost an allocation
}

// New returns a filter, or all problems of its configuration as one error.
func New(get setting.Getter, log Logger) (*Filter, error) {
	reader := setting.NewReader(get, Properties())
	return open("", reader, readConfig(reader), log)
}

// NewNamed is New for a host that may end a filter and start it again with another configuration. Where the rules are broken
// and a filter of the same name has had good ones in this process, these stay in use, and the log says so. Properties of the output
// are problems.
func NewNamed(name string, get setting.Getter, log Logger) (*Filter, error) {
	reader := setting.NewReader(get, Properties())
	refuseMisplaced(get, reader, false)
	c := readConfig(reader)
	if c.correlates && c.incidentTag == "" && c.digestTag == "" {
		reader.Problem("incidents", errors.New("on needs incident_tag, or incident_digest_tag"))
	}
	return open(name, reader, c, log)
}

// NewProfiled is New for a filter that keeps where its time goes, for Profile. That costs some time itself.
func NewProfiled(get setting.Getter, log Logger) (*Filter, error) {
	reader := setting.NewReader(get, Properties())
	c := readConfig(reader)
	c.profile = true
	return open("", reader, c, log)
}

// open makes a filter of what was read so far, unless that or the rest has problems.
func open(name string, reader *setting.Reader, c config, log Logger) (*Filter, error) {
	ruleConfig := rules.ReadConfig(reader)
	ruleConfig.Profile = c.profile
	maps, err := fieldmap.Open(c.fieldMap)
	if err != nil {
		reader.Problem("field_map", err)
	}
	maps.Trust(c.proxies)
	watch := rules.NewWatch(ruleConfig)
	set, err := watch.Open()
	if err != nil {
		if set = keptRules(name); set == nil || reader.Err() != nil {
			reader.Problem("rules", err)
		}
	}
	if problems := reader.Err(); problems != nil {
		if set != nil {
			problems = errors.Join(problems, set.Close())
		}
		return nil, problems
	}
	if err != nil {
		log(LevelError, fmt.Sprintf("property rules: %v", err))
		log(LevelError, "the new rules cannot be used: THE RULES OF BEFORE THE RELOAD STAY IN USE")
	}
	if err := keepRules(name, set); err != nil {
		log(LevelWarn, fmt.Sprintf("closing the rules of before: %v", err))
	}
	f := &Filter{config: c, maps: maps, name: name, log: log, flood: flood.New(c.flood)}
	f.current.Store(newLoaded(set))
	f.sources = make([]atomic.Uint64, 1+len(maps.Names()))
	f.inLine = &demand{matches: c.onMatch, write: f.writeAlert}
	if f.afterwards = f.inLine; c.correlates && !c.observe {
		f.correlation = startCorrelation(f)
		if c.digestTag == "" {
			f.inLine = &demand{matches: c.onMatch, write: leaveAlert}
		}
	}
	f.evaluateInto = func(it *item, s *scratch) { f.evaluate(it, s, f.inLine) }
	f.batches.New = func() any { return &batch{} }
	f.reloads.broken.Store(err != nil)
	if err := f.measure(); err != nil {
		reader.Problem("metrics_listen", err)
		return nil, errors.Join(reader.Err(), f.Close())
	}
	f.tellRules(set)
	f.watchRules(watch)
	if c.background {
		f.background = startBackground(f)
	}
	return f, nil
}

// Close releases the rules. The Filter must not be used after it. What flood control has not told by then, it says in the log.
func (f *Filter) Close() error {
	if n := f.flood.Waiting(); n > 0 {
		f.log(LevelWarn, fmt.Sprintf("%d suppressed alerts are in no summary, because no more records came", n))
	}
	if f.background != nil {
		f.background.end() // before the reloads: one that is under way waits until nobody has the old rules
	}
	f.correlation.end()
	f.tellSilence()
	f.reloads.end()
	err := f.meter.close()
	l := f.current.Load()
	if runs.late() == 0 {
		return errors.Join(err, l.release())
	}
	go recovery.Once(f.Caught("release of rules"), func() { // engine runs go on that nothing can end
		if err := l.release(); err != nil {
			f.log(LevelWarn, err.Error())
		}
	})
	return err
}

// set returns the current rules for a caller that knows that they are not swapped.
func (f *Filter) set() *rules.Set { return f.current.Load().set }

// Rules returns the rules that are loaded, in load order.
func (f *Filter) Rules() []rules.Loaded { return f.set().List() }

// Profile tells where the time of the rules has gone, nil unless the filter was made with NewProfiled.
func (f *Filter) Profile() *rules.Profile { return f.set().Profile() }

// Gates tells of every rule that can alert how the gate proves that it does not match.
func (f *Filter) Gates() []prefilter.Rule { return f.set().Gates() }

// Notes tell what makes inspection slow, and why.
func (f *Filter) Notes() []string { return f.set().Notes() }

// RuleSet returns what the rules call themselves, for instance OWASP_CRS/4.25.0.
func (f *Filter) RuleSet() string { return f.set().Name() }

// Warnings returns what was left out of the rules and why, each with file and line.
func (f *Filter) Warnings() []string { return f.set().Warnings() }

// IsEmitTag reports whether records under a tag are taken for alerts, metrics or digests of this filter, and not evaluated.
func (f *Filter) IsEmitTag(tag string) bool {
	return f.config.emitTag.isOwn(tag) || f.config.metricsTag != "" && tag == f.config.metricsTag ||
		f.config.incidentTag != "" && tag == f.config.incidentTag || f.config.digestTag != "" && tag == f.config.digestTag
}
