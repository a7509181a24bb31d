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
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

var checkFlags = []setting.Property{
	{Name: "output", Default: "table", Values: []string{"table", "json"},
		Help: "table prints one line per alert and a summary, json one object per record, with --profile a single one"},
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
		Long: `Evaluate records and print what alerts. A file has one JSON record per line, or access log lines: common and combined
format, with or without a virtual host, W3C (IIS, CloudFront), AWS load balancers, HAProxy, Envoy. It may be compressed
with gzip or zstd; - is standard input. Directories are read recursively, and quoted patterns are expanded. Memory does
not depend on the size of files, and the output is the same on each run.

With --since and --until, only inspect records in this span of time.

With --explain, show the scores, each matched rule with its text and its transformations step by step, and every variable
of each record. --full does not truncate rules and values.

With --profile, measure the time of each rule, and how often the prefilter ruled it out.

The exit code is 0 if nothing alerts, 1 if something does, and 2 on errors: if a line of a JSON file is not JSON, or none
of the records is an HTTP transaction.`,
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
			w, err := open(c.Host, &f, c.Log(false))
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
	cmd.Flags().IntVar(&line, "line", 0, "with --explain, only the record in line `NUMBER`")
	cmd.Flags().BoolVar(&full, "full", false, "with --explain, do not truncate rules and values")
	cmd.Flags().BoolVar(&profile, "profile", false, "show the time of each rule instead of alerts")
	cmd.Flags().BoolVar(&all, "all", false, "with --profile, list all rules")
	c.CodeOnly(cmd)
	f.AddEvaluating(cmd.Flags())
	return cmd
}

// wantMode refuses flags that do not go together.
func wantMode(line int, all, full, explain, profile, window bool) error {
	problem := func(flag, text string) error {
		return &setting.Problem{Noun: "flag", Name: flag, Err: errors.New(text)}
	}
	var problems []error
	if line < 0 || line > 0 && !explain {
		problems = append(problems, problem("line", "requires --explain (want the number of a line, from 1)"))
	}
	if full && !explain {
		problems = append(problems, problem("full", "requires --explain"))
	}
	if all && !profile {
		problems = append(problems, problem("all", "requires --profile"))
	}
	if explain && profile {
		problems = append(problems, problem("profile", "cannot be combined with --explain"))
	}
	if window && (explain || profile) {
		problems = append(problems, problem("since", "cannot be combined with --explain and --profile, as --until"))
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
