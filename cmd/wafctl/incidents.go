package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	jsoniter "github.com/json-iterator/go"
	"github.com/spf13/cobra"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/incidents"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

var incidentFlags = []setting.Property{
	{Name: "output", Default: "table", Values: []string{"table", "json"}, Help: "table prints one line an incident, json one object an incident"},
}

func newIncidents(c *console, args []string) *cobra.Command {
	var (
		f       flags
		explain string
	)
	cmd := &cobra.Command{
		Use:   "incidents [flags] FILE…|-",
		Short: "Show who attacks whom across records",
		Long: `Evaluate records as check does and show incidents: campaigns, probing, brute force, one source that attacks many targets,
attackers that move from service to service, enumeration of other people's data and unusual disclosure. An incident has
everything that one attacker does, and says since when, to whom, and whether it worked. The times that records name count.
Several files, such as the logs of several services, are read together in the order of time. Detectors that compare with
what is usual need records of a day before they report (--incident-learning).

With --explain ID one incident is shown with the reason for each finding and its records.

The exit code is 0 when there is no incident, or only background noise, 1 when there is one, and 2 on errors.`,
		Example: `  wafctl incidents /var/log/nginx/access.log
  wafctl incidents shop.ndjson.gz cart.ndjson.gz billing.ndjson.gz
  wafctl incidents --identities services.yaml --output json records.ndjson
  wafctl incidents --explain c461a95a2eee71e4 records.ndjson`,
		RunE: func(cmd *cobra.Command, names []string) error {
			output := setting.NewReader(&f, incidentFlags).Word("output")
			w, correlator, err := filter.NewObserving(&f, c.log(false))
			if w != nil {
				defer w.Close()
			}
			if err := f.usage(cmd, args, err, wantFiles(names)); err != nil {
				return err
			}
			r := incidentReport{console: c, to: lineWriter(c), collection: incidents.New(correlator), names: names}
			if err := r.read(cmd.Context(), w); err != nil {
				return err
			}
			found := r.collection.End()
			switch {
			case explain != "":
				err = r.explain(found, explain)
			case output == "json":
				err = r.json(found)
			default:
				err = r.table(found)
			}
			if err != nil {
				return err
			}
			for _, one := range found {
				if one.Severity > incident.Info {
					return errAlert
				}
			}
			return nil
		},
	}
	strict(cmd)
	f.add(cmd.Flags(), incidentFlags)
	cmd.Flags().StringVar(&explain, "explain", "", "show the incident with this `ID`, why it was found, and its records")
	f.addJudging(cmd.Flags())
	for _, p := range filter.IncidentProperties() {
		cmd.Flags().Lookup(flagName(p.Name)[2:]).Hidden = false
	}
	return cmd
}

// incidentReport reads files and prints their incidents.
type incidentReport struct {
	console    *console
	to         *bufio.Writer
	collection *incidents.Collection
	names      []string
}

