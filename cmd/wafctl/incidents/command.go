// Package incidents is the command "wafctl incidents": it evaluates the records of files in the order of time and
// shows who attacks whom across them. Package correlation finds the incidents. This package reads the flags, and writes
// tables, JSON and explanations.
package incidents

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/correlation"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

var incidentFlags = []setting.Property{
	{Name: "output", Default: "table", Values: []string{"table", "json"}, Help: "table prints one line per incident, json one object per incident"},
}

// New returns the command.
func New(c *cli.Console, args []string) *cobra.Command {
	var (
		f       cli.Flags
		explain string
	)
	cmd := &cobra.Command{
		Use:   "incidents [flags] FILE|DIR…|-",
		Short: "Show who attacks whom across records",
		Long: `Evaluate records as check does and show incidents: campaigns, probing, brute force, one source that attacks many targets,
attackers that move from service to service, enumeration of other people's data and unusual disclosure. An incident
combines everything that one attacker does: since when, against whom, and whether it succeeded. Times are the records' own.
Several files or directories, such as the logs of several services, are merged by time. Detectors that compare with a
baseline report after a day of records (--incident-learning).

With --explain ID, show one incident with the reason for each finding and its records.

The exit code is 0 if there is no incident, or only background noise, 1 if there is one, and 2 on errors.`,
		Example: `  wafctl incidents /var/log/nginx/access.log
  wafctl incidents shop.ndjson.gz cart.ndjson.gz billing.ndjson.gz
  wafctl incidents --since 2026-05-01 /srv/archive/shop /srv/archive/billing
  wafctl incidents --identities services.yaml --output json records.ndjson
  wafctl incidents --explain c461a95a2eee71e4 records.ndjson`,
		RunE: func(cmd *cobra.Command, arguments []string) error {
			names, filesErr := evaluation.Files(arguments)
			settings := setting.NewReader(&f, slices.Concat(incidentFlags, evaluation.WindowFlags))
			output, window := settings.Word("output"), evaluation.ReadWindow(settings, time.Now())
			w, merger, err := filter.NewObserving(c.Host, &f, c.Log(false))
			if w != nil {
				defer w.Close()
			}
			if err := f.Usage(cmd, args, settings.Err(), err, filesErr); err != nil {
				return err
			}
			r := incidentReport{console: c, to: cli.LineWriter(c), collection: correlation.New(merger)}
			in := evaluation.Inputs{Console: c, Names: names}
			err = in.EachByTime(cmd.Context(), &evaluation.Evaluation{Filter: w, Window: window}, r.collection.Add)
			if err := errors.Join(err, in.Inspected()); err != nil {
				return err
			}
			found := r.collection.End()
			switch {
			case explain != "":
				err = r.explain(found, explain, output == "json")
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
					return cli.ErrAlert
				}
			}
			return nil
		},
	}
	cli.Strict(cmd)
	f.Add(cmd.Flags(), incidentFlags)
	f.Add(cmd.Flags(), evaluation.WindowFlags)
	cmd.Flags().StringVar(&explain, "explain", "", "explain the incident with this `ID`, with its records")
	f.AddEvaluating(cmd.Flags())
	for _, p := range filter.IncidentProperties() {
		cmd.Flags().Lookup(cli.FlagName(p.Name)[2:]).Hidden = false
	}
	return cmd
}

// indent stands before a summary that has lines of its own.
const indent = "    "

// incidentReport reads files and prints their incidents.
type incidentReport struct {
	console    *cli.Console
	to         *bufio.Writer
	collection *correlation.Collection
}

// incidentSeverities are the names under which severities have their colors.
var incidentSeverities = map[incident.Severity]string{
	incident.Info: "info", incident.Low: "notice", incident.Medium: "warning", incident.High: "error", incident.Critical: "critical",
}

func incidentSeverity(s incident.Severity) cli.Cell {
	shown := cli.SeverityCell(incidentSeverities[s])
	shown.Text = strings.ToUpper(s.String())
	return shown
}

