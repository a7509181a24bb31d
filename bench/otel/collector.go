package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/bench/cputime"
	"github.com/fluent-bit-waf/fluent-bit-waf/bench/fluentbit"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// writeLines writes n records from number first on into a file, as nginx logs them in the format combined. The receiver takes files that begin
// alike for the same one, so that the times of lines differ.
func writeLines(file string, record func(uint64) corpus.Record, first, n int) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for i := first; i < first+n; i++ {
		r := record(uint64(i))
		fmt.Fprintf(w, "%s - - [30/May/2024:07:%02d:%02d +0000] \"%s %s HTTP/1.1\" %d 512 %s %s\n", r.SrcIP, i/60_000%60, i/1000%60, r.Method,
			strings.ReplaceAll(r.Target, `"`, `\x22`), r.Status, quoted(r.Referer), quoted(r.Agent))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("lines: %w", err)
	}
	return f.Close()
}

func quoted(text string) string {
	if text == "" {
		text = "-"
	}
	return `"` + strings.ReplaceAll(text, `"`, `\x22`) + `"`
}

// collector is a running collector with a directory of its own, in which it reads logs.
type collector struct {
	dir     string
	command *exec.Cmd
	metrics string // address
	err     error
}

const pipeline = `
receivers:
  file_log:
    include: [DIR/*.log]
    start_at: beginning
    poll_interval: 10ms
    max_log_size: 1MiB
processors:
  waf:SETTINGS
exporters:
  nop:
service:
  telemetry:
    logs: {level: error}
    metrics:
      readers:
        - pull: {exporter: {prometheus: {host: 127.0.0.1, port: PORT}}}
  pipelines:
    logs: {receivers: [file_log], processors: [PROCESSORS], exporters: [nop]}
`

// start runs a collector and returns when it answers.
func start(path string, processor bool) (*collector, error) {
	dir, err := os.MkdirTemp("", "waf-bench-")
	if err != nil {
		return nil, err
	}
	port, err := loopback.FreePort()
	if err != nil {
		return nil, err
	}
	processors, settings := "", ""
	if processor {
		processors = "waf"
	}
	for name, value := range corpus.Settings {
		settings += fmt.Sprintf("\n    %s: %q", name, value)
	}
	config := filepath.Join(dir, "config.yaml")
	text := strings.NewReplacer("DIR", dir, "PORT", strconv.Itoa(port), "PROCESSORS", processors, "SETTINGS", settings).Replace(pipeline)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	c := &collector{dir: dir, command: exec.Command(path, "--config", config), metrics: fmt.Sprintf("http://127.0.0.1:%d/metrics", port)}
	c.command.Stderr = os.Stderr
	if err := c.command.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(fluentbit.Patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := c.accepted(); err == nil {
			return c, nil
		} else if time.Now().After(end) {
			c.stop()
			return nil, err
		}
	}
}

// read gives the collector a file to read, and returns when its pipeline has taken so many records in all.
func (c *collector) read(file string, records int) error {
	if err := os.Link(file, filepath.Join(c.dir, filepath.Base(file)+".log")); err != nil {
		return err
	}
	for end := time.Now().Add(fluentbit.Patience); ; time.Sleep(20 * time.Millisecond) {
		n, err := c.accepted()
		if err != nil || n >= records {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d records were read within %v", n, records, fluentbit.Patience)
		}
	}
}

var accepted = regexp.MustCompile(`(?m)^otelcol_receiver_accepted_log_records\S* (\S+)$`)

// accepted asks for the number of records that have gone through the pipeline.
func (c *collector) accepted() (int, error) {
	client := http.Client{Timeout: fluentbit.Patience}
	answer, err := client.Get(c.metrics)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err
	}
	found := accepted.FindSubmatch(body)
	if found == nil {
		return 0, nil // there were none yet
	}
	n, err := strconv.ParseFloat(string(found[1]), 64)
	return int(n), err
}

// used returns the processor time that the collector has used. What goes wrong is in err.
func (c *collector) used() time.Duration {
	took, err := cputime.Of(c.command.Process.Pid)
	if err != nil {
		c.err = err
	}
	return took
}

// stop ends the collector at once and removes its directory.
func (c *collector) stop() {
	c.command.Process.Signal(syscall.SIGKILL) //nolint:errcheck // it may have ended
	c.command.Wait()                          //nolint:errcheck // a signal ends it
	os.RemoveAll(c.dir)                       //nolint:errcheck // left to the system
}
