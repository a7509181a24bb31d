// Package compare is the command "wafctl compare": it evaluates each record with two sets of settings. It prints the
// records whose verdicts differ, and the rules that make the difference. With it an operator sees what a change of
// settings does before it takes effect.
package compare

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

var compareFlags = []setting.Property{
	{Name: "output", Default: "table", Values: []string{"table", "json"},
		Help: "table prints one line per change and a summary, json one object per change"},
}

func New(c *cli.Console, args []string) *cobra.Command {
	var (
		f    cli.Flags
		with []string
	)
	cmd := &cobra.Command{
		Use:   "compare [flags] --with PROPERTY=VALUE… FILE…|-",
		Short: "Preview what other rules or settings change",
		Long: `Evaluate the same records twice, with the settings of the flags and with the changes of --with, and show each record for
which the outcome, the matched rules or the score differ.

The exit code is 0 if nothing differs, 1 if something does, and 2 on errors.`,
		Example: `  wafctl compare --with blocking_paranoia=2 records.ndjson
  wafctl compare --with rules=crs,new.conf --with exclude_rules=942100 records.ndjson.gz
  wafctl compare --rules old/ --with rules=new/ --output json records.ndjson`,
		RunE: func(cmd *cobra.Command, arguments []string) error {
			names, filesErr := evaluation.Files(arguments)
			settings := setting.NewReader(&f, compareFlags)
			output := settings.Word("output")
			changed, problem := changedSettings(&f, with)
			before, beforeErr := f.Open(c)
			if before != nil {
				defer before.Close()
			}
			after, afterErr := filter.New(c.Host, changed, c.Log(false))
			if after != nil {
				defer after.Close()
			}
			if err := f.Usage(cmd, args, settings.Err(), problem, beforeErr, cli.Named("with --with", afterErr, beforeErr), filesErr); err != nil {
				return err
			}
			var to changeReport = newChangeTable(c, len(names) > 1)
			if output == "json" {
				to = newChangeLines(c, len(names) > 1)
			}
			in := evaluation.Inputs{Console: c, Names: names}
			differs := false
			err := in.Each(cmd.Context(), &evaluation.Evaluation{Filter: before, Other: after}, func(file string, r *evaluation.Checked) error {
				d := newChange(r)
				differs = differs || d != nil
				return to.change(file, r, d)
			})
			if err := errors.Join(to.End(before.Counts(), after.Counts()), err); err != nil {
				return err
			}
			if differs {
				return cli.ErrAlert
			}
			return nil
		},
	}
	cli.Strict(cmd)
	cmd.Flags().StringArrayVar(&with, "with", nil, "set a property for the second evaluation: `PROPERTY=VALUE`")
	f.Add(cmd.Flags(), compareFlags)
	c.CodeOnly(cmd)
	f.AddEvaluating(cmd.Flags())
	return cmd
}

// changedSettings returns the settings of the flags with some of them changed.
func changedSettings(f *cli.Flags, changes []string) (setting.Map, error) {
	changed := maps.Clone(f.Values)
	var problems []error
	if len(changes) == 0 {
		problems = append(problems, errors.New("missing (want PROPERTY=VALUE)"))
	}
	for _, change := range changes {
		name, value, isPair := strings.Cut(change, "=")
		name = strings.ReplaceAll(strings.TrimSpace(name), "-", "_")
		known := slices.ContainsFunc(filter.Properties(), func(p setting.Property) bool { return p.Name == name })
		switch {
		case !isPair:
			problems = append(problems, fmt.Errorf("malformed change %q (want PROPERTY=VALUE)", change))
		case !known:
			problems = append(problems, fmt.Errorf("unknown property %q (want one of \"Rules and alerts\" in --help --all)", name))
		}
		changed[name] = value
	}
	if problems == nil {
		return changed, nil
	}
	return changed, &setting.Problem{Noun: "flag", Name: "with", Err: errors.Join(problems...)}
}

// change is what a second evaluation says differently of a record.
type change struct {
	outcome       string   // what becomes of the alert: new alert, alert gone, or same outcome
	added, gone   []string // rules
	before, after int      // scores
}

// Outcomes of a change.
const (
	newAlert    = "new alert"
	alertGone   = "alert gone"
	sameOutcome = "same outcome"
)

// newChange returns what differs between both findings of a record, nil when nothing does.
func newChange(r *evaluation.Checked) *change {
	if r.Err != nil {
		return nil
	}
	was, is := evaluation.MatchedIDs(r.Verdict), evaluation.MatchedIDs(r.Other.Verdict)
	d := &change{outcome: sameOutcome, before: score(r.Verdict), after: score(r.Other.Verdict)}
	for _, id := range is {
		if !slices.Contains(was, id) {
			d.added = append(d.added, fmt.Sprint(id))
		}
	}
	for _, id := range was {
		if !slices.Contains(is, id) {
			d.gone = append(d.gone, fmt.Sprint(id))
		}
	}
	switch {
	case r.Kind != filter.Alert && r.Other.Kind == filter.Alert:
		d.outcome = newAlert
	case r.Kind == filter.Alert && r.Other.Kind != filter.Alert:
		d.outcome = alertGone
	case r.Kind == r.Other.Kind && d.before == d.after && len(d.added)+len(d.gone) == 0:
		return nil
	}
	return d
}

func score(v *rules.Verdict) int {
	if v == nil {
		return 0
	}
	return v.Score()
}
