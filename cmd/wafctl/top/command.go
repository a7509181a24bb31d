package top

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

var topFlags = []setting.Property{
	{Name: "interval", Default: "2s", Help: "time between two readings"},
	{Name: "from", Default: "start", Values: []string{"start", "end"}, Help: "where to start reading a file: at its start, or at its end"},
}

func New(c *cli.Console, args []string) *cobra.Command {
	var (
		f    cli.Flags
		once bool
	)
	cmd := &cobra.Command{
		Use:   "top [flags] [URL|FILE|-]",
		Short: "Show live who attacks what",
		Long: `Watch a running instance or a stream of records: rates, alerts and their outcomes, the top attackers, targets, rules and
categories, and what is not inspected.

URL or HOST:PORT is the metrics address of an instance (the property metrics_listen), 127.0.0.1:2021 by default. Metrics
have rules, categories, instances and destinations, but no clients and targets.

FILE is a log, which is evaluated and then followed across rotation; - is standard input.

Without a terminal, and with TERM=dumb, top prints a line per interval. --once prints one snapshot, of a file at its end.`,
		Example: `  wafctl top
  wafctl top http://node7.example:2021/metrics
  wafctl top /var/log/nginx/access.log
  kubectl logs -f deploy/ingress-nginx-controller | wafctl top -`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			settings := setting.NewReader(&f, topFlags)
			settings.Noun = "flag"
			w := watching{console: c, once: once, interval: settings.Duration("interval", time.Second, time.Hour), atEnd: settings.Word("from") == "end"}
			w.interval = cmp.Or(w.interval, time.Second)
			if err := f.Usage(cmd, args, settings.Err()); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			if len(names) == 0 {
				names = []string{DefaultAddress}
			}
			if _, err := os.Stat(names[0]); err != nil && IsAddress(names[0]) {
				source, err := NewMetrics(names[0])
				if err != nil {
					return err
				}
				return w.show(ctx, source)
			}
			return w.stream(ctx, &f, names[0])
		},
	}
	cli.Strict(cmd)
	f.Add(cmd.Flags(), topFlags)
	cmd.Flags().BoolVar(&once, "once", false, "print one snapshot and exit")
	f.AddEvaluating(cmd.Flags())
	return cmd
}

// watching is one run of top.
type watching struct {
	console  *cli.Console
	once     bool
	interval time.Duration
	atEnd    bool
}

// live reports whether the terminal is drawn on, so that nothing else may write to it.
func (w *watching) live() bool { return !w.once && w.console.Width > 0 && os.Getenv("TERM") != "dumb" }

// show shows a source as the console can.
func (w *watching) show(ctx context.Context, source Source) error {
	switch {
	case w.live():
		return Live(ctx, source, w.interval)
	case w.once:
		return Once(ctx, w.console.Out, source, w.console.Width)
	}
	return Lines(ctx, w.console.Out, source, w.interval)
}

// stream evaluates records, and shows what is found in them meanwhile; with once, when all of them are read.
func (w *watching) stream(ctx context.Context, f *cli.Flags, name string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in, progress, err := w.Open(ctx, name)
	if err != nil {
		return err
	}
	defer in.Close()
	stream := NewStream(in.Name, progress)
	log := w.console.Log(false)
	if w.live() {
		log = func(level filter.Level, line string) {
			if level <= filter.LevelWarn {
				stream.Warn(line)
			}
		}
	}
	evaluator, err := filter.New(w.console.Host, f, log)
	if err != nil {
		return err
	}
	defer evaluator.Close()
	read := make(chan error, 1)
	go func() {
		err := evaluation.ErrPanic
		recovery.Once(evaluator.Caught("evaluation"), func() { err = evaluate(ctx, evaluator, in, stream) })
		recovery.Once(evaluator.Caught("evaluation"), func() { stream.End(err) })
		read <- err
	}()
	if w.once {
		if err := <-read; err != nil {
			return err
		}
		return w.show(ctx, stream)
	}
	err = w.show(ctx, stream)
	cancel()
	select {
	case readErr := <-read:
		return errors.Join(err, readErr)
	case <-time.After(evaluation.DrainTime): // an idle pipe cannot be interrupted
		return err
	}
}

// Open opens a file to follow, or what has an end of its own. The progress is that of a file.
func (w *watching) Open(ctx context.Context, name string) (in *evaluation.Input, progress func() (read, size int64), err error) {
	info, err := os.Stat(name)
	if w.once || name == "-" || err == nil && !info.Mode().IsRegular() {
		in, err = evaluation.OpenInput(name, w.console.In, nil)
		return in, nil, err
	}
	follow, err := OpenFollow(ctx, name, w.atEnd)
	if err != nil {
		return nil, nil, err
	}
	return &evaluation.Input{Reader: follow, Name: name, Close: follow.Close}, follow.Progress, nil
}

// evaluate adds to a stream what is found in the records of an input, until that or ctx ends.
func evaluate(ctx context.Context, f *filter.Filter, in *evaluation.Input, stream *Stream) error {
	in, err := evaluation.Decompress(in) // a file to follow has nothing to inspect yet, perhaps
	if err != nil {
		return err
	}
	e := evaluation.Evaluation{Filter: f}
	err = e.Run(ctx, in, func(r *evaluation.Checked) error {
		if r.Err != nil {
			stream.AddBroken()
		} else {
			stream.Add(&r.Finding)
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("read records: %s: %w", in.Name, err)
	}
	return nil
}
