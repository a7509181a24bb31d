package wafprocessor

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/otel/wafprocessor/internal/metadata"
)

// wafProcessor inspects batches of log records. The collector may call it from several goroutines at once.
type wafProcessor struct {
	settings  processor.Settings
	config    *Config
	next      consumer.Logs
	telemetry *metadata.TelemetryBuilder // nil before the start

	alertKey string // prefix of the attributes that hold a verdict, "" when records get none
	format   alert.Format
	copies   bool // alerts are copies of their records

	// running is held for reading while records are inspected: the filter is not closed under them.
	running sync.RWMutex
	filter  *filter.Filter // nil before the start and after the shutdown

	stop    chan struct{}
	waiting sync.WaitGroup
}

func newProcessor(set processor.Settings, c *Config, next consumer.Logs) *wafProcessor {
	format := alert.Format(strings.ToLower(strings.TrimSpace(c.Get("emit_format"))))
	return &wafProcessor{
		settings: set, config: c, next: next, alertKey: c.alertKey(), format: format, copies: format == alert.Record, stop: make(chan struct{}),
	}
}

// shared is what the processors of the process share, also across reloads of the collector's configuration: a collector makes its factories
// anew with each.
var shared = filter.NewHost().As(filter.Producer{Program: "OpenTelemetry Collector"})

// start opens the rules. After a reload of the collector's configuration, rules that have become unusable leave those of before in use.
func (p *wafProcessor) start(context.Context, component.Host) error {
	f, err := filter.NewNamed("processor "+p.settings.ID.String(), shared, p.config, p.log)
	if err != nil {
		return err
	}
	if p.telemetry, err = observe(p.settings.TelemetrySettings, f); err != nil {
		return errors.Join(err, f.Close())
	}
	p.running.Lock()
	p.filter = f
	p.running.Unlock()
	if f.Ticks() {
		p.waiting.Go(func() { recovery.Loop(p.stop, f.Caught("summaries"), func() { p.tick(f) }) })
	}
	return nil
}

// log writes a line of the filter to the collector's log.
func (p *wafProcessor) log(level filter.Level, line string) {
	switch level {
	case filter.LevelError:
		p.settings.Logger.Error(line)
	case filter.LevelWarn:
		p.settings.Logger.Warn(line)
	case filter.LevelInfo:
		p.settings.Logger.Info(line)
	default:
		p.settings.Logger.Debug(line)
	}
}

// processLogs inspects records. It never fails: what cannot be inspected passes as it is.
func (p *wafProcessor) processLogs(_ context.Context, logs plog.Logs) (plog.Logs, error) {
	p.running.RLock()
	defer p.running.RUnlock()
	if f := p.filter; f != nil {
		recovery.Once(f.Caught("processor"), func() { p.inspect(f, logs) })
	}
	return logs, nil
}

// recovered, deferred, lets the records of a batch pass after a panic.
func (p *wafProcessor) recovered(f *filter.Filter, b *batch) {
	if cause := recover(); cause != nil {
		f.Caught("processor")(cause, debug.Stack())
		f.Abandon(b.chunk, &b.outcome)
	}
}

const (
	// tickEvery is how often alerts are looked for that become ready while no records come: summaries of suppressed ones.
	tickEvery = time.Second
	// sendTimeout is how long the next consumer may take for them. A shutdown waits for it.
	sendTimeout = 10 * time.Second
)

func (p *wafProcessor) tick(f *filter.Filter) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-ticker.C:
			p.send(f, f.Due(nil))
		}
	}
}

// send sends alerts that are about no record of a batch.
func (p *wafProcessor) send(f *filter.Filter, emits []filter.Emit) {
	if len(emits) == 0 {
		return
	}
	logs := plog.NewLogs()
	records := newScope(logs.ResourceLogs().AppendEmpty())
	for i := range emits {
		if err := p.write(records.AppendEmpty(), &emits[i], plog.NewLogRecord()); err != nil {
			panic(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), sendTimeout)
	defer cancel()
	done := f.EmitTaken
	if err := p.next.ConsumeLogs(ctx, logs); err != nil {
		p.settings.Logger.Warn("the next consumer refused summaries of alerts", zap.Error(err))
		done = f.EmitFailed
	}
	for i := range emits {
		done(&emits[i])
	}
}

// shutdown sends the summaries that are left, and releases the rules when no batch needs them anymore. It does not wait for longer than
// the collector is ready to.
func (p *wafProcessor) shutdown(ctx context.Context) error {
	closed := make(chan error, 1)
	go func() {
		defer close(closed)
		recovery.Once(p.caught, func() { closed <- p.close() })
	}()
	select {
	case err := <-closed:
		return err
	case <-ctx.Done():
		return fmt.Errorf("records are still being inspected: %w", ctx.Err())
	}
}

func (p *wafProcessor) close() error {
	p.running.Lock()
	f := p.filter
	p.filter = nil
	p.running.Unlock()
	if f == nil {
		return nil
	}
	close(p.stop)
	p.waiting.Wait()
	recovery.Once(f.Caught("summaries"), func() { p.send(f, f.Summaries(true)) })
	p.telemetry.Shutdown()
	p.settings.Logger.Info(f.Counts().String())
	return f.Close()
}

// caught logs a panic for which there is no filter anymore.
func (p *wafProcessor) caught(cause any, stack []byte) {
	p.settings.Logger.Error("recovered from a panic, "+recovery.Describe(cause), zap.ByteString("stack", stack))
}
