package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

var checkFlags = []setting.Property{
	{Name: "output", Default: "table", Values: []string{"table", "json"},
		Help: "table prints one line an alert and a summary, json one object a record, with --profile one in all"},
}

func newCheck(c *console, args []string) *cobra.Command {
	var (
		f       flags
		explain bool
		full    bool
		line    int
		profile bool
		all     bool
	)
	cmd := &cobra.Command{
		Use:   "check [flags] FILE…|-",
		Short: "Evaluate records in files and print what alerts",
		Long: `Evaluate records with the filter's own code and print what alerts. A file holds one JSON record a line, or the plain
lines of an access log: common and combined format, with or without a virtual host, W3C (IIS, CloudFront), AWS load
balancers, HAProxy. It may be compressed with gzip or zstd; - is the standard input. Files of any size take the same memory.

With --explain each record is explained instead: the scores, each matched rule with its text and what its
transformations made of the value, and every variable as the rules see it. --full prints long rules and values in full.

With --profile the rules are timed: how long each took in all its runs, and how often the prefilter spared it.

The exit code is 0 when nothing alerts, 1 when something does, and 2 on errors: when a line of a JSON file is not JSON,
and when there are records but none is an HTTP transaction, so that nothing was inspected.`,
		Example: `  wafctl check /var/log/nginx/access.log
  wafctl check records.ndjson
  zcat nano-*.gz | wafctl check --blocking-paranoia 2 --output json -
  wafctl check --explain --line 17 records.ndjson
  wafctl check --profile --prefilter off --cache-size 0 records.ndjson
  wafctl check --rules crs,/etc/waf/own.conf --exclude-rules 920350,tag:attack-xss records.ndjson.zst`,
		RunE: func(cmd *cobra.Command, names []string) error {
			settings := setting.NewReader(&f, checkFlags)
			output := settings.Word("output")
			open := filter.New
			if profile {
				open = filter.NewProfiled
			}
			w, err := open(&f, c.log(false))
			if w != nil {
				defer w.Close()
			}
			if err := f.usage(cmd, args, settings.Err(), err, wantFiles(names), wantMode(line, all, full, explain, profile)); err != nil {
				return err
			}
			if profile {
				p := profiling{console: c, filter: w, asJSON: output == "json", all: all}
				return p.run(cmd.Context(), names)
			}
			if explain {
				e := explainer{console: c, filter: w, to: lineWriter(c), asJSON: output == "json", full: full, line: line}
				return e.explain(cmd.Context(), names)
			}
			var to findings = newTable(c, len(names) > 1, f.Get("preset") != "" && !strings.EqualFold(f.Get("preset"), "off"))
			if output == "json" {
				to = newJSONLines(c, len(names) > 1)
			}
			return check(cmd.Context(), c, w, names, to)
		},
	}
	strict(cmd)
	f.add(cmd.Flags(), checkFlags)
	cmd.Flags().BoolVar(&explain, "explain", false, "explain each record")
	cmd.Flags().IntVar(&line, "line", 0, "with --explain only the record in line `NUMBER`")
	cmd.Flags().BoolVar(&full, "full", false, "with --explain print rules and values in full, however long they are")
	cmd.Flags().BoolVar(&profile, "profile", false, "tell where the time goes, rule by rule, instead of what alerts")
	cmd.Flags().BoolVar(&all, "all", false, "with --profile list all rules")
	c.codeOnly(cmd)
	f.addJudging(cmd.Flags())
	return cmd
}

// wantMode refuses flags that do not go together.
func wantMode(line int, all, full, explain, profile bool) error {
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
	return errors.Join(problems...)
}

func wantFiles(names []string) error {
	if len(names) == 0 {
		return errors.New("no file (want one or more, or - for standard input)")
	}
	return nil
}

// open returns the filter that the flags describe.
func (f *flags) open(c *console) (*filter.Filter, error) { return filter.New(f, c.log(false)) }

// findings writes what was found, record by record in input order.
type findings interface {
	record(file string, r *checked) error
	end(counts filter.Counts) error
}

// inputs are files of records, read one after the other.
type inputs struct {
	console *console
	names   []string
	alerts  int
	http    int          // records that are HTTP transactions
	strange int          // records that are none
	broken  int          // lines that are no records
	unread  int          // inputs that could not be read to their end
	blind   []blindInput // inputs of which nothing was inspected

	progress *progress
}

// blindInput is an input that has records, none of them an HTTP transaction.
type blindInput struct {
	name    string
	records int
	looks   string // of the first record
}

func check(ctx context.Context, c *console, f *filter.Filter, names []string, to findings) error {
	in := inputs{console: c, names: names}
	err := in.each(ctx, &evaluation{filter: f}, to.record)
	if err := errors.Join(to.end(f.Counts()), err, in.inspected()); err != nil {
		return err
	}
	if in.alerts > 0 {
		return errAlert
	}
	return nil
}

// each evaluates all records of all files. What cannot be read is told, and the error says so at the end.
func (in *inputs) each(ctx context.Context, e *evaluation, do func(file string, r *checked) error) error {
	in.progress = newProgress(in.console, in.names, e.filter.Counts)
	defer in.progress.end()
	var problems []error
	for _, name := range in.names {
		if err := in.one(ctx, e, name, do); err != nil {
			problems = append(problems, err)
			in.unread++
		}
	}
	if in.broken > 0 {
		problems = append(problems, fmt.Errorf("%s could not be read", count(in.broken, "line")))
	}
	return errors.Join(problems...)
}

// maxToldLines bounds how many unreadable lines of an input are told one by one.
const maxToldLines = 10

func (in *inputs) one(ctx context.Context, e *evaluation, name string, do func(file string, r *checked) error) error {
	from, err := openInput(name, in.console.in, in.progress)
	if err != nil {
		return err
	}
	defer from.close()
	told, http, strange, looks := 0, in.http, in.strange, ""
	err = e.run(ctx, from, func(r *checked) error {
		looks = cmp.Or(looks, r.looks)
		switch {
		case r.err != nil:
			in.broken++
			if told++; told <= maxToldLines {
				in.console.say(fmt.Sprintf("%s:%d: %v", from.name, r.line, r.err))
			} else if told == maxToldLines+1 {
				in.console.say(from.name + ": more lines like these are counted, not told")
			}
		case r.Kind == filter.NotHTTP:
			in.strange++
		case r.Kind == filter.Alert:
			in.alerts++
			in.http++
		default:
			in.http++
		}
		return do(from.name, r)
	})
	if err != nil {
		return fmt.Errorf("read records: %s: %w", from.name, err)
	}
	if n := in.strange - strange; n > 0 && in.http == http {
		in.blind = append(in.blind, blindInput{from.name, n, looks})
		in.tellStrange(from.name, name, n, looks)
	}
	return nil
}

// tellStrange warns of an input of which nothing was inspected.
func (in *inputs) tellStrange(title, name string, records int, looks string) {
	in.console.say(fmt.Sprintf(`warning: %s: no HTTP transaction in %s. The first one %s. "wafctl map %s" shows how records are read`,
		title, count(records, "record"), looks, name))
}

// errNothing ends a command that has found records, and none of HTTP.
var errNothing = errors.New("nothing was inspected: no record is an HTTP transaction")

// inspected returns an error when there were records and nothing was inspected.
func (in *inputs) inspected() error {
	if in.http == 0 && in.strange > 0 {
		return errNothing
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
