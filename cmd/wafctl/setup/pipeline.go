// Package setup is the command "wafctl init": it writes pipelines for Fluent Bit. It looks at the records that a
// pipeline is for, and at the destination that its alerts have. What it writes can be run as it is.
package setup

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/sample"
)

// Pipeline is what a pipeline is made of.
type Pipeline struct {
	Source  Place
	Sample  *sample.Sample
	Alerts  []Destination
	Filter  bool   // evaluate in the filter, and have outputs of Fluent Bit deliver; otherwise the output waf does both
	Plugin  string // path of out_waf.so
	Name    string // of the file, for its own comments
	Dir     string // for the files that Fluent Bit keeps, "" for the one that it is started in
	Map     string // path of a field map of its own, "" for none
	Version string
}

// alertTag is what alerts are called in pipelines with the filter.
const alertTag = "waf.alert"

// Text returns the pipeline in YAML.
func (p *Pipeline) Text() string {
	y := &yamlText{}
	p.head(y)
	y.line("plugins:")
	for _, path := range p.plugins() {
		y.line("  - " + scalar(path))
	}
	y.line("")
	y.line("service:")
	y.line("  flush: 1")
	if p.Source.Kind == SyslogTCP {
		y.line("")
		y.line("parsers:")
		y.indent = "  "
		y.item("name", lineParser)
		y.set("format", "regex")
		y.set("regex", `^(?<log>.*)$`)
		y.indent = ""
	}
	y.line("")
	y.line("pipeline:")
	y.line("  inputs:")
	y.indent = "    "
	p.Source.input(y, p.Sample, p.Dir)
	p.filters(y)
	y.indent = "\n  "
	y.line("outputs:")
	y.indent = "    "
	p.outputs(y)
	return y.String()
}

func (p *Pipeline) head(y *yamlText) {
	reads := "records of " + p.Source.Text
	if p.Source.Kind == Files {
		reads = p.Source.Path
	}
	var to []string
	for _, d := range p.Alerts {
		place, _, _ := strings.Cut(d.Text, "?")
		to = append(to, place)
	}
	y.line("# " + reads + " -> alerts to " + strings.Join(to, ", ") + ".")
	y.line("#")
	y.line("#   fluent-bit -c " + p.Name)
	y.line("#")
	y.line("# Written by wafctl init " + p.Version + ". \"wafctl doctor " + p.Name + "\" checks it.")
	y.line("")
}

// plugins returns the objects to load. After a hot reload the first no longer loads the others, so they are listed, too.
func (p *Pipeline) plugins() []string {
	all := []string{p.Plugin}
	if p.Filter {
		all = append(all, filepath.Join(filepath.Dir(p.Plugin), "flb-filter_waf.so"))
	}
	if p.Source.Kind == Sockets {
		all = append(all, filepath.Join(filepath.Dir(p.Plugin), "in_nano.so"))
	}
	return all
}

// filters writes the filters, when there are some.
func (p *Pipeline) filters(y *yamlText) {
	inPod := p.Source.inPods()
	if !inPod && !p.Filter {
		return
	}
	y.indent = "\n  "
	y.line("filters:")
	y.indent = "    "
	if inPod {
		p.Source.kubernetes(y)
	}
	if !p.Filter {
		return
	}
	if inPod {
		y.line("")
	}
	y.item("name", "waf")
	y.set("match", p.match())
	p.fieldMap(y)
	y.note("inspect_budget", "1s", "the first records take longer than the default of 50ms")
	y.set("emit_tag", alertTag)
	y.set("emit_format", formatFor(p.Alerts))
	if slices.ContainsFunc(p.Alerts, func(d Destination) bool { return strings.HasPrefix(d.scheme, "syslog") }) && formatFor(p.Alerts) == "msa" {
		p.nest(y)
	}
}

// nest has the fields of alerts become structured data of syslog messages.
func (p *Pipeline) nest(y *yamlText) {
	y.line("")
	y.item("name", "nest")
	y.set("match", alertTag)
	y.set("operation", "nest")
	y.set("nest_under", structured)
	y.line("  wildcard:")
	for _, key := range []string{"rule_id", "matched", "time", "message", "forward", "retcode", "src_*", "dst_*", "domain", "url", "method"} {
		y.line("    - " + key)
	}
}

// match returns the tags of the records. Inputs that keep the tags of senders leave nothing but all.
func (p *Pipeline) match() string {
	if p.Source.Kind == OTLP || p.Source.Kind == Forward {
		return "*"
	}
	return p.Source.tag()
}

func (p *Pipeline) fieldMap(y *yamlText) {
	if p.Map != "" {
		y.note("field_map", p.Map+",auto", "sets the host, which the log does not have")
	}
}

func (p *Pipeline) outputs(y *yamlText) {
	if p.Filter {
		for i := range p.Alerts {
			if i > 0 {
				y.line("")
			}
			p.Alerts[i].output(y, alertTag, formatFor(p.Alerts))
		}
		return
	}
	var to []string
	for _, d := range p.Alerts {
		to = append(to, d.Text)
	}
	y.item("name", "waf")
	y.set("match", p.match())
	p.fieldMap(y)
	y.set("alert_to", strings.Join(to, ","))
	y.set("emit_format", formatFor(p.Alerts))
	y.note("retry_limit", "no_limits", "alerts wait while a destination is down")
}

// HostMap returns a field map that reads as another one does and names the host where a record names none.
func HostMap(text, name, host string) string {
	const target = "server_name"
	var b strings.Builder
	done := false
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "name":
			line = "name: " + name + "-with-host\n"
		case "title":
			line = "title: " + scalar(value+", of "+host) + "\n"
		case target:
			line, done = fmt.Sprintf("  %s: {key: %s, constant: %s}\n", target, value, scalar(host)), true
		}
		b.WriteString(strings.TrimRight(line, "\n") + "\n")
	}
	if !done {
		fmt.Fprintf(&b, "  %s: {constant: %s}\n", target, scalar(host))
	}
	return b.String()
}
