package main

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

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/top"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

var topFlags = []setting.Property{
	{Name: "interval", Default: "2s", Help: "time between two readings"},
	{Name: "from", Default: "start", Values: []string{"start", "end"}, Help: "where a file is read from: its start, or only what is added from now on"},
}

func newTop(c *console, args []string) *cobra.Command {
	var (
		f    flags
		once bool
	)
	cmd := &cobra.Command{
		Use:   "top [flags] [URL|FILE|-]",
		Short: "Show live who attacks what, which rules match, and what is not inspected",
		Long: `Watch a running instance or a stream of records: rates, alerts and what became of the attacks, the top attackers,
targets, rules and categories, and what is not inspected.

URL or HOST:PORT is the metrics address of an instance (the property metrics_listen), 127.0.0.1:2021 unless given. Metrics
have rules, categories, instances and destinations, but no clients and no targets.

FILE is a log, which is evaluated as check does and then followed, also when it is rotated; - is the standard input.

Without a terminal, and with TERM=dumb, it prints a line after each interval. --once prints one snapshot: of a file when
it is read to its end.`,
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
			if err := f.usage(cmd, args, settings.Err()); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			if len(names) == 0 {
				names = []string{top.DefaultAddress}
			}
			if _, err := os.Stat(names[0]); err != nil && top.IsAddress(names[0]) {
				source, err := top.NewMetrics(names[0])
				if err != nil {
					return err
				}
				return w.show(ctx, source)
			}
			return w.stream(ctx, &f, names[0])
		},
	}
	strict(cmd)
	f.add(cmd.Flags(), topFlags)
	cmd.Flags().BoolVar(&once, "once", false, "print one snapshot and end")
	f.addJudging(cmd.Flags())
	return cmd
}

// watching is one run of top.
type watching struct {
	console  *console
	once     bool
	interval time.Duration
	atEnd    bool
}

// live reports whether the terminal is drawn on, so that nothing else may write to it.
func (w *watching) live() bool { return !w.once && w.console.width > 0 && os.Getenv("TERM") != "dumb" }

// show shows a source as the console can.
func (w *watching) show(ctx context.Context, source top.Source) error {
	switch {
	case w.live():
		return top.Live(ctx, source, w.interval)
	case w.once:
		return top.Once(ctx, w.console.out, source, w.console.width)
	}
	return top.Lines(ctx, w.console.out, source, w.interval)
}

// stream evaluates records, and shows what is found in them meanwhile; with once, when all of them are read.
func (w *watching) stream(ctx context.Context, f *flags, name string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in, progress, err := w.open(ctx, name)
	if err != nil {
		return err
	}
	defer in.close()
	stream := top.NewStream(in.name, progress)
	log := w.console.log(false)
	if w.live() {
		log = func(level filter.Level, line string) {
			if level <= filter.LevelWarn {
				stream.Warn(line)
			}
		}
	}
	evaluator, err := filter.New(f, log)
	if err != nil {
		return err
	}
	defer evaluator.Close()
	read := make(chan error, 1)
	go func() {
		err := errPanic
		recovery.Once(evaluator.Caught("evaluation"), func() { err = evaluate(ctx, evaluator, in, stream) })
		stream.End(err)
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
	case <-time.After(drainTime): // an idle pipe cannot be interrupted
		return err
	}
}

// open opens a file to follow, or what has an end of its own. The progress is that of a file.
func (w *watching) open(ctx context.Context, name string) (in *input, progress func() (read, size int64), err error) {
	info, err := os.Stat(name)
	if w.once || name == "-" || err == nil && !info.Mode().IsRegular() {
		in, err = openInput(name, w.console.in, nil)
		return in, nil, err
	}
	follow, err := top.OpenFollow(ctx, name, w.atEnd)
	if err != nil {
		return nil, nil, err
	}
	return &input{Reader: follow, name: name, close: follow.Close}, follow.Progress, nil
}

// evaluate adds to a stream what is found in the records of an input, until that or ctx ends.
func evaluate(ctx context.Context, f *filter.Filter, in *input, stream *top.Stream) error {
	in, err := decompress(in) // a file to follow has nothing to look at yet, perhaps
	if err != nil {
		return err
	}
	e := evaluation{filter: f}
	err = e.run(ctx, in, func(r *checked) error {
		if r.err != nil {
			stream.AddBroken()
		} else {
			stream.Add(&r.Finding)
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("read records: %s: %w", in.name, err)
	}
	return nil
}
