package check

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/intake"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// explainer explains records one by one.
type explainer struct {
	console *cli.Console
	filter  *filter.Filter
	to      *bufio.Writer
	asJSON  bool
	full    bool // rules and values are not shortened
	line    int  // the only one to explain, 0 for all
	decoder intake.Decoder

	alerts, broken int
}

// explain explains the records of all inputs.
func (e *explainer) explain(ctx context.Context, names []string) error {
	var problems []error
	for _, name := range names {
		if err := e.input(ctx, name); err != nil {
			problems = append(problems, err)
		}
	}
	if e.broken > 0 {
		problems = append(problems, fmt.Errorf("%s could not be read", cli.Count(e.broken, "line")))
	}
	if err := errors.Join(append(problems, e.to.Flush())...); err != nil {
		return err
	}
	if e.alerts > 0 {
		return cli.ErrAlert
	}
	return nil
}

func (e *explainer) input(ctx context.Context, name string) error {
	in, err := evaluation.OpenInput(name, e.console.In, nil)
	if err != nil {
		return err
	}
	defer in.Close()
	lines := intake.NewLines(in, evaluation.MaxLine)
	e.decoder = intake.Decoder{}
	explained := 0
	for ctx.Err() == nil {
		block, err := lines.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read records: %s: %w", in.Name, err)
		}
		n, err := e.block(in.Name, block)
		if err != nil {
			return err
		}
		explained += n
	}
	if explained == 0 && e.line > 0 {
		return fmt.Errorf("--line %d: no such record in %s", e.line, in.Name)
	}
	return nil
}

// block explains the wanted records of a block and returns how many those were.
func (e *explainer) block(name string, block intake.Block) (explained int, err error) {
	if block.TooLong && e.wants(block.Line) {
		e.unreadable(name, block.Line, evaluation.ErrTooLong)
	}
	if e.decoder.Plain == intake.NoPlain {
		e.decoder.Plain = intake.PlainOf(block.Text)
	}
	for number, text := range block.All() {
		if !e.wants(number) {
			e.decoder.Columns = intake.LastColumns(text, e.decoder.Columns)
			continue
		}
		events, _, problem := e.decoder.AppendEvents(nil, text, time.Now())
		for len(events) > 0 {
			event, rest, err := record.Next(events)
			if err != nil {
				return explained, err
			}
			if err := e.record(name, number, event.Raw); err != nil {
				return explained, err
			}
			events = rest
			explained++
		}
		if problem != nil {
			e.unreadable(name, number, problem)
		}
	}
	return explained, nil
}

func (e *explainer) wants(line int) bool { return e.line == 0 || e.line == line }

func (e *explainer) unreadable(name string, line int, err error) {
	e.broken++
	e.console.Say(fmt.Sprintf("%s:%d: %v", name, line, err))
}

func (e *explainer) record(name string, line int, event []byte) error {
	x, err := e.filter.Explain(event)
	if err != nil {
		return fmt.Errorf("%s:%d: %w", name, line, err)
	}
	if x.Parts == nil {
		return e.one(name, line, x)
	}
	for _, part := range x.Parts {
		if err := e.one(name, line, part); err != nil {
			return err
		}
	}
	return nil
}

func (e *explainer) one(name string, line int, x *filter.Explanation) error {
	if x.Kind == filter.Alert {
		e.alerts++
	}
	if e.asJSON {
		return json.NewEncoder(e.to).Encode(newJSONExplanation(line, x))
	}
	e.text(fmt.Sprintf("%s:%d", name, line), x)
	return nil
}

func (e *explainer) text(place string, x *filter.Explanation) {
	switch {
	case x.FieldMap == "":
		e.Title("%s: not HTTP: no field map knows its keys", place)
	case x.Transaction == nil:
		e.Title("%s: not HTTP according to the field map %s", place, x.FieldMap)
	default:
		e.Title("%s: %s, read with the field map %s", place, outcome(x), x.FieldMap)
		e.sums(x.Rules)
		e.rules(x)
		e.variables(x)
	}
	fmt.Fprintln(e.to)
}

func outcome(x *filter.Explanation) string {
	text := "clean"
	switch n := len(x.Rules.Verdict.Matches); {
	case x.Kind == filter.Alert:
		text = fmt.Sprintf("alert, score %d", x.Rules.Verdict.Score())
	case n > 0:
		text = fmt.Sprintf("no alert, score %d", x.Rules.Verdict.Score())
	}
	if parts := x.Rules.Verdict.Partial.Names(); parts != nil {
		text += ", partly inspected: " + strings.Join(parts, ", ")
	}
	return text
}

func (e *explainer) Title(format string, args ...any) {
	fmt.Fprintln(e.to, e.console.Paint(cli.Bold, cli.Printable(fmt.Sprintf(format, args...))))
}

func (e *explainer) section(title string) {
	fmt.Fprintf(e.to, "\n%s\n", e.console.Paint(cli.Bold, title))
}

