package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

var checkFlags = []setting.Property{
	{Name: "output", Default: "table", Values: []string{"table", "json"},
		Help: "table prints one line an alert and a summary, json one object a record"},
}

func newCheck(c *console, args []string) *cobra.Command {
	var (
		f       flags
		explain bool
		line    int
	)
	cmd := &cobra.Command{
		Use:   "check [flags] FILE…|-",
		Short: "Evaluate records in files and print what alerts",
		Long: `Evaluate records with the filter's own code and print what alerts. A file holds one JSON record a line and
may be compressed with gzip or zstd; - is the standard input. Files of any size take the same memory.

With --explain each record is explained instead: every variable as the rules see it, each matched rule with its text
and what its transformations made of the value, and the scores.

The exit code is 0 when nothing alerts, 1 when something does, and 2 on errors, lines that are not JSON among them.`,
		Example: `  wafctl check records.ndjson
  zcat nano-*.gz | wafctl check --blocking-paranoia 2 --output json -
  wafctl check --explain --line 17 records.ndjson
  wafctl check --rules crs,/etc/waf/own.conf --exclude-rules 920350,tag:attack-xss records.ndjson.zst`,
		RunE: func(cmd *cobra.Command, names []string) error {
			settings := setting.NewReader(&f, checkFlags)
			output := settings.Word("output")
			w, err := f.open(c)
			if w != nil {
				defer w.Close()
			}
			if err := f.usage(cmd, args, settings.Err(), err, wantFiles(names), wantLine(line, explain)); err != nil {
				return err
			}
			if explain {
				e := explainer{console: c, filter: w, to: lineWriter(c), asJSON: output == "json", line: line}
				return e.explain(cmd.Context(), names)
			}
			var to report = newTable(c, len(names) > 1)
			if output == "json" {
				to = newJSONLines(c, len(names) > 1)
			}
			return check(cmd.Context(), c, w, names, to)
		},
	}
	strict(cmd)
	f.add(cmd.Flags(), checkFlags)
	cmd.Flags().BoolVar(&explain, "explain", false, "explain each record")
	cmd.Flags().IntVar(&line, "line", 0, "explain only the record in this `line`")
	f.addJudging(cmd.Flags())
	return cmd
}

func wantLine(line int, explain bool) error {
	if line < 0 || line > 0 && !explain {
		return &setting.Problem{Noun: "flag", Name: "line", Err: errors.New("goes with --explain (want the number of a line, from 1)")}
	}
	return nil
}

func wantFiles(names []string) error {
	if len(names) == 0 {
		return errors.New("no file (want one or more, or - for standard input)")
	}
	return nil
}

// open returns the filter that the flags describe.
func (f *flags) open(c *console) (*filter.Filter, error) { return filter.New(f, c.log(false)) }

// report writes what was found, record by record in input order.
type report interface {
	record(file string, r *checked) error
	end(counts filter.Counts) error
}

// tally is what a check leaves behind for the exit code.
type tally struct{ alerts, broken int }

func check(ctx context.Context, c *console, f *filter.Filter, names []string, to report) error {
	var (
		found    tally
		problems []error
	)
	for _, name := range names {
		if err := checkInput(ctx, c, f, name, to, &found); err != nil {
			problems = append(problems, err)
		}
	}
	if err := to.end(f.Counts()); err != nil {
		problems = append(problems, err)
	}
	if found.broken > 0 {
		problems = append(problems, fmt.Errorf("%s could not be read", count(found.broken, "line")))
	}
	switch {
	case len(problems) > 0:
		return errors.Join(problems...)
	case found.alerts > 0:
		return errAlert
	}
	return nil
}

// maxToldLines bounds how many unreadable lines of an input are told one by one.
const maxToldLines = 10

func checkInput(ctx context.Context, c *console, f *filter.Filter, name string, to report, found *tally) error {
	in, err := openInput(name, c.in)
	if err != nil {
		return err
	}
	defer in.close()
	told := 0
	err = evaluate(ctx, f, in, func(r *checked) error {
		switch {
		case r.err != nil:
			found.broken++
			if told++; told <= maxToldLines {
				c.say(fmt.Sprintf("%s:%d: %v", in.name, r.line, r.err))
			} else if told == maxToldLines+1 {
				c.say(in.name + ": more lines like these are counted, not told")
			}
		case r.Kind == filter.Alert:
			found.alerts++
		}
		return to.record(in.name, r)
	})
	if err != nil {
		return fmt.Errorf("read records: %s: %w", in.name, err)
	}
	return nil
}

// count writes a number with its noun.
func count[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(n) + " " + noun + "s"
}

// grouped writes a number with commas between its thousands.
func grouped[N int | uint64](n N) string {
	text := fmt.Sprint(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// lineWriter buffers what a command prints.
func lineWriter(c *console) *bufio.Writer { return bufio.NewWriterSize(c.out, 64<<10) }
