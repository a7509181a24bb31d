package check

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// profiling measures what each rule costs.
type profiling struct {
	console *cli.Console
	filter  *filter.Filter
	asJSON  bool
	all     bool // every rule, also those that never ran
}

func (p *profiling) Run(ctx context.Context, names []string) error {
	in := evaluation.Inputs{Console: p.console, Names: names}
	start := time.Now()
	err := in.Each(ctx, &evaluation.Evaluation{Filter: p.filter, Calm: true}, func(string, *evaluation.Checked) error { return nil })
	took := time.Since(start)
	to := cli.LineWriter(p.console)
	if p.asJSON {
		err = errors.Join(p.json(to, took), err)
	} else {
		p.table(to, took)
	}
	if err := errors.Join(to.Flush(), err); err != nil {
		return err
	}
	if in.Alerts > 0 {
		return cli.ErrAlert
	}
	return nil
}

// maxProfiled is how many rules the table has unless all are wanted.
const maxProfiled = 25

func (p *profiling) table(to *bufio.Writer, took time.Duration) {
	counts, profile := p.filter.Counts(), p.filter.Profile()
	ruleTime := sumOf(profile.Rules)
	fmt.Fprintf(to, "%s in %s: %s\n\n", cli.Count(counts.Records, "record"), Duration(took), cli.Count(counts.Alerts, "alert"))
	for _, line := range []struct {
		n    uint64
		what string
	}{
		{counts.NotHTTP, "not HTTP"},
		{profile.Cached, "with a cached verdict"},
		{profile.Prefiltered, "decided by the prefilter: no rule ran"},
		{profile.Evaluated, "evaluated by the engine, without rules that the prefilter ruled out"},
	} {
		fmt.Fprintf(to, "%10s  %s\n", cli.Grouped(line.n), line.what)
	}
	fmt.Fprintf(to, "\nThe prefilter took %s, the engine %s, of which %s in rules.\n", Duration(profile.Prefilter), Duration(profile.Engine), Duration(ruleTime))
	shown := p.shown(profile.Rules)
	if len(shown) == 0 {
		fmt.Fprintf(to, "\nNo rule ran. Use --prefilter off --cache-size 0 to run all rules for every record.\n")
		return
	}
	fmt.Fprintln(to)
	g := cli.NewGrid(p.console, to, cli.Column{Title: "RULE", Width: cli.RuleWidth}, cli.Column{Title: "TIME", Width: 9, Right: true},
		cli.Column{Title: "SHARE", Width: 6, Right: true, Spare: 1}, cli.Column{Title: "RUNS", Width: 9, Right: true},
		cli.Column{Title: "A RUN", Width: 8, Right: true, Spare: 2}, cli.Column{Title: "SKIPPED", Width: 9, Right: true}, cli.Column{Title: "MESSAGE"})
	g.Title()
	for i := range shown {
		r := &shown[i]
		g.Row(cli.Cell{Text: strconv.Itoa(r.ID)}, cli.Cell{Text: Duration(r.Time)}, cli.Cell{Text: percent(r.Time, ruleTime)}, cli.Cell{Text: cli.Grouped(r.Runs)},
			cli.Cell{Text: Duration(each(r))}, cli.Cell{Text: cli.Grouped(r.Spared)}, cli.Cell{Text: what(r)})
	}
	if left := ran(profile.Rules) - len(shown); left > 0 {
		fmt.Fprintf(to, "%s more ran, in %s; --all lists them\n", cli.Count(left, "rule"), Duration(ruleTime-sumOf(shown)))
	}
	fmt.Fprintf(to, "\nTIME is wall-clock time of all runs. SKIPPED: how often the prefilter ruled the rule out.\n")
}

func (p *profiling) shown(all []rules.RuleTime) []rules.RuleTime {
	if p.all {
		return all
	}
	return all[:min(maxProfiled, ran(all))]
}

// ran returns how many rules ran; those come first.
func ran(all []rules.RuleTime) (n int) {
	for n < len(all) && all[n].Runs > 0 {
		n++
	}
	return n
}

func sumOf(all []rules.RuleTime) (sum time.Duration) {
	for i := range all {
		sum += all[i].Time
	}
	return sum
}

// each returns the time of one run.
func each(r *rules.RuleTime) time.Duration {
	if r.Runs == 0 {
		return 0
	}
	return r.Time / time.Duration(r.Runs)
}

// what says of a rule what it is for.
func what(r *rules.RuleTime) string {
	if !r.Detection {
		return "(setup or scoring)"
	}
	return r.Message
}

// Duration writes a time in three digits or fewer.
func Duration(d time.Duration) string {
	switch {
	case d < time.Microsecond:
		return fmt.Sprintf("%d ns", d.Nanoseconds())
	case d < time.Millisecond:
		return digits(float64(d)/float64(time.Microsecond)) + " µs"
	case d < time.Second:
		return digits(float64(d)/float64(time.Millisecond)) + " ms"
	}
	return digits(d.Seconds()) + " s"
}

func digits(x float64) string {
	if x < 9.95 {
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

func percent(part, whole time.Duration) string {
	if whole == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}

// JSONProfile is what check --profile --output json says; times are in nanoseconds.
type JSONProfile struct {
	Records     uint64         `json:"records"`
	Alerts      uint64         `json:"alerts"`
	NotHTTP     uint64         `json:"not_http"`
	Took        int64          `json:"took_ns"`
	Cached      uint64         `json:"remembered"`
	Prefiltered uint64         `json:"gated"`
	Evaluated   uint64         `json:"judged"`
	Gate        int64          `json:"gate_ns"`
	Engine      int64          `json:"engine_ns"`
	Rules       []jsonRuleTime `json:"rules"`
}

type jsonRuleTime struct {
	ID      int    `json:"id"`
	Message string `json:"msg,omitempty"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Phase   int    `json:"phase"`
	Time    int64  `json:"time_ns"`
	Runs    uint64 `json:"runs"`
	Spared  uint64 `json:"spared"`
}

func (p *profiling) json(to *bufio.Writer, took time.Duration) error {
	counts, profile := p.filter.Counts(), p.filter.Profile()
	j := JSONProfile{
		Records: counts.Records, Alerts: counts.Alerts, NotHTTP: counts.NotHTTP, Took: took.Nanoseconds(),
		Cached: profile.Cached, Prefiltered: profile.Prefiltered, Evaluated: profile.Evaluated,
		Gate: profile.Prefilter.Nanoseconds(), Engine: profile.Engine.Nanoseconds(), Rules: []jsonRuleTime{},
	}
	for i := range profile.Rules {
		r := &profile.Rules[i]
		j.Rules = append(j.Rules, jsonRuleTime{
			ID: r.ID, Message: cli.Mend(r.Message), File: cli.Mend(r.File), Line: r.Line, Phase: r.Phase, Time: r.Time.Nanoseconds(), Runs: r.Runs, Spared: r.Spared,
		})
	}
	return json.NewEncoder(to).Encode(&j)
}