// read evaluates all records of the files, and adds what they contribute in the order of time.
func (r *incidentReport) read(ctx context.Context, w *filter.Filter) error {
	all := inputs{console: r.console, names: r.names}
	if len(r.names) == 1 {
		err := all.each(ctx, &evaluation{filter: w}, func(file string, found *checked) error {
			if found.Observation != nil {
				r.collection.Add(file, found.line, found.Observation)
			}
			return nil
		})
		return errors.Join(err, all.inspected())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	each := make([]inputs, len(r.names)) // they are read at the same time
	for i := range each {
		each[i].console = r.console
	}
	problems := r.collection.Merge(ctx, r.names, func(ctx context.Context, file int, add func(int, *incident.Observation) error) error {
		return each[file].one(ctx, &evaluation{filter: w, calm: true}, r.names[file], func(_ string, found *checked) error {
			if found.Observation == nil {
				return nil
			}
			return add(found.line, found.Observation)
		})
	})
	for i := range each {
		all.http, all.strange, all.broken = all.http+each[i].http, all.strange+each[i].strange, all.broken+each[i].broken
	}
	if all.broken > 0 {
		problems = append(problems, fmt.Errorf("%s could not be read", count(all.broken, "line")))
	}
	return errors.Join(append(problems, all.inspected())...)
}

// incidentSeverities are the names under which severities have their colors.
var incidentSeverities = map[incident.Severity]string{
	incident.Info: "info", incident.Low: "notice", incident.Medium: "warning", incident.High: "error", incident.Critical: "critical",
}

func incidentSeverity(s incident.Severity) cell {
	return cell{strings.ToUpper(s.String()), severityColors[incidentSeverities[s]]}
}

func (r *incidentReport) table(found []*incidents.Found) error {
	g := newGrid(r.console, r.to, column{title: "INCIDENT", width: 16}, column{title: "SEVERITY", width: severityWidth}, column{title: "KINDS", width: 24, least: 11},
		column{title: "FIRST SEEN (UTC)", width: 19, spare: 1}, column{title: "LASTED", width: 6, right: true, spare: 2},
		column{title: "RECORDS", width: 7, right: true, spare: 3}, column{title: "SUMMARY"})
	if len(found) > 0 {
		g.title()
	}
	for _, i := range found {
		g.row(cell{text: i.ID}, incidentSeverity(i.Severity), cell{text: kindsText(i.Incident)}, cell{text: incidents.Stamp(i.First)},
			cell{text: incidents.Lasted(i.Last - i.First)}, cell{text: grouped(i.Incident.Records)}, cell{text: i.Summary})
	}
	if len(found) > 0 {
		fmt.Fprintln(r.to)
	}
	counts, loud := r.collection.Counts(), 0
	for _, i := range found {
		if i.Severity >= incident.High {
			loud++
		}
	}
	fmt.Fprintf(r.to, "%s in %s, %s of severity high or critical\n", count(len(found), "incident"), count(counts.Observed, "record"), grouped(loud))
	if len(found) > 0 {
		fmt.Fprintf(r.to, "wafctl incidents --explain %s shows why, with the records\n", found[0].ID)
	}
	return r.to.Flush()
}

func kindsText(i *incident.Incident) string {
	var kinds []string
	for _, k := range i.Kinds {
		kinds = append(kinds, string(k))
	}
	return strings.Join(kinds, ", ")
}

// incidentLine is an incident with times as people and programs read them.
type incidentLine struct {
	*incident.Incident
	First   string           `json:"first_seen"`
	Last    string           `json:"last_seen"`
	Opened  string           `json:"opened"`
	Places  []string         `json:"places"` // of its first records
	Samples []incidentSample `json:"samples,omitempty"`
	Hops    []incidentHop    `json:"hops,omitempty"`
	Why     []incidentWhy    `json:"findings"`
	// Status is that of the last event, which for files is always the end.
	Status string `json:"status,omitempty"`
}

type incidentSample struct {
	incident.Sample
	Time string `json:"time"`
}

type incidentHop struct {
	incident.Hop
	Time string `json:"time"`
}

type incidentWhy struct {
	incident.Finding
	Time string `json:"time"`
}

func iso(milliseconds int64) string {
	return time.UnixMilli(milliseconds).UTC().Format("2006-01-02T15:04:05.000Z")
}

func (r *incidentReport) json(found []*incidents.Found) error {
	encoder := jsoniter.ConfigCompatibleWithStandardLibrary.NewEncoder(r.to)
	for _, i := range found {
		line := incidentLine{Incident: i.Incident, First: iso(i.First), Last: iso(i.Last), Opened: iso(i.Opened)}
		for _, s := range i.Samples {
			line.Samples = append(line.Samples, incidentSample{s, iso(s.Time)})
		}
		for _, h := range i.Hops {
			line.Hops = append(line.Hops, incidentHop{h, iso(h.Time)})
		}
		for _, f := range i.Findings {
			line.Why = append(line.Why, incidentWhy{f, iso(f.Time)})
		}
		for _, at := range i.Records {
			line.Places = append(line.Places, mend(at.File)+":"+strconv.Itoa(at.Line))
		}
		if err := encoder.Encode(&line); err != nil {
			return err
		}
	}
	return r.to.Flush()
}

func (r *incidentReport) explain(found []*incidents.Found, id string) error {
	for _, i := range found {
		if i.ID == id {
			r.explainOne(i)
			return r.to.Flush()
		}
	}
	return fmt.Errorf("no incident %q in these files (expected one that wafctl incidents lists)", id)
}

func (r *incidentReport) explainOne(i *incidents.Found) {
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(r.to, "%-11s %s\n", name, printable(text))
		}
	}
	fmt.Fprintf(r.to, "%s\n\n", printable(i.Summary))
	severity := incidentSeverity(i.Severity)
	line("incident", i.ID)
	fmt.Fprintf(r.to, "%-11s %s: %s\n", "severity", r.console.paint(severity.color, i.Severity.String()), printable(i.Reason))
	line("time", incidents.Stamp(i.First)+" to "+incidents.Stamp(i.Last)+" UTC")
	line("sources", countsText(i.Sources, i.SourceSeen))
	line("targets", countsText(i.Targets, i.TargetSeen))
	line("routes", countsText(i.Routes, 0))
	line("rules", countsText(i.Rules, 0))
	line("techniques", strings.Join(i.Techniques, ", "))
	line("related", strings.Join(i.Related, ", "))
	line("outcome", fmt.Sprintf("%s of %s blocked, %s likely succeeded", grouped(i.Blocked), count(i.Attacks, "attack"), grouped(i.Succeeded)))
	fmt.Fprintln(r.to, "\nWhy:")
	for _, f := range i.Findings {
		fmt.Fprintf(r.to, "  %s  %-11s %-8s %s\n", incidents.Stamp(f.Time), f.Kind, f.Severity, printable(f.Why))
	}
	if len(i.Hops) > 0 {
		fmt.Fprintln(r.to, "\nPath:")
	}
	for _, h := range i.Hops {
		fmt.Fprintf(r.to, "  %s  %s → %s  %s\n", incidents.Stamp(h.Time), printable(h.From), printable(h.To), printable(h.What))
	}
	fmt.Fprintf(r.to, "\nRecords (the first %d of %s):\n", len(i.Records), grouped(i.Incident.Records))
	for _, at := range i.Records {
		rules := ""
		if len(at.Rules) > 0 {
			rules = fmt.Sprintf("  rules %v", at.Rules)
		}
		fmt.Fprintf(r.to, "  %s:%d  %s  %s → %s  %s %s  %s%s\n", printable(at.File), at.Line, incidents.Stamp(at.Time), printable(at.Source),
			printable(cmp.Or(at.Target, "?")), printable(at.Method), printable(at.Path), statusText(at.Status), rules)
	}
}

func statusText(status int) string {
	if status == 0 {
		return "no status"
	}
	return strconv.Itoa(status)
}

// countsText lists names with how many records have them, and how many names there are besides.
func countsText(list []incident.Count, seen int) string {
	var all []string
	for _, one := range list {
		all = append(all, fmt.Sprintf("%s (%s)", one.Name, grouped(one.Count)))
	}
	if more := seen - len(list); more > 0 {
		all = append(all, "about "+grouped(more)+" more")
	}
	return strings.Join(all, ", ")
}
