package cli

import (
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// Progress shows on a terminal how much of the inputs has been read, when reading them takes longer than a moment. A nil
// progress shows nothing.
type Progress struct {
	console *Console
	counts  func() filter.Counts
	total   int64 // bytes, -1 when they are not known before the end
	read    atomic.Int64
	stop    chan struct{}
	stopped chan struct{}
}

const (
	barDelay    = time.Second            // before it is shown: most inputs are done by then
	barInterval = 200 * time.Millisecond // between two pictures
	barWidth    = 24
	wideBar     = 90 // columns of a terminal on which the counts have room, too
)

// NewProgress returns the progress of reading files, nil when the standard error output is no terminal. It must be ended.
func NewProgress(c *Console, names []string, counts func() filter.Counts) *Progress {
	if c.BarWidth == 0 {
		return nil
	}
	p := &Progress{console: c, counts: counts, total: sizeOf(names), stop: make(chan struct{}), stopped: make(chan struct{})}
	go func() {
		defer close(p.stopped)
		recovery.Once(func(any, []byte) {}, p.show) // it is only a picture
	}()
	return p
}

// End takes the bar away.
func (p *Progress) End() {
	if p != nil {
		close(p.stop)
		<-p.stopped
	}
}

// show draws the bar until the progress ends.
func (p *Progress) show() {
	select {
	case <-p.stop:
		return
	case <-time.After(p.console.BarDelay):
	}
	bar := p.newBar()
	p.console.setBar(bar)
	defer p.console.setBar(nil)
	ticker := time.NewTicker(barInterval)
	defer ticker.Stop()
	for shown := int64(0); ; {
		read := p.read.Load()
		p.draw(bar, read-shown)
		shown = read
		select {
		case <-p.stop:
			return
		case <-ticker.C:
		}
	}
}

// draw draws the bar with some more bytes.
func (p *Progress) draw(bar *progressbar.ProgressBar, more int64) {
	counts := p.counts()
	p.console.mu.Lock()
	defer p.console.mu.Unlock()
	bar.Add64(more) //nolint:errcheck // there is no one else to tell
	text := ""
	if p.console.BarWidth >= wideBar {
		text = Count(counts.Records, "record") + ", " + Count(counts.Alerts, "alert")
	}
	bar.Describe(text)
}

// sizeOf returns the bytes of all files together, -1 when one of them does not tell.
func sizeOf(names []string) (sum int64) {
	for _, name := range names {
		info, err := os.Stat(name)
		if name == "-" || err == nil && !info.Mode().IsRegular() {
			return -1
		}
		if err == nil {
			sum += info.Size()
		}
	}
	return sum
}

// Meter returns a reader of an input as it is stored, which counts what is read.
func (p *Progress) Meter(from io.Reader) io.Reader {
	if p == nil {
		return from
	}
	return &meter{from, p}
}

type meter struct {
	from     io.Reader
	progress *Progress
}

func (m *meter) Read(b []byte) (int, error) {
	n, err := m.from.Read(b)
	m.progress.read.Add(int64(n))
	return n, err
}

func (p *Progress) newBar() *progressbar.ProgressBar {
	return progressbar.NewOptions64(p.total,
		progressbar.OptionSetWriter(p.console.Err), progressbar.OptionShowBytes(true), progressbar.OptionSetWidth(barWidth),
		progressbar.OptionShowTotalBytes(true), progressbar.OptionUseIECUnits(false), progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionSetSpinnerChangeInterval(0), progressbar.OptionClearOnFinish(), progressbar.OptionSetElapsedTime(true),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "=", SaucerHead: ">", SaucerPadding: " ", BarStart: "[", BarEnd: "]"}))
}