func (r *incidentReport) table(found []*correlation.Found) error {
	below := r.console.Width > 0 && r.console.Width < cli.WideTable // the summary stands below its line
	columns := []cli.Column{
		{Title: "INCIDENT", Width: 16}, {Title: "SEVERITY", Width: cli.SeverityWidth}, {Title: "KINDS", Width: 24, Least: 11},
		{Title: "FIRST SEEN (UTC)", Width: 19, Spare: 1}, {Title: "LASTED", Width: 6, Right: true, Spare: 2},
		{Title: "RECORDS", Width: 7, Right: true, Spare: 3},
	}
	if !below {
		columns = append(columns, cli.Column{Title: "SUMMARY"})
	}
	g := cli.NewGrid(r.console, r.to, columns...)
	if len(found) > 0 {
		g.Title()
	}
	for _, i := range found {
		row := []cli.Cell{
			{Text: i.ID}, incidentSeverity(i.Severity), {Text: strings.Join(i.KindNames(), ", ")}, {Text: stamp(i.First)},
			{Text: lasted(i.Last - i.First)}, {Text: cli.Grouped(i.Incident.Records)}, {Text: i.Summary},
		}
		g.Row(row[:len(columns)]...)
		if below {
			for _, line := range cli.Wrapped(cli.Printable(i.Summary), r.console.Width-len(indent)) {
				fmt.Fprintln(r.to, indent+line)
			}
		}
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
	fmt.Fprintf(r.to, "%s in %s, %s of severity high or critical\n", cli.Count(len(found), "incident"), cli.Count(counts.Observed, "record"), cli.Grouped(loud))
	if len(found) > 0 {
		fmt.Fprintf(r.to, "wafctl incidents --explain %s explains it, with the records\n", found[0].ID)
	}
	if err := r.to.Flush(); err != nil {
		return err
	}
	r.warn(counts)
	return nil
}

// warn says what keeps incidents from being found.
func (r *incidentReport) warn(counts incident.Counts) {
	if counts.Observed > 0 && r.collection.Learns() {
		r.console.Note("enumeration and disclosure were not looked for: they learn what is usual first (--incident-learning)")
	}
	if counts.Late > 0 {
		r.console.Note(cli.Count(counts.Late, "record") + " came more than a minute late: give each log as a file of its own, which are merged by time")
	}
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

func (r *incidentReport) json(found []*correlation.Found) error {
	encoder := json.NewEncoder(r.to)
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
			line.Places = append(line.Places, cli.Mend(at.File)+":"+strconv.Itoa(at.Line))
		}
		if err := encoder.Encode(&line); err != nil {
			return err
		}
	}
	return r.to.Flush()
}

func (r *incidentReport) explain(found []*correlation.Found, id string, asJSON bool) error {
	for n, i := range found {
		switch {
		case i.ID != id:
		case asJSON:
			return r.json(found[n : n+1])
		default:
			r.explainOne(i)
			return r.to.Flush()
		}
	}
	return fmt.Errorf("no incident %q in these files (expected one that wafctl incidents lists)", id)
}

func (r *incidentReport) explainOne(i *correlation.Found) {
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(r.to, "%-11s %s\n", name, cli.Printable(text))
		}
	}
	fmt.Fprintf(r.to, "%s\n\n", cli.Printable(i.Summary))
	severity := incidentSeverity(i.Severity)
	line("incident", i.ID)
	fmt.Fprintf(r.to, "%-11s %s: %s\n", "severity", r.console.Paint(severity.Color, i.Severity.String()), cli.Printable(i.Reason))
	line("time", stamp(i.First)+" to "+stamp(i.Last)+" UTC")
	line("sources", countsText(i.Sources, i.SourceSeen))
	line("targets", countsText(i.Targets, i.TargetSeen))
	line("routes", countsText(i.Routes, 0))
	line("rules", countsText(i.Rules, 0))
	line("techniques", strings.Join(i.Techniques, ", "))
	line("related", strings.Join(i.Related, ", "))
	if i.Attacks > 0 {
		line("outcome", fmt.Sprintf("%s of %s blocked, %s likely succeeded", cli.Grouped(i.Blocked), cli.Count(i.Attacks, "attack"), cli.Grouped(i.Succeeded)))
	}
	fmt.Fprintln(r.to, "\nWhy:")
	for _, f := range i.Findings {
		fmt.Fprintf(r.to, "  %s  %-11s %-8s %s\n", stamp(f.Time), f.Kind, f.Severity, cli.Printable(f.Why))
	}
	if len(i.Hops) > 0 {
		fmt.Fprintln(r.to, "\nPath:")
	}
	for _, h := range i.Hops {
		fmt.Fprintf(r.to, "  %s  %s → %s  %s\n", stamp(h.Time), cli.Printable(h.From), cli.Printable(h.To), cli.Printable(h.What))
	}
	heading := "Records"
	if len(i.Records) < i.Incident.Records {
		heading = fmt.Sprintf("Records (%d of %s)", len(i.Records), cli.Grouped(i.Incident.Records))
	}
	fmt.Fprintf(r.to, "\n%s:\n", heading)
	for _, at := range i.Records {
		rules := ""
		if len(at.Rules) > 0 {
			rules = fmt.Sprintf("  rules %v", at.Rules)
		}
		fmt.Fprintf(r.to, "  %s:%d  %s  %s → %s  %s %s  %s%s\n", cli.Printable(at.File), at.Line, stamp(at.Time), cli.Printable(at.Source),
			cli.Printable(cmp.Or(at.Target, "?")), cli.Printable(at.Method), cli.Printable(at.Path), statusText(at.Status), rules)
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
		all = append(all, fmt.Sprintf("%s (%s)", one.Name, cli.Grouped(one.Count)))
	}
	if more := seen - len(list); more > 0 {
		all = append(all, "about "+cli.Grouped(more)+" more")
	}
	return strings.Join(all, ", ")
}

// stamp writes a time of an incident.
func stamp(milliseconds int64) string {
	return time.UnixMilli(milliseconds).UTC().Format("2006-01-02 15:04:05")
}

// lasted writes how long something took, in the largest unit of which it has two.
func lasted(milliseconds int64) string {
	seconds := milliseconds / 1000
	for _, unit := range []struct {
		size int64
		name string
	}{{24 * 3600, "d"}, {3600, "h"}, {60, "m"}} {
		if seconds >= 2*unit.size {
			return strconv.FormatInt(seconds/unit.size, 10) + unit.name
		}
	}
	return strconv.FormatInt(seconds, 10) + "s"
}
