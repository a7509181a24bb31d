// Package ruleset is the command "wafctl rules". It lists the rules that the settings load, checks rule files, and
// shows how two rule sets differ. It also shows how the prefilter reads each rule.
package ruleset

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

var rulesFlags = []setting.Property{
	{Name: "output", Default: "table", Values: []string{"table", "json"},
		Help: "table prints one line per rule, json one object per rule with its tags and text"},
}

func New(c *cli.Console, args []string) *cobra.Command {
	var (
		f         cli.Flags
		checkOnly bool
		all       bool
		prefilter bool
		diff      bool
	)
	cmd := &cobra.Command{
		Use:   "rules [flags] [SOURCE…]",
		Short: "List, check and compare rules",
		Long: `List the detection rules that the settings load: the embedded OWASP Core Rule Set, or the files, globs and directories of
SecLang given as SOURCE, as with --rules.

With --field-map, list the rules that are skipped for its records because the source does not log what they need.

With --diff, list rules that were added, removed or changed between two sources, and directives that differ. The exit code
is 0 if nothing differs, and 1 if something does.

With --check, list only what cannot be used, with file and line, and the number of loaded and skipped rules. The exit code
is 0 if everything is used, 1 if something is skipped or invalid, and 2 if the rules are rejected whatever the value of
--rules-strict.`,
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
					problem = fmt.Errorf("--diff: %s given (want OLD and NEW)", cli.Count(len(sources), "source"))
				}
				if err := f.Usage(cmd, args, settings.Err(), problem); err != nil {
					return err
				}
				return diffRules(c, &f, sources, output == "json")
			}
			if len(sources) > 0 {
				f.Values["rules"] = strings.Join(sources, ",")
			}
			if checkOnly {
				report, err := filter.CheckRules(&f)
				if err := f.Usage(cmd, args, settings.Err(), err); err != nil {
					return err
				}
				return tellReport(c, &report)
			}
			w, err := filter.New(c.Host, &f, func(filter.Level, string) {})
			if w != nil {
				defer w.Close()
			}
			if err := f.Usage(cmd, args, settings.Err(), err); err != nil {
				return err
			}
			if prefilter {
				return listPrefilter(c, w)
			}
			if _, given := f.Values["field_map"]; given {
				return evaluation.ListLeftOut(c, w, output == "json", all)
			}
			if output == "json" {
				return listJSON(c, w, all)
			}
			return listTable(c, w, all)
		},
	}
	cli.Strict(cmd)
	cmd.Flags().BoolVar(&checkOnly, "check", false, "report what cannot be used instead of listing rules")
	const help = "show how the prefilter rules out each rule, or why it always runs"
	cmd.Flags().BoolVar(&prefilter, "prefilter", false, help)
	cmd.Flags().BoolVar(&prefilter, "gate", false, help)
	cmd.Flags().Lookup("gate").Hidden = true // the older name
	cmd.Flags().BoolVar(&diff, "diff", false, "compare two sources, OLD and NEW")
	cmd.MarkFlagsMutuallyExclusive("check", "prefilter", "gate", "diff")
	cmd.Flags().BoolVar(&all, "all", false, "also list setup and scoring rules; with --field-map, rules with nothing to inspect")
	f.Add(cmd.Flags(), rulesFlags)
	c.CodeOnly(cmd)
	f.AddEvaluating(cmd.Flags())
	return cmd
}

// errSkipped ends a check of rules that found something; it has been printed by then.
var errSkipped = fmt.Errorf("%w: some rules are skipped", cli.ErrAlert)

func tellReport(c *cli.Console, report *rules.Report) error {
	to := cli.LineWriter(c)
	for _, warning := range report.Warnings {
		fmt.Fprintln(to, cli.Printable(warning))
	}
	for _, broken := range report.Broken {
		fmt.Fprintln(to, cli.Printable(broken)+"; skipped with --rules-strict off")
	}
	name := ""
	if report.Name != "" {
		name = ": " + cli.Printable(report.Name)
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

// JSONRule is what --output json says of one rule.
type JSONRule struct {
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

func listJSON(c *cli.Console, w *filter.Filter, all bool) error {
	to := cli.LineWriter(c)
	encoder := json.NewEncoder(to)
	for _, r := range w.Rules() {
		if !all && !r.Detection {
			continue
		}
		err := encoder.Encode(JSONRule{r.ID, cli.SeverityName(r.Severity.String()), r.Phase, r.Paranoia(), r.Tags, r.Message, r.File, r.Line, r.Text})
		if err != nil {
			return err
		}
	}
	return to.Flush()
}

func listTable(c *cli.Console, w *filter.Filter, all bool) error {
	to := cli.LineWriter(c)
	g := cli.NewGrid(c, to, cli.Column{Title: "RULE", Width: cli.RuleWidth}, cli.Column{Title: "SEVERITY", Width: cli.SeverityWidth},
		cli.Column{Title: "PHASE", Width: 5, Spare: 2}, cli.Column{Title: "PL", Width: 2}, cli.Column{Title: "MESSAGE", Width: 64, Least: 24},
		cli.Column{Title: "FILE:LINE", Width: 56, Least: 24, Spare: 1}, cli.Column{Title: "TAGS"})
	g.Title()
	listed, total := 0, 0
	for _, r := range w.Rules() {
		total++
		if !all && !r.Detection {
			continue
		}
		listed++
		g.Row(cli.Cell{Text: strconv.Itoa(r.ID)}, cli.SeverityCell(r.Severity.String()), cli.Cell{Text: strconv.Itoa(r.Phase)},
			cli.Cell{Text: cli.Level(r.Paranoia())}, cli.Cell{Text: r.Message}, cli.Cell{Text: r.File + ":" + strconv.Itoa(r.Line)},
			cli.Cell{Text: strings.Join(r.Tags, ",")})
	}
	fmt.Fprintf(to, "\n%s of %s listed: %s\n", cli.Grouped(listed), cli.Count(total, "rule"), cli.Printable(w.RuleSet()))
	return to.Flush()
}
