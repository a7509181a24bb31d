// Package check is the command "wafctl check": it evaluates the records of files and prints what alerts, as a table or as JSON.
// With --explain it shows why, with --profile which rules take the time. Verdicts come from package evaluation.
package check

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

var checkFlags = []setting.Property{
	{Name: "output", Default: "table", Values: []string{"table", "json"},
		Help: "table prints one line an alert and a summary, json one object a record, with --profile one in all"},
}

func New(c *cli.Console, args []string) *cobra.Command {
	var (
		f       cli.Flags
		explain bool
		full    bool
		line    int
		profile bool
		all     bool
	)
	cmd := &cobra.Command{
		Use:   "check [flags] FILE|DIR…|-",
		Short: "Evaluate records in files and print what alerts",
		Long: `Evaluate records with the filter's own code and print what alerts. A file holds one JSON record a line, or the plain
lines of an access log: common and combined format, with or without a virtual host, W3C (IIS, CloudFront), AWS load
balancers, HAProxy. It may be compressed with gzip or zstd; - is the standard input. Of a directory all files are read, and
quoted patterns are expanded. Files of any size take the same memory; several are read at the same time, and the output is
the same on each run.

With --since and --until only records in this span of time are inspected.

With --explain each record is explained instead: the scores, each matched rule with its text and what its
transformations made of the value, and every variable as the rules see it. --full prints long rules and values in full.

With --profile the rules are timed: how long each took in all its runs, and how often the prefilter spared it.

The exit code is 0 when nothing alerts, 1 when something does, and 2 on errors: when a line of a JSON file is not JSON,
and when there are records but none is an HTTP transaction, so that nothing was inspected.`,
		Example: `  wafctl check /var/log/nginx/access.log
  wafctl check records.ndjson
  wafctl check --since 2026-05-01 --until 2026-05-08 /srv/archive
  zcat nano-*.gz | wafctl check --blocking-paranoia 2 --output json -
  wafctl check --explain --line 17 records.ndjson
  wafctl check --profile --prefilter off --cache-size 0 records.ndjson
  wafctl check --rules crs,/etc/waf/own.conf --exclude-rules 920350,tag:attack-xss records.ndjson.zst`,
		RunE: func(cmd *cobra.Command, arguments []string) error {
			names, filesErr := evaluation.Files(arguments)
			settings := setting.NewReader(&f, slices.Concat(checkFlags, evaluation.WindowFlags))
			output, window := settings.Word("output"), evaluation.ReadWindow(settings, time.Now())
			open := filter.New
			if profile {
				open = filter.NewProfiled
			}
			w, err := open(&f, c.Log(false))
			if w != nil {
				defer w.Close()
			}
			if err := f.Usage(cmd, args, settings.Err(), err, filesErr, wantMode(line, all, full, explain, profile, window.IsBounded())); err != nil {
				return err
			}
			if profile {
				p := profiling{console: c, filter: w, asJSON: output == "json", all: all}
				return p.Run(cmd.Context(), names)
			}
			if explain {
				e := explainer{console: c, filter: w, to: cli.LineWriter(c), asJSON: output == "json", full: full, line: line}
				return e.explain(cmd.Context(), names)
			}
			var to findings = newTable(c, len(names) > 1, f.Get("preset") != "" && !strings.EqualFold(f.Get("preset"), "off"))
			if output == "json" {
				to = newJSONLines(c, len(names) > 1)
			}
			return check(cmd.Context(), c, &evaluation.Evaluation{Filter: w, Window: window}, names, to)
		},
	}
	cli.Strict(cmd)
	f.Add(cmd.Flags(), checkFlags)
	f.Add(cmd.Flags(), evaluation.WindowFlags)
	cmd.Flags().BoolVar(&explain, "explain", false, "explain each record")
	cmd.Flags().IntVar(&line, "line", 0, "with --explain only the record in line `NUMBER`")
	cmd.Flags().BoolVar(&full, "full", false, "with --explain print rules and values in full, however long they are")
	cmd.Flags().BoolVar(&profile, "profile", false, "tell where the time goes, rule by rule, instead of what alerts")
	cmd.Flags().BoolVar(&all, "all", false, "with --profile list all rules")
	c.CodeOnly(cmd)
	f.AddJudging(cmd.Flags())
	return cmd
}

// wantMode refuses flags that do not go together.
func wantMode(line int, all, full, explain, profile, window bool) error {
	problem := func(flag, text string) error {
		return &setting.Problem{Noun: "flag", Name: flag, Err: errors.New(text)}
	}
	var problems []error
	if line < 0 || line > 0 && !explain {
		problems = append(problems, problem("line", "goes with --explain (want the number of a line, from 1)"))
	}
	if full && !explain {
		problems = append(problems, problem("full", "goes with --explain"))
	}
	if all && !profile {
		problems = append(problems, problem("all", "goes with --profile"))
	}
	if explain && profile {
		problems = append(problems, problem("profile", "does not go with --explain (want one of them)"))
	}
	if window && (explain || profile) {
		problems = append(problems, problem("since", "does not go with --explain and --profile, as --until"))
	}
	return errors.Join(problems...)
}

// findings writes what was found, record by record in input order.
type findings interface {
	record(file string, r *evaluation.Checked) error
	End(counts filter.Counts, outside int) error
}

func check(ctx context.Context, c *cli.Console, e *evaluation.Evaluation, names []string, to findings) error {
	in := evaluation.Inputs{Console: c, Names: names}
	err := in.Each(ctx, e, to.record)
	if err := errors.Join(to.End(e.Filter.Counts(), in.Outside), err, in.Inspected()); err != nil {
		return err
	}
	if in.Alerts > 0 {
		return cli.ErrAlert
	}
	return nil
}