// Widths of the names in lists of names and values; those that are longer push their value to the right.
const (
	minItemName = 32
	maxItemName = 44
)

// longest is the width to which a line is cut where there is no terminal.
const longest = 120

// cut returns the printable form of a text that begins in a column, cut so that it stays on its line.
func (e *explainer) cut(column int, text string) string {
	if e.full {
		return cli.Printable(text)
	}
	return cli.Cut(cli.Printable(text), max(cmp.Or(e.console.Width, longest)-column, cli.LastWidth))
}

// item writes a name and its value, indented, the value as long as it is.
func (e *explainer) item(name, value string) {
	fmt.Fprintf(e.to, "  %-*s  %s\n", minItemName, cli.Printable(name), cli.Printable(value))
}

// unlogged lists the parts of the transaction for which rules have no variables.
func (e *explainer) unlogged(t *rules.Transaction) {
	if t.Unknown != 0 {
		e.item("not logged", t.Unknown.String())
	}
	for _, cut := range []struct {
		what string
		is   bool
	}{{"request body", t.RequestCut}, {"response body", t.ResponseCut}} {
		if cut.is {
			e.item("cut", cut.what)
		}
	}
}

// variables lists what rules can read: first the transaction, then what the rules have noted themselves.
func (e *explainer) variables(x *filter.Explanation) {
	all := x.Rules.Variables
	label := func(v *rules.Variable) string { return cli.Printable(x.Text(v.Label())) }
	for _, part := range []struct {
		title string
		notes bool
	}{{"Variables", false}, {"Variables set by rules", true}} {
		e.section(part.title)
		if !part.notes {
			e.unlogged(x.Transaction)
		}
		width := minItemName
		for i := range all {
			if v := &all[i]; (v.Name == "TX") == part.notes {
				width = max(width, min(runewidth.StringWidth(label(v)), maxItemName))
			}
		}
		for i := range all {
			if v := &all[i]; (v.Name == "TX") == part.notes {
				fmt.Fprintf(e.to, "  %s  %s\n", runewidth.FillRight(label(v), width), e.cut(width+4, x.Value(v.Label(), v.Value)))
			}
		}
	}
}

func (e *explainer) rules(x *filter.Explanation) {
	e.section("Matched rules")
	if len(x.Rules.Verdict.Matches) == 0 {
		fmt.Fprintln(e.to, "  none")
	}
	for i := range x.Rules.Verdict.Matches {
		m := x.Match(i)
		severity := cli.SeverityCell(m.Rule.Severity.String())
		fmt.Fprintf(e.to, "  %d  %s  %s\n", m.Rule.ID, e.console.Paint(severity.Color, severity.Text), cli.Printable(m.Message))
		fmt.Fprintf(e.to, "    %s\n", e.console.Paint(cli.Dim, cli.Printable(fmt.Sprintf("%s:%d, phase %d", m.Rule.File, m.Rule.Line, m.Rule.Phase))))
		if m.Data != "" {
			fmt.Fprintf(e.to, "    %s\n", e.cut(4, m.Data))
		}
		e.reason(x, &x.Rules.Reasons[i])
	}
}

// valueColumn is where the values of transformations stand.
const valueColumn = 32

func (e *explainer) reason(x *filter.Explanation, r *rules.Reason) {
	for line := range strings.SplitSeq(r.Text, "\n") {
		fmt.Fprintf(e.to, "    %s\n", e.console.Paint(cli.Cyan, e.cut(4, line)))
	}
	for i := range r.Values {
		v := &r.Values[i]
		fmt.Fprintf(e.to, "    %s\n", e.cut(4, x.Text(v.Label())+" = "+x.Value(v.Label(), v.Value)))
		steps := x.Rules.Steps(r, v)
		for i, s := range steps {
			how, value := "original", e.cut(valueColumn, x.Value(v.Label(), s.Value))
			if i > 0 {
				how = "t:" + s.Transformation
				if s.Value == steps[i-1].Value {
					value = e.console.Paint(cli.Dim, "unchanged")
				}
			}
			fmt.Fprintf(e.to, "      %-*s  %s\n", valueColumn-8, how, value)
		}
	}
}

func (e *explainer) sums(x *rules.Explanation) {
	e.section("Scores")
	for _, s := range x.Verdict.Scores {
		e.item(s.Name, fmt.Sprint(s.Value))
	}
	for _, sum := range x.Sums {
		switch {
		case sum.Limit == 0:
			e.item(sum.Name, fmt.Sprintf("%d, and the rules set no limit", sum.Score))
		case sum.Alerts:
			fmt.Fprintf(e.to, "  %-32s  %s\n", sum.Name, e.console.Paint(cli.Red, fmt.Sprintf("%d, alerts from %d", sum.Score, sum.Limit)))
		default:
			e.item(sum.Name, fmt.Sprintf("%d, alerts from %d", sum.Score, sum.Limit))
		}
	}
}
