package doctor

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/setup"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/tune"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/fluentbit"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

var doctorFlags = []setting.Property{
	{Name: "fluent_bit", Help: "the fluent-bit program (default: in PATH, or /opt/fluent-bit/bin/fluent-bit)"},
	{Name: "output", Default: "text", Values: []string{"text", "json"}, Help: "text for people, json one object per finding"},
}

func New(c *cli.Console, args []string) *cobra.Command {
	var f cli.Flags
	cmd := &cobra.Command{
		Use:   "doctor [flags] PIPELINE [FILE]",
		Short: "Check a pipeline on the machine it runs on",
		Long: `Read a Fluent Bit pipeline, YAML or classic, and check it before it runs: versions of Fluent Bit and the plugin, all
properties, routing of records and alerts, kernel buffers and limits, reachability of destinations, and on a sample of
records the field map, the clock and false positives. The sample is FILE, or the end of the log that the pipeline reads.

Nothing is changed or sent: destinations are dialed, and for UDP only their names are resolved.

The exit code is 0 without findings, 1 with warnings, and 2 with failures.`,
		Example: `  wafctl doctor /etc/fluent-bit/fluent-bit.yaml
  wafctl doctor --fluent-bit /opt/fluent-bit/bin/fluent-bit waf.conf records.ndjson
  wafctl doctor --output json waf.yaml | jq 'select(.level != "ok")'`,
		RunE: func(cmd *cobra.Command, names []string) error {
			settings := setting.NewReader(&f, doctorFlags)
			output := settings.Word("output")
			var err error
			if len(names) != 1 && len(names) != 2 {
				err = errors.New("want one pipeline and at most one file of records")
			}
			if err := f.Usage(cmd, args, settings.Err(), err); err != nil {
				return err
			}
			return runDoctor(cmd.Context(), c, append(names, "")[:2], findFluentBit(settings.Text("fluent_bit")), output == "json")
		},
	}
	cli.Strict(cmd)
	f.Add(cmd.Flags(), doctorFlags)
	return cmd
}

// findFluentBit returns the program, "" when there is none.
func findFluentBit(given string) string {
	for _, name := range []string{given, "fluent-bit", "/opt/fluent-bit/bin/fluent-bit"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
		if given != "" {
			return given // it says itself what is wrong with it
		}
	}
	return ""
}

func runDoctor(ctx context.Context, c *cli.Console, names []string, host string, asJSON bool) error {
	config, err := fluentbit.Read(names[0])
	if err != nil {
		return err
	}
	d := &Doctor{
		Config: config, FluentBit: host, Version: filter.Version, Sample: names[1], Now: time.Now, Host: c.Host,
		Open: func(path string) (io.ReadCloser, error) {
			in, err := evaluation.OpenInput(path, c.In, nil)
			if err != nil {
				return nil, err
			}
			return &readCloser{in, in.Close}, nil
		},
		Evaluate: func(ctx context.Context, settings setting.Map, records io.Reader) (Alarms, error) {
			found, err := tune.SampleAlarms(ctx, c, settings, records)
			return Alarms(found), err
		},
	}
	if path, exists := setup.FindPlugin(); exists {
		d.Plugin = path
	}
	to := cli.LineWriter(c)
	tell := func(f Finding) { writeFinding(c, to, &f) }
	if encoder := json.NewEncoder(to); asJSON {
		tell = func(f Finding) {
			f.Text, f.Advice = cli.Mend(f.Text), cli.Mend(f.Advice)
			encoder.Encode(&f) //nolint:errcheck // the writer keeps its error until it is flushed
		}
	}
	d.Run(ctx, tell)
	if !asJSON {
		fmt.Fprintf(to, "\n%d ok, %s, %d failed\n", d.Counts(OK), cli.Count(d.Counts(Warn), "warning"), d.Counts(Fail))
	}
	if err := to.Flush(); err != nil {
		return err
	}
	switch d.Worst() {
	case Fail:
		return cli.ErrFailed
	case Warn:
		return cli.ErrAlert
	}
	return nil
}

type readCloser struct {
	io.Reader
	close func()
}

func (r *readCloser) Close() error {
	r.close()
	return nil
}

var levelColors = map[Level]string{OK: cli.Green, Warn: cli.Yellow, Fail: cli.Red}

// Columns of findings.
const (
	levelWidth = 4
	checkWidth = 13
	adviceMark = "→ "
)

// writeFinding writes a finding in as many lines as it takes.
func writeFinding(c *cli.Console, to io.Writer, f *Finding) {
	front := levelWidth + cli.ColumnGap + checkWidth + cli.ColumnGap
	room := cmp.Or(c.Width, cli.MaxHelpWidth) - front
	lines := cli.Wrapped(cli.Printable(f.Text), room)
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s  %-*s  %s\n", c.Paint(levelColors[f.Level], fmt.Sprintf("%-*s", levelWidth, f.Level)), checkWidth, f.Check, lines[0])
	for _, line := range lines[1:] {
		fmt.Fprintf(&b, "%*s%s\n", front, "", line)
	}
	if f.Advice != "" {
		for i, line := range cli.Wrapped(cli.Printable(f.Advice), room-len([]rune(adviceMark))) {
			mark := adviceMark
			if i > 0 {
				mark = "  "
			}
			fmt.Fprintf(&b, "%*s%s%s\n", front, "", mark, line)
		}
	}
	to.Write(b.Bytes()) //nolint:errcheck // the writer keeps its error until it is flushed
}
