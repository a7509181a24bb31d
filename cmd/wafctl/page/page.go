// Package page is the command "wafctl report": it evaluates the records of files and writes a page about the alerts
// in them. This package reads the flags and the records, and knows what the run has seen. The page itself is made by
// package report.
package page

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/correlation"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/logtime"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/report"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

func New(c *cli.Console, args []string) *cobra.Command {
	var (
		f      cli.Flags
		output string
	)
	cmd := &cobra.Command{
		Use:   "report [flags] FILE|DIR…|-",
		Short: "Write an HTML report about alerts",
		Long: `Evaluate records as check does, and write an HTML report: alerts over time, incidents with a graph of who attacked whom, each
attacker with its requests and how far it got, outcomes, severities, matched rules, and sample alerts. The page is one file
without scripts: it needs no network and can be mailed or archived. Credentials, cookies, tokens and other secrets are
redacted unless --redact is off. Several files or directories, such as the logs of several services, are merged by time. The
incidents are the same as in wafctl incidents. Files may be compressed with gzip or zstd; - is standard input. Neither the
page nor memory grows with the size of files.

The exit code is 0 if the page is written, and 2 on errors: if a line of a JSON file is not JSON, or if there are records
but none is an HTTP transaction. If a file cannot be read, no page is written and an existing one is kept.`,
		Example: `  wafctl report -o report.html /var/log/nginx/access.log
  wafctl report -o report.html records.ndjson
  wafctl report -o monday.html --exclude-rules 920350 nano-*.ndjson.gz
  wafctl report -o may.html /srv/archive/shop /srv/archive/billing
  zcat nano.ndjson.gz | wafctl report -o - - > report.html`,
		RunE: func(cmd *cobra.Command, arguments []string) error {
			names, filesErr := evaluation.Files(arguments)
			w, merger, err := filter.NewObserving(c.Host, &f, c.Log(false))
			if w != nil {
				defer w.Close()
			}
			if err := f.Usage(cmd, args, err, filesErr, cli.Writable("--output", output)); err != nil {
				return err
			}
			r := reporting{console: c, filter: w, digest: report.NewDigest(), incidents: correlation.New(merger)}
			in := evaluation.Inputs{Console: c, Names: names}
			err = in.EachByTime(cmd.Context(), &evaluation.Evaluation{Filter: w}, r.Add)
			if in.Unread > 0 {
				return err // a page of the rest would take the place of a whole one
			}
			return errors.Join(r.Write(output, r.head(&in, &f)), err, in.Inspected())
		},
	}
	cli.Strict(cmd)
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVarP(&output, "output", "o", "report.html", "write the page to `FILE`; - is standard output")
	c.QuietFlag(cmd, "print nothing but problems")
	f.AddEvaluating(cmd.Flags())
	for _, name := range cli.Redacting {
		cmd.Flags().Lookup(cli.FlagName(name)[2:]).Hidden = false
	}
	for _, p := range filter.IncidentProperties() {
		cmd.Flags().Lookup(cli.FlagName(p.Name)[2:]).Hidden = false
	}
	return cmd
}

// reporting makes the page.
type reporting struct {
	console *cli.Console
	filter  *filter.Filter
	digest  *report.Digest

	incidents *correlation.Collection
	succeeded int // alerts whose attack likely succeeded
}

func (r *reporting) Add(file string, found *evaluation.Checked) error {
	if err := r.incidents.Add(file, found); err != nil {
		return err
	}
	if found.Err != nil || found.Kind != filter.Alert {
		return nil
	}
	details := found.Alert.Details
	named := details.Rule()
	a := report.Alert{
		Source: details.ClientIP, Peer: details.ClientIP, Destination: cmp.Or(details.ServerIP, details.ServerName), Method: details.Method, Host: details.ServerName, URI: details.URI,
		UserAgent: details.UserAgent, Outcome: details.Outcome, Reason: details.Reason, Severity: details.Severity, Score: details.Score,
		Matched: matched(named), Place: fmt.Sprintf("%s:%d", file, found.Line), Rule: reportRule(named),
	}
	if found.Observation != nil {
		a.Source = found.Observation.Source // the client behind trusted proxies, or the name of a service, as incidents have it
	}
	if len(details.Forwarded) > 0 {
		a.Forwarded = details.Forward
	}
	a.Time, _ = logtime.Parse(details.Begin, nil) // the page says how many have none
	a.Status, _ = strconv.Atoi(details.Status)    // 0 is not known
	for i := range details.Matches {
		a.Rules = append(a.Rules, reportRule(&details.Matches[i]))
	}
	if details.Outcome == alert.LikelySucceeded {
		r.succeeded++
	}
	r.digest.Add(&a)
	return nil
}

// matched writes what a rule has found; the rule itself can be looked up.
func matched(m *rules.Match) string {
	if m.Variable == "" {
		return m.Wording()
	}
	return m.Variable + ": " + m.Value
}

func reportRule(m *rules.Match) report.Rule {
	return report.Rule{ID: m.Rule.ID, Severity: m.Severity(), Message: m.Message, Category: m.Rule.Category()}
}

func (r *reporting) head(in *evaluation.Inputs, f *cli.Flags) report.Head {
	counts, unreadable := r.filter.Counts(), uint64(in.Broken)
	head := report.Head{
		Records: counts.Records + unreadable, NotHTTP: counts.NotHTTP, Broken: counts.Broken + counts.Skipped + unreadable,
		RuleSet: r.filter.RuleSet(), Made: time.Now(), MadeBy: "wafctl " + filter.Version,
	}
	for _, found := range r.incidents.End() {
		head.Incidents = append(head.Incidents, found.Incident)
	}
	for _, b := range in.Blind {
		head.Blind = append(head.Blind, report.Blind{File: b.Name, Records: b.Records, Looks: b.Looks})
	}
	for _, name := range in.Names {
		if name == "-" {
			name = evaluation.StdinName
		}
		head.Files = append(head.Files, name)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Values)) {
		if !slices.Contains(cli.Writing, name) || slices.Contains(cli.Redacting, name) {
			head.Settings = append(head.Settings, name+" "+f.Values[name])
		}
	}
	return head
}

// Write writes the page, and tells where it is.
func (r *reporting) Write(path string, head report.Head) error {
	var page bytes.Buffer
	if err := r.digest.Write(&page, head); err != nil {
		return err
	}
	if path == "-" {
		if _, err := page.WriteTo(r.console.Out); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
		return nil
	}
	if err := os.WriteFile(path, page.Bytes(), 0o640); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if r.console.Quiet {
		return nil
	}
	_, err := fmt.Fprintf(r.console.Out, "%s: %s in %s, %d kB\n", cli.Printable(path), r.summary(&head), cli.Count(head.Records, "record"),
		(page.Len()+999)/1000)
	return err
}

// summary writes in a few words what is on the page.
func (r *reporting) summary(head *report.Head) string {
	text := cli.Count(r.filter.Counts().Alerts, "alert")
	switch {
	case head.HTTP() <= 0:
		return "nothing was inspected"
	case r.succeeded > 0:
		text += " (" + cli.Grouped(r.succeeded) + " likely succeeded)"
	}
	return text
}
