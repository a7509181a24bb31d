// Package metrics shows what the instances of a process count. Prometheus gets one page for all instances over HTTP;
// set-ups without Prometheus get a record. The table of metric families is here, and what counts is elsewhere.
package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Family describes one metric. All that the project exposes are in the table below, from which its pages are made and against
// which the documentation is checked.
type Family struct {
	Name   string
	Type   prometheus.ValueType // of histograms, UntypedValue
	Labels []string             // besides kind and name, which tell instances apart
	Help   string
	desc   *prometheus.Desc
}

// histogram marks families whose type has no ValueType.
const histogram = prometheus.UntypedValue

// ruleText is the label that holds the text of a rule.
const ruleText = "message"

// The metrics of one instance. Counters count since the instance was started.
var (
	Records      = counter("waf_records_total", "Records by what became of them; their sum is what came in.", "result")
	Late         = counter("waf_late_records_total", "Records among the skipped that were not inspected, for lack of time (inspect_budget) or of room in the queue (mode async).")
	Partial      = counter("waf_partial_records_total", "Records of which rules did not see everything, because a limit was reached or text in a head was not read.")
	FieldMaps    = counter("waf_field_map_records_total", "Records by the field map that read them; none fits a record that is not understood.", "map")
	Alerts       = counter("waf_alerts_total", "Alerts by the severity of their most severe rule, and by what became of the attack.", "severity", "outcome")
	Categories   = counter("waf_alert_categories_total", "Alerts by category of attack; one with rules of several categories counts in each.", "category", "outcome")
	AlertRules   = counter("waf_alert_rules_total", "Alerts by the detection rules that matched, with their text; rules beyond the first 1,000 that did count as other.", "rule_id", ruleText)
	AlertScore   = distribution("waf_alert_score", "Anomaly scores of alerts, request and response together.")
	Incidents    = counter("waf_incidents_total", "Events about incidents: opened, updated or closed ones; 0 unless incidents is on.", "event")
	OpenOnes     = gauge("waf_incidents_open", "Incidents that are open.")
	IncidentRoom = counter("waf_incident_evictions_total", "What incident detection dropped early to stay within its memory; untracked are records of sources for which there was no room.", "what")
	Inspections  = counter("waf_inspections_total", "Verdicts by how they were found: remembered (cache), proven clean (gate), by running rules (full).", "path")
	InspectTime  = distribution("waf_inspection_seconds", "Time for finding a verdict; of path cache every 64th is timed, and full is the run of the engine.", "path")
	Candidates   = counter("waf_gate_candidates_total", "Rules that the gate could not rule out and the engine ran, summed over transactions of path full.")
	CacheEntries = gauge("waf_cache_entries", "Verdicts that are remembered. Instances with the same rules share a cache.")
	CacheBytes   = gauge("waf_cache_bytes", "Memory of remembered verdicts in bytes.")
	CacheLimit   = gauge("waf_cache_limit_bytes", "Memory that remembered verdicts may take: cache_size; 0 when none are remembered.")
	CacheEvicted = counter("waf_cache_evictions_total", "Remembered verdicts that made room for others.")
	Emits        = counter("waf_emits_total", "Alerts that the pipeline took (an output: all destinations), did not take (failed), or flood control held back (suppressed).", "result")
	Summaries    = counter("waf_summaries_total", "Summaries of suppressed alerts that were taken.")
	Delivered    = counter("waf_delivered_total", "Alerts that a destination took.", "destination")
	Failures     = counter("waf_delivery_failures_total", "Attempts to deliver to a destination that failed; they are made again.", "destination")
	Shortened    = counter("waf_delivery_shortened_total", "Alerts that were shortened to what a destination takes.", "destination")
	Waiting      = gauge("waf_delivery_waiting", "Alerts on their way to a destination that it has not taken yet.", "destination")
	Flushes      = gauge("waf_flushes_waiting", "Chunks that wait in an output for those before them, the one being delivered included.")
	Received     = counter("waf_intake_total", "What wafctl run or the input nano received: datagrams, lines, and the records in them.", "what")
	Lost         = counter("waf_intake_lost_total", "Messages that were sent and did not become records, and records that were dropped.", "reason")
	Closed       = counter("waf_intake_closed_total", "TCP connections that were closed for being idle, to make room for others (max_connections), or because unfinished lines took too much memory (memory).", "reason")
	Intake       = gauge("waf_intake_bytes", "Memory of received records that wait, and of unfinished lines.")
	Panics       = counter("waf_panics_total", "Panics that were caught; their records passed as they came.")
	RulesInfo    = gauge("waf_rules_info", "Always 1: what the rules call themselves, and the hash of their content.", "rule_set", "content")
	RulesLoaded  = gauge("waf_rules_loaded", "Rules in use.")
	RulesSkipped = gauge("waf_rules_skipped", "Rules that were read and left out; the log says why.")
	RulesTime    = gauge("waf_rules_loaded_timestamp_seconds", "When the rules in use were loaded.")
	RulesCurrent = gauge("waf_rules_current", "1 while the rules in use are those of the files; 0 after changed ones could not be used.")
	Reloads      = counter("waf_rules_reloads_total", "Changes of rule files: in use from then on (done), broken (failed), or of no consequence (unchanged).", "result")
	ReloadTime   = gauge("waf_rules_reload_timestamp_seconds", "When changed rule files were last read; 0 before the first time.")
	ReloadTook   = gauge("waf_rules_reload_seconds", "How long the last reload took, beside the rules in use.")
)

// BuildInfo is the one metric of the process that is ours; those of the Go runtime and the process are client_golang's.
var BuildInfo = gauge("waf_build_info", "Always 1: version of fluent-bit-waf and of Go.", "version", "go")

// Families are all metrics of an instance and of the process, in the order of the documentation.
var Families []*Family

func counter(name, help string, labels ...string) *Family {
	return family(name, prometheus.CounterValue, help, labels)
}

func gauge(name, help string, labels ...string) *Family {
	return family(name, prometheus.GaugeValue, help, labels)
}

func distribution(name, help string, labels ...string) *Family {
	return family(name, histogram, help, labels)
}

func family(name string, kind prometheus.ValueType, help string, labels []string) *Family {
	f := &Family{name, kind, labels, help, prometheus.NewDesc(name, help, labels, nil)}
	Families = append(Families, f)
	return f
}

// TypeName returns the type as Prometheus calls it.
func (f *Family) TypeName() string {
	switch f.Type {
	case prometheus.CounterValue:
		return "counter"
	case prometheus.GaugeValue:
		return "gauge"
	}
	return "histogram"
}

// Send sends one value to a collection. There is a value for each label, in their order.
func (f *Family) Send(to chan<- prometheus.Metric, value float64, labels ...string) {
	to <- prometheus.MustNewConstMetric(f.desc, f.Type, value, labels...)
}

// SendAll sends the values of a family with one label, those without a value left out.
func (f *Family) SendAll(to chan<- prometheus.Metric, values map[string]uint64) {
	for label, value := range values {
		f.Send(to, float64(value), label)
	}
}

// Histogram returns a histogram of the family with the given upper bounds, for one value of each label.
func (f *Family) Histogram(bounds []float64, labels ...string) prometheus.Histogram {
	constant := prometheus.Labels{}
	for i, label := range f.Labels {
		constant[label] = labels[i]
	}
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: f.Name, Help: f.Help, ConstLabels: constant, Buckets: slices.Clone(bounds)})
}
