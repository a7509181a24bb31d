package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	jsoniter "github.com/json-iterator/go"
	"github.com/spf13/cobra"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

var rulesFlags = []setting.Property{
	{Name: "output", Default: "table", Values: []string{"table", "json"},
		Help: "table prints one line a rule, json one object a rule with all its tags and its text"},
}

func newRules(c *console, args []string) *cobra.Command {
	var (
		f         flags
		checkOnly bool
		all       bool
		prefilter bool
		diff      bool
	)
	cmd := &cobra.Command{
		Use:   "rules [flags] [SOURCE…]",
		Short: "List the rules that the settings load, or check rule files",
		Long: `List the detection rules that the settings load: the embedded OWASP Core Rule Set, or the files, globs and
directories of SecLang that are given as SOURCE, which are the same as --rules.

With --field-map the rules are listed that are left out for its records, and why: a rule that judges what a source does
not log would take it for something that was not sent.

With --diff two sources are loaded with the same settings, and the rules are listed that were added, removed or changed
in the second one, and the directives that differ. The exit code is then 0 when nothing differs, and 1 when something does.

With --check nothing is listed. Everything in the rules that cannot be used is told with its file and line, and the
last line says how many rules are loaded and how many are skipped. The exit code is then 0 when everything is used, 1
when something is left out or broken, and 2 when the rules are refused whatever --rules-strict says.`,
		Example: `  wafctl rules --exclude-rules tag:attack-xss
  wafctl rules --output json | jq -r 'select(.paranoia == 2) | .id'
  wafctl rules --field-map nginx
  wafctl rules --diff /etc/modsecurity.old /etc/modsecurity.d
  wafctl rules --check /etc/modsecurity.d`,
		RunE: func(cmd *cobra.Command, sources []string) error {
			settings := setting.NewReader(&f, rulesFlags)
			output := settings.Word("output")
			if diff {
				var problem error
				if len(sources) != 2 {
					problem = fmt.Errorf("--diff: %s given (want OLD and NEW)", count(len(sources), "source"))
				}
				if err := f.usage(cmd, args, settings.Err(), problem); err != nil {
					return err
				}
				return diffRules(c, &f, sources, output == "json")
			}
			if len(sources) > 0 {
				f.values["rules"] = strings.Join(sources, ",")
			}
			if checkOnly {
				report, err := filter.CheckRules(&f)
				if err := f.usage(cmd, args, settings.Err(), err); err != nil {
					return err
				}
				return tellReport(c, &report)
			}
			w, err := filter.New(&f, func(filter.Level, string) {})
			if w != nil {
				defer w.Close()
			}
			if err := f.usage(cmd, args, settings.Err(), err); err != nil {
				return err
			}
			if prefilter {
				return listPrefilter(c, w)
			}
			if _, given := f.values["field_map"]; given {
				return listLeftOut(c, w, output == "json", all)
			}
			if output == "json" {
				return listJSON(c, w, all)
			}
			return listTable(c, w, all)
		},
	}
	strict(cmd)
	cmd.Flags().BoolVar(&checkOnly, "check", false, "tell what cannot be used instead of listing")
	const help = "show for every rule how the prefilter rules it out, or why it always runs"
	cmd.Flags().BoolVar(&prefilter, "prefilter", false, help)
	cmd.Flags().BoolVar(&prefilter, "gate", false, help)
	cmd.Flags().Lookup("gate").Hidden = true // the older name
	cmd.Flags().BoolVar(&diff, "diff", false, "tell which rules and settings differ between two sources, OLD and NEW")
	cmd.MarkFlagsMutuallyExclusive("check", "prefilter", "gate", "diff")
	cmd.Flags().BoolVar(&all, "all", false, "list rules that set things up or sum up scores, too; with --field-map those with nothing to look at")
	f.add(cmd.Flags(), rulesFlags)
	c.codeOnly(cmd)
	f.addJudging(cmd.Flags())
	return cmd
}

// errSkipped ends a check of rules that found something; it has been told by then.
var errSkipped = fmt.Errorf("%w: a part of the rules is skipped", errAlert)

func tellReport(c *console, report *rules.Report) error {
	to := lineWriter(c)
	for _, warning := range report.Warnings {
		fmt.Fprintln(to, printable(warning))
	}
	for _, broken := range report.Broken {
		fmt.Fprintln(to, printable(broken)+"; left out with --rules-strict off")
	}
	name := ""
	if report.Name != "" {
		name = ": " + printable(report.Name)
	}
	fmt.Fprintln(to, report.Summary()+name)
	err := to.Flush()
	var refused []error
	for _, problem := range report.Refused {
		refused = append(refused, errors.New(problem))
	}
	switch {
	case err != nil:
		return err
	case refused != nil:
		return errors.Join(refused...)
	case len(report.Warnings)+len(report.Broken) > 0:
		return errSkipped
	}
	return nil
}

// jsonRule is what --output json says of one rule.
type jsonRule struct {
	ID       int      `json:"id"`
	Severity string   `json:"severity,omitempty"`
	Phase    int      `json:"phase"`
	Paranoia int      `json:"paranoia,omitempty"`
	Tags     []string `json:"tags,omitempty"`
	Message  string   `json:"msg,omitempty"`
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Text     string   `json:"text"`
}

func listJSON(c *console, w *filter.Filter, all bool) error {
	to := lineWriter(c)
	encoder := jsoniter.NewEncoder(to)
	for _, r := range w.Rules() {
		if !all && !r.Detection {
			continue
		}
		err := encoder.Encode(jsonRule{r.ID, severityName(r.Severity.String()), r.Phase, r.Paranoia(), r.Tags, r.Message, r.File, r.Line, r.Text})
		if err != nil {
			return err
		}
	}
	return to.Flush()
}

// severityName returns the name of a severity, "" when a rule has none.
func severityName(name string) string {
	if name == "unknown" {
		return ""
	}
	return name
}

func listTable(c *console, w *filter.Filter, all bool) error {
	to := lineWriter(c)
	g := newGrid(c, to, column{title: "RULE", width: ruleWidth}, column{title: "SEVERITY", width: severityWidth},
		column{title: "PHASE", width: 5, spare: 2}, column{title: "PL", width: 2}, column{title: "MESSAGE", width: 64, least: 24},
		column{title: "FILE:LINE", width: 56, least: 24, spare: 1}, column{title: "TAGS"})
	g.title()
	listed, total := 0, 0
	for _, r := range w.Rules() {
		total++
		if !all && !r.Detection {
			continue
		}
		listed++
		g.row(cell{text: strconv.Itoa(r.ID)}, severityCell(r.Severity.String()), cell{text: strconv.Itoa(r.Phase)},
			cell{text: level(r.Paranoia())}, cell{text: r.Message}, cell{text: r.File + ":" + strconv.Itoa(r.Line)},
			cell{text: strings.Join(r.Tags, ",")})
	}
	fmt.Fprintf(to, "\n%s of %s listed: %s\n", grouped(listed), count(total, "rule"), printable(w.RuleSet()))
	return to.Flush()
}

// level writes a paranoia level; rules outside of CRS have none.
func level(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
