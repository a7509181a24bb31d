package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/sample"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/receive"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

var initFlags = []setting.Property{
	{Name: "alert_to", Default: "stdout", Help: "destinations of alerts, comma separated: as in \"wafctl run --help\", or " + HostForms},
	{Name: "form", Default: "auto", Values: []string{"auto", "output", "filter"},
		Help: "output evaluates and delivers in the output waf, filter evaluates in the filter and delivers with Fluent Bit's outputs; auto uses the " +
			"output if it supports all destinations"},
	{Name: "from", Help: "where Fluent Bit reads: " + PlaceForms + " (default: where the sample is from)"},
	{Name: "host", Help: "host of the site, for logs without it; writes a field map beside the pipeline"},
	{Name: "wait", Default: "10s", Help: "how long to wait for records on a socket"},
	{Name: "plugin", Help: "path of out_waf.so (default: beside wafctl, or installed)"},
}

func New(c *cli.Console, args []string) *cobra.Command {
	var (
		f      cli.Flags
		output string
		force  bool
	)
	cmd := &cobra.Command{
		Use:   "init [flags] FILE|-|udp://HOST:PORT|…",
		Short: "Write a pipeline for a log or socket",
		Long: `Inspect the records of a log file, standard input or a socket, select the field map that reads them, and write a complete
Fluent Bit pipeline: input, plugin and outputs. It explains what can and cannot be detected in this source.

The pipeline is written to standard output, or to a file with -o. An existing file is replaced only with --force. "wafctl
doctor" checks the pipeline.

The exit code is 2 on errors and if no record is an HTTP transaction, otherwise 0.`,
		Example: `  wafctl init /var/log/nginx/access.log
  wafctl init -o waf.yaml --alert-to gelf+udp://siem:12201 /var/log/nginx/access.log
  wafctl init -o waf.yaml --alert-to opensearch://logs:9200/waf-alerts '/var/log/containers/*ingress*.log'
  wafctl init -o waf.yaml --alert-to syslog+udp://siem udp://0.0.0.0:15155
  kubectl logs deploy/web | wafctl init --from '/var/log/containers/web-*.log' -
  wafctl init otlp://127.0.0.1:4318`,
		RunE: func(cmd *cobra.Command, names []string) error {
			i, err := openInit(c, &f, names)
			if err := f.Usage(cmd, args, err); err != nil {
				return err
			}
			i.output, i.force = output, force
			return i.Run(cmd.Context())
		},
	}
	cli.Strict(cmd)
	f.Add(cmd.Flags(), initFlags)
	f.Add(cmd.Flags(), cli.Only(filter.Properties(), "field_map"))
	cmd.Flags().StringVarP(&output, "output", "o", "", "write the pipeline to this `file`")
	cmd.Flags().BoolVar(&force, "force", false, "replace existing files")
	return cmd
}

// initiation is one run of init.
type initiation struct {
	console  *cli.Console
	given    string // what the sample is taken from
	pipeline Pipeline
	choice   *fieldmap.Choice
	maps     string // field_map
	host     string
	wait     time.Duration
	output   string
	force    bool
}

func openInit(c *cli.Console, f *cli.Flags, names []string) (*initiation, error) {
	settings := setting.NewReader(f, append(initFlags, cli.Only(filter.Properties(), "field_map")...))
	settings.Noun = "flag"
	i := &initiation{console: c, host: settings.Text("host"), wait: settings.Duration("wait", time.Second, time.Hour), maps: settings.Text("field_map")}
	var problems []error
	if len(names) == 1 {
		i.given = names[0]
	} else {
		problems = append(problems, errors.New("want one source: a file, - for standard input, or a socket such as udp://0.0.0.0:15155"))
	}
	var err error
	if i.choice, err = fieldmap.Open(i.maps); err != nil {
		settings.Problem("field_map", err)
	}
	from := settings.Text("from")
	switch {
	case from == "" && i.given == "-":
		settings.Problem("from", errors.New("is required with -: standard input is only the sample (want "+PlaceForms+")"))
	case from == "":
		from = i.given
	}
	if from != "" {
		if i.pipeline.Source, err = ReadPlace(from); err != nil {
			problems = append(problems, err)
		}
	}
	if i.pipeline.Alerts, err = ReadDestinations(settings.Text("alert_to")); err != nil {
		settings.Problem("alert_to", err)
	}
	form := settings.Word("form")
	if i.pipeline.Filter = form == "filter" || !AllNative(i.pipeline.Alerts); i.pipeline.Filter && form == "output" {
		settings.Problem("form", errors.New("the output waf does not support all of --alert-to (want auto or filter)"))
	}
	i.pipeline.Plugin, i.pipeline.Version = settings.Text("plugin"), filter.Version
	return i, errors.Join(append(problems, settings.Err())...)
}

