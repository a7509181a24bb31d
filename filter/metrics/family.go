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
	Records      = counter("waf_records_total", "Records by result; their sum is all records received.", "result")
	Late         = counter("waf_late_records_total", "Skipped records that were not inspected because time (inspect_budget) or queue space (mode async) ran out.")
	Partial      = counter("waf_partial_records_total", "Partly inspected records: a limit was reached, or text in a head was not read.")
	FieldMaps    = counter("waf_field_map_records_total", "Records by field map; none means not recognized.", "map")
	Alerts       = counter("waf_alerts_total", "Alerts by their highest severity and outcome.", "severity", "outcome")
	Categories   = counter("waf_alert_categories_total", "Alerts by category; an alert counts in each of its categories.", "category", "outcome")
	AlertRules   = counter("waf_alert_rules_total", "Alerts by matched detection rule; rules beyond the first 1,000 count as other.", "rule_id", ruleText)
	AlertScore   = distribution("waf_alert_score", "Anomaly scores of alerts, request and response combined.")
	Incidents    = counter("waf_incidents_total", "Incident events: opened, updated or closed.", "event")
	OpenOnes     = gauge("waf_incidents_open", "Open incidents.")
	IncidentRoom = counter("waf_incident_evictions_total", "Incident state dropped early to stay within memory limits; untracked counts records of sources without room.", "what")
	Digests      = counter("waf_digests_total", "Digests of records: sent to an aggregator, or lost because the host did not take them for an hour; merged, repeated or refused by an aggregator; late counts windows of ten seconds that arrived too late.", "what")
	Inspections  = counter("waf_inspections_total", "Verdicts by path: from the cache (cache), by the prefilter (gate), or by running rules (full).", "path")
	InspectTime  = distribution("waf_inspection_seconds", "Time per verdict; every 64th of path cache is timed, full is the engine run.", "path")
	Candidates   = counter("waf_gate_candidates_total", "Candidate rules that the engine ran, summed over transactions of path full.")
	CacheEntries = gauge("waf_cache_entries", "Cached verdicts. Instances with the same rules share a cache.")
	CacheBytes   = gauge("waf_cache_bytes", "Memory of cached verdicts in bytes.")
	CacheLimit   = gauge("waf_cache_limit_bytes", "Memory limit of the cache: cache_size; 0 if disabled.")
	CacheEvicted = counter("waf_cache_evictions_total", "Verdicts evicted from the cache.")
	Emits        = counter("waf_emits_total", "Alerts accepted by the pipeline, or all destinations of an output (taken), not accepted (failed), or suppressed by flood control.", "result")
	Summaries    = counter("waf_summaries_total", "Accepted summaries of suppressed alerts.")
	Delivered    = counter("waf_delivered_total", "Alerts accepted by a destination.", "destination")
	Failures     = counter("waf_delivery_failures_total", "Failed delivery attempts, which are retried.", "destination")
	Shortened    = counter("waf_delivery_shortened_total", "Alerts shortened to a destination's limit.", "destination")
	Waiting      = gauge("waf_delivery_waiting", "Alerts not yet accepted by a destination.", "destination")
	Flushes      = gauge("waf_flushes_waiting", "Chunks waiting in an output, including the one being delivered.")
	Received     = counter("waf_intake_total", "Datagrams, lines, Kafka messages and records received by wafctl run or the input nano.", "what")
	Lost         = counter("waf_intake_lost_total", "Messages that did not become records, and dropped records.", "reason")
	Closed       = counter("waf_intake_closed_total", "TCP connections closed because they were idle, to make room for others (max_connections), or because unfinished lines used too much memory (memory).", "reason")
	Intake       = gauge("waf_intake_bytes", "Memory of waiting records and unfinished lines.")
	KafkaLag     = gauge("waf_kafka_lag", "Messages of a partition of this member that are not finished: read, evaluated, and their alerts delivered.", "topic", "partition")
	Panics       = counter("waf_panics_total", "Recovered panics; their records passed unchanged.")
	RulesInfo    = gauge("waf_rules_info", "Always 1: name and content hash of the rules.", "rule_set", "content")
	RulesLoaded  = gauge("waf_rules_loaded", "Loaded rules.")
	RulesSkipped = gauge("waf_rules_skipped", "Skipped rules; the log has the reasons.")
	RulesTime    = gauge("waf_rules_loaded_timestamp_seconds", "When the current rules were loaded.")
	RulesCurrent = gauge("waf_rules_current", "1 while the current files are in use; 0 after changed ones could not be loaded.")
	Reloads      = counter("waf_rules_reloads_total", "Reloads of rule files: loaded (done), invalid (failed), or without changes (unchanged).", "result")
	ReloadTime   = gauge("waf_rules_reload_timestamp_seconds", "When changed rule files were last read; 0 before the first time.")
	ReloadTook   = gauge("waf_rules_reload_seconds", "Duration of the last reload.")
)

// BuildInfo is the one metric of the process that is ours; those of the Go runtime and the process are client_golang's.
var BuildInfo = gauge("waf_build_info", "Always 1: versions of fluent-bit-waf and Go.", "version", "go")

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

// SendAll sends the values of a family with one label, those without a value skipped.
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
