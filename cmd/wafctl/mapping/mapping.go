// Package mapping is the command "wafctl map": it shows which field map reads a record, and what each field becomes.
// It also shows the built-in maps themselves. With it an operator finds out why a record is not inspected, or not all
// of it.
package mapping

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/intake"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/redact"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

var mapFlags = []setting.Property{
	{Name: "output", Default: "text", Values: []string{"text", "json"}, Help: "text for people, json one object per record"},
}

func New(c *cli.Console, args []string) *cobra.Command {
	var (
		f    cli.Flags
		all  bool
		show string
	)
	cmd := &cobra.Command{
		Use:   "map [flags] FILE…|-",
		Short: "Show how records are read",
		Long: `Show for sample records which field map is selected, what it reads from which key, what the rules see, and what is
unknown. Records with the same keys as an earlier one are only counted.

With --show NAME, print a built-in map, as a starting point for a custom one.

The exit code is 2 on errors, including lines that are not JSON, otherwise 0.`,
		Example: `  wafctl map access.ndjson
  wafctl map --field-map own.yaml access.ndjson
  wafctl map --show nginx > own.yaml`,
		RunE: func(cmd *cobra.Command, names []string) error {
			settings := setting.NewReader(&f, append(filter.Properties(), mapFlags...))
			m := mapper{console: c, to: cli.LineWriter(c), asJSON: settings.Word("output") == "json", all: all, counts: map[string]int{}}
			if show != "" {
				return f.Usage(cmd, args, settings.Err(), showMap(c, show))
			}
			var err error
			if m.choice, err = fieldmap.Open(settings.Text("field_map")); err != nil {
				settings.Problem("field_map", err)
			}
			m.choice.Trust(filter.ReadProxies(settings))
			m.redactor = filter.ReadRedactor(settings)
			if err := f.Usage(cmd, args, settings.Err(), cli.WantFiles(names)); err != nil {
				return err
			}
			return m.files(cmd.Context(), names)
		},
	}
	cli.Strict(cmd)
	f.Add(cmd.Flags(), mapFlags)
	f.Add(cmd.Flags(), cli.Only(filter.Properties(), append([]string{"field_map", "trusted_proxies"}, cli.Redacting...)...))
	cmd.Flags().BoolVar(&all, "all", false, "show every record")
	cmd.Flags().StringVar(&show, "show", "", "print the built-in map `NAME`")
	return cmd
}

func showMap(c *cli.Console, name string) error {
	text := fieldmap.BuiltInText(name)
	if text == "" {
		return fmt.Errorf("--show: unknown map %q (want %s)", name, setting.Choice(fieldmap.BuiltIn()))
	}
	_, err := io.WriteString(c.Out, text)
	return err
}

// mapper shows how records are mapped.
type mapper struct {
	console *cli.Console
	choice  *fieldmap.Choice

	redactor *redact.Redactor
	to       *bufio.Writer
	asJSON   bool
	all      bool

	shown       map[string]bool // key sequences of records that were shown
	counts      map[string]int  // records by map
	broken      int
	decoder     intake.Decoder
	values      fieldmap.Values
	transaction rules.Transaction
}

// mapped is what one record becomes.
type mapped struct {
	place  string
	line   int
	inside string        // path of the key that holds what is read, "" for the record itself
	m      *fieldmap.Map // nil when no map fits
	read   []fieldmap.Reading
	unread []string
	isLine bool // the record holds a plain line
	isHTTP bool // or a log whose fields are arguments
	tx     *rules.Transaction

	secrets *redact.Pass
}

func (m *mapper) files(ctx context.Context, names []string) error {
	m.shown = map[string]bool{}
	var problems []error
	for _, name := range names {
		if err := m.file(ctx, name); err != nil {
			problems = append(problems, err)
		}
	}
	if !m.asJSON {
		m.summary()
	}
	if m.broken > 0 {
		problems = append(problems, fmt.Errorf("%s could not be read", cli.Count(m.broken, "line")))
	}
	return errors.Join(append(problems, m.to.Flush())...)
}

func (m *mapper) file(ctx context.Context, name string) error {
	in, err := evaluation.OpenInput(name, m.console.In, nil)
	if err != nil {
		return err
	}
	defer in.Close()
	lines := intake.NewLines(in, evaluation.MaxLine)
	m.decoder = intake.Decoder{}
	for ctx.Err() == nil {
		block, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read records: %s: %w", in.Name, err)
		}
		if block.TooLong {
			m.unreadable(in.Name, block.Line, evaluation.ErrTooLong)
		}
		if m.decoder.Plain == intake.NoPlain {
			m.decoder.Plain = intake.PlainOf(block.Text)
		}
		for number, text := range block.All() {
			m.records(in.Name, number, text)
		}
	}
	return ctx.Err()
}

func (m *mapper) unreadable(name string, line int, err error) {
	m.broken++
	m.console.Say(fmt.Sprintf("%s:%d: %v", name, line, err))
}

// records shows the records of one line.
func (m *mapper) records(name string, line int, text []byte) {
	events, _, err := m.decoder.AppendEvents(nil, text, time.Now())
	for len(events) > 0 {
		event, rest, err := record.Next(events)
		if err != nil {
			break // the decoder writes whole events only
		}
		events = rest
		m.record(fmt.Sprintf("%s:%d", name, line), line, event.Meta, event.Body)
	}
	if err != nil {
		m.unreadable(name, line, err)
	}
}

// record shows a record, or those inside it.
func (m *mapper) record(place string, line int, metadata, body []byte) {
	r := mapped{place: place, line: line, tx: &m.transaction}
	i := m.choice.Read(metadata, body, &m.values)
	if i == fieldmap.Several {
		for _, one := range m.values.OwnRequests() {
			m.record(place, line, metadata, one)
		}
		return
	}
	name := "none"
	if i >= 0 {
		r.m = m.choice.Maps()[i]
		name = r.m.Name
		r.inside = m.values.Inside().Path
		if r.inside != "" {
			body, metadata = m.values.Inside().Body, nil
		}
		r.read, r.unread = r.m.Trace(metadata, body)
		if r.isHTTP = m.values.Transaction(r.tx); !r.isHTTP {
			m.transaction = rules.Transaction{}
		}
		r.secrets = filter.Secrets(m.redactor, &m.values, r.tx)
	} else {
		r.secrets = m.redactor.Start(&rules.Transaction{})
		r.unread = keys(body)
	}
	r.isLine = m.values.Inside().IsLine
	m.counts[name]++
	layout := name + "\n" + strings.Join(keys(body), "\n")
	if m.shown[layout] && !m.all {
		return
	}
	m.shown[layout] = true
	if m.asJSON {
		m.json(&r)
	} else {
		m.text(&r)
	}
}

func keys(body []byte) (names []string) {
	for pairs, _ := record.ReadMap(body); pairs.Next(); {
		names = append(names, pairs.Key)
	}
	return names
}

func (m *mapper) summary() {
	var parts []string
	total := 0
	for _, name := range append(m.choice.Names(), "none") {
		if n := m.counts[name]; n > 0 {
			parts = append(parts, cli.Printable(name)+" "+cli.Grouped(n))
			total += n
		}
	}
	fmt.Fprintf(m.to, "%s by field map: %s\n", cli.Count(total, "record"), strings.Join(parts, ", "))
}