func (i *initiation) Run(ctx context.Context) error {
	if i.host != "" && i.output == "" {
		return errors.New("--host: requires -o FILE, because it writes a field map beside the pipeline")
	}
	s, err := i.sample(ctx)
	if err != nil {
		return err
	}
	f, err := filter.New(i.console.Host, setting.Map{}, func(filter.Level, string) {})
	if err != nil {
		return err
	}
	defer f.Close()
	if i.host != "" {
		s.Hosts = s.HTTP
	}
	coverage := CoverageOf(f, s)
	i.pipeline.Sample = s
	files, err := i.files(s)
	if err != nil {
		return err
	}
	to, space := i.console.Out, ""
	if i.output == "" {
		to, space = i.console.Err, "\n"
	}
	for _, one := range files {
		if err := one.Write(i.console, i.force); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(to, "%s%s%s", space, coverage.Explain(s, func(text string) string { return i.console.Paint(cli.Bold, text) }), i.next(files))
	return err
}

// sample returns some records of the source.
func (i *initiation) sample(ctx context.Context) (*sample.Sample, error) {
	s := &sample.Sample{}
	place, err := ReadPlace(i.given)
	switch {
	case err != nil && i.given != "-":
		return nil, err
	case i.given == "-" || place.Kind == Files:
		err = i.sampleFile(s)
	case place.Kind == Sockets:
		err = i.sampleSocket(ctx, place, s)
	case place.Kind == OTLP:
		for _, m := range i.choice.Maps() {
			if m.Name == "opentelemetry" {
				return sample.Declared(m), nil
			}
		}
		fallthrough
	default:
		return nil, fmt.Errorf("%s: cannot take a sample (want a file of records, and --from %s)", i.given, i.given)
	}
	if err != nil {
		return nil, err
	}
	s.Read(i.choice)
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w; \"wafctl map %s\" shows how records are read", i.given, err, i.given)
	}
	return s, nil
}

func (i *initiation) sampleFile(s *sample.Sample) error {
	name := i.given
	if strings.Contains(name, "*") {
		found, err := filepath.Glob(name)
		if err != nil || len(found) == 0 {
			return fmt.Errorf("no file matches %s", name)
		}
		name = found[0]
	}
	in, err := evaluation.OpenInput(name, i.console.In, nil)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := s.Lines(in); err != nil {
		return fmt.Errorf("read records: %s: %w", in.Name, err)
	}
	return nil
}

// enoughRecords is how many datagrams are a sample.
const enoughRecords = 20

func (i *initiation) sampleSocket(ctx context.Context, place Place, s *sample.Sample) error {
	settings := receive.ReadSettings(setting.NewReader(setting.Map{}, receive.Properties()))
	settings.Places = []receive.Place{place.Listen()}
	receiver, err := receive.Open(settings, i.console.Say)
	if err != nil {
		return err
	}
	defer func() {
		receiver.Queue.Abandon()
		receiver.Close(0)
	}()
	i.console.Say(fmt.Sprintf("waiting up to %[2]s for records on %[1]s", place.Text, setting.Time(i.wait)))
	end := time.NewTimer(i.wait)
	defer end.Stop()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for s.Records < enoughRecords {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
			if b, ok := receiver.Queue.Take(); ok {
				s.Add(b.Events, b.Records)
				receiver.Queue.Done(b)
			}
			continue
		case <-end.C:
		}
		break
	}
	if s.Records == 0 {
		return fmt.Errorf("%s: nothing arrived within %s (is the sender running, is there a firewall? --wait waits longer)", place.Text, setting.Time(i.wait))
	}
	return nil
}

// installedPlugin is where packages put the plugin.
const installedPlugin = "/usr/lib/fluent-bit-waf/out_waf.so"

// FindPlugin returns the plugin that a pipeline on this machine loads: the one beside this program, else the installed one.
func FindPlugin() (path string, exists bool) {
	if program, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(program), "out_waf.so")
		if _, err := os.Stat(beside); err == nil {
			return beside, true
		}
	}
	_, err := os.Stat(installedPlugin)
	return installedPlugin, err == nil
}

// written is a file to be written; without a name it is the standard output.
type written struct{ name, text string }

// files returns what is to be written, the pipeline last.
func (i *initiation) files(s *sample.Sample) (all []written, err error) {
	p := &i.pipeline
	p.Name = "FILE"
	if i.output != "" {
		path, err := filepath.Abs(i.output)
		if err != nil {
			return nil, err
		}
		p.Name, p.Dir = filepath.Base(i.output), filepath.Dir(path)
		if i.host != "" {
			text := fieldmap.BuiltInText(s.Map.Name)
			if text == "" {
				return nil, fmt.Errorf("--host: the field map %s is a custom one (add a line \"server_name: {constant: %s}\" to its fields)", s.Map.Name, i.host)
			}
			p.Map = strings.TrimSuffix(path, filepath.Ext(path)) + ".map.yaml"
			all = append(all, written{p.Map, HostMap(text, s.Map.Name, i.host)})
		}
	}
	if p.Map == "" && i.maps != "auto" {
		p.Map = i.maps
	}
	if p.Plugin == "" {
		path, found := FindPlugin()
		if p.Plugin = path; !found {
			i.console.Say("warning: " + p.Plugin + " is not on this machine; set --plugin PATH")
		}
	}
	all = append(all, written{i.output, p.Text()})
	if !i.force {
		for _, one := range all {
			if _, err := os.Lstat(one.name); one.name != "" && err == nil {
				return nil, fmt.Errorf("%s exists (--force replaces it)", one.name)
			}
		}
	}
	return all, nil
}

func (w *written) Write(c *cli.Console, force bool) error {
	if w.name == "" {
		_, err := fmt.Fprint(c.Out, w.text)
		return err
	}
	mode := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		mode = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	file, err := os.OpenFile(w.name, mode, 0o644)
	if err != nil {
		return err
	}
	_, err = file.WriteString(w.text)
	return errors.Join(err, file.Close())
}

// next says how to go on.
func (i *initiation) next(files []written) string {
	var b strings.Builder
	if strings.HasSuffix(i.given, ".gz") || strings.HasSuffix(i.given, ".zst") {
		b.WriteString("\nFluent Bit does not read compressed files: set --from to the current log.\n")
	}
	if i.output == "" {
		return b.String()
	}
	b.WriteString("\n")
	for _, one := range files {
		fmt.Fprintf(&b, "Written: %s\n", one.name)
	}
	fmt.Fprintf(&b, "Check:   wafctl doctor %[1]s\nStart:   fluent-bit -c %[1]s\n", i.output)
	return b.String()
}
