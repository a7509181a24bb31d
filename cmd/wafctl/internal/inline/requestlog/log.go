// Package requestlog writes the access log of a server in the request path: a line for each request, with what was decided about it. No request
// waits for its line: lines are written by a goroutine of their own, and those that it cannot keep up with are dropped and counted.
package requestlog

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

const (
	mostWaiting = 8192     // lines
	mostBytes   = 16 << 20 // of texts that wait
	writeAt     = 64 << 10 // bytes that are written at once

	lastPatience = 5 * time.Second // for a reader that takes nothing, at the end
)

// Log is an access log. Its methods may be called from any goroutine, and of nil, which logs nothing.
type Log struct {
	format  Format
	clean   cleaner
	console *cli.Console
	told    cli.Limiter
	file    string // "" for a stream of the process
	to      io.Writer

	waiting chan *Entry
	bytes   atomic.Int64 // of texts that wait
	lost    atomic.Uint64
	reopen  atomic.Bool
	ending  chan struct{}
	ended   chan struct{}
}

// Open returns a log in a format. The place is stdout, stderr, or the path of a file, to which lines are appended. The function takes secrets
// out of the value of a header, or of a target, whose name is "". Run writes the lines.
func Open(place string, format Format, c *cli.Console, withoutSecrets func(header, text string) string) (*Log, error) {
	l := &Log{
		format: format, clean: cleaner{withoutSecrets, map[cleanKey]string{}}, console: c, told: cli.Limiter{Every: 10 * time.Second},
		waiting: make(chan *Entry, mostWaiting), ending: make(chan struct{}), ended: make(chan struct{}),
	}
	switch place {
	case "stdout":
		l.to = c.Out
	case "stderr":
		l.to = c.Err
	default:
		l.file = place
		file, err := open(place)
		if err != nil {
			return nil, err
		}
		l.to = file
	}
	return l, nil
}

func open(name string) (*os.File, error) {
	if !filepath.IsAbs(name) {
		return nil, fmt.Errorf("unknown place %q (want stdout, stderr, off or the absolute path of a file)", name)
	}
	return os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
}

// Reopen has the file opened again, after it was moved away.
func (l *Log) Reopen() {
	if l != nil {
		l.reopen.Store(true)
	}
}

// put adds a line, or counts it as lost.
func (l *Log) put(e *Entry) {
	if size := e.size(); l.bytes.Add(size) <= mostBytes {
		select {
		case l.waiting <- e:
			return
		default:
		}
	}
	l.bytes.Add(-e.size())
	l.lose(1, "nobody takes them fast enough")
}

func (l *Log) lose(n uint64, why string) {
	l.lost.Add(n)
	if _, may := l.told.May(time.Now()); may {
		l.console.Say("warning: lines of the access log are lost: " + why)
	}
}

// Run writes lines until the log is closed. It is a goroutine of its own.
func (l *Log) Run(caught recovery.Caught) {
	defer close(l.ended)
	var buffer []byte
	lines := uint64(0)
	recovery.Loop(nil, caught, func() {
		for e := l.next(); e != nil; e = l.next() {
			buffer = l.format.append(buffer, e, &l.clean)
			l.bytes.Add(-e.size())
			if lines++; len(buffer) < writeAt && len(l.waiting) > 0 {
				continue
			}
			l.write(buffer, lines)
			buffer, lines = buffer[:0], 0
		}
	})
}

// next waits for a line; it returns nil once the log is closed and empty.
func (l *Log) next() *Entry {
	select {
	case e := <-l.waiting:
		return e
	default:
	}
	select {
	case e := <-l.waiting:
		return e
	case <-l.ending:
		select {
		case e := <-l.waiting:
			return e
		default:
			return nil
		}
	}
}

// write writes whole lines.
func (l *Log) write(text []byte, lines uint64) {
	if l.file != "" && l.reopen.Swap(false) {
		if file, err := open(l.file); err != nil {
			l.console.Say("warning: the access log stays in the file of before: " + err.Error())
		} else {
			l.to.(*os.File).Close()
			l.to = file
		}
	}
	if _, err := l.to.Write(text); err != nil {
		l.lose(lines, err.Error())
	}
}

// Close waits until all lines are written, for a while. It is for a log that runs, once no more requests arrive.
func (l *Log) Close() {
	if l == nil {
		return
	}
	close(l.ending)
	select {
	case <-l.ended:
		l.Discard()
	case <-time.After(lastPatience):
		l.lose(uint64(len(l.waiting)), "nobody takes them")
	}
}

// Discard closes a log that does not run.
func (l *Log) Discard() {
	if l != nil && l.file != "" {
		l.to.(*os.File).Close()
	}
}

var lostDesc = prometheus.NewDesc("waf_proxy_access_log_lost_total", "Lines of the access log that were lost.", nil, nil)

// Describe implements prometheus.Collector.
func (l *Log) Describe(to chan<- *prometheus.Desc) { to <- lostDesc }

// Collect implements prometheus.Collector.
func (l *Log) Collect(to chan<- prometheus.Metric) {
	to <- prometheus.MustNewConstMetric(lostDesc, prometheus.CounterValue, float64(l.lost.Load()))
}
