package evaluation

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/intake"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/logtime"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// Window is a span of time: records from Since on and before Until are in it. Either may be zero, for no bound.
type Window struct{ Since, Until time.Time }

// WindowFlags are the flags from which ReadWindow reads a window.
var WindowFlags = []setting.Property{
	{Name: "since", Help: "skip records before a time such as 2026-05-30, 2026-05-30T12:00:00+02:00 or 36h (ago); UTC unless it names a zone"},
	{Name: "until", Help: "skip records at this time and later"},
}

// ReadWindow reads a window; times ago are counted from now.
func ReadWindow(r *setting.Reader, now time.Time) (w Window) {
	w.Since, w.Until = readMoment(r, "since", now), readMoment(r, "until", now)
	if w.Since.After(w.Until) && !w.Until.IsZero() {
		r.Problem("until", fmt.Errorf("%s is before --since", r.Text("until")))
	}
	return w
}

func readMoment(r *setting.Reader, name string, now time.Time) time.Time {
	text := r.Text(name)
	if text == "" {
		return time.Time{}
	}
	if ago, err := time.ParseDuration(text); err == nil {
		if ago < 0 {
			r.Problem(name, errors.New("negative (want how long ago, such as 36h)"))
		}
		return now.Add(-ago)
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day
	}
	at, ok := logtime.Parse(text, nil)
	if !ok {
		r.Problem(name, fmt.Errorf("malformed time %q (want one such as 2026-05-30, 2026-05-30T12:00:00Z, or 36h for that long ago)", text))
	}
	return at
}

// IsBounded reports whether any record can be outside.
func (w Window) IsBounded() bool { return !w.Since.IsZero() || !w.Until.IsZero() }

// overlaps reports whether the window has some of the time from first to last.
func (w Window) overlaps(first, last time.Time) bool {
	return !last.Before(w.Since) && (w.Until.IsZero() || first.Before(w.Until))
}

// cut removes the records that are not in the window from the block, and their events from its chunk, before they are inspected. A
// line with several records stays whole when one of them is in it.
func (b *block) cut(e *Evaluation, chunk []byte) []byte {
	periods := e.Filter.Periods(chunk)
	found, kept := b.found[:0], chunk[:0]
	for _, r := range b.found {
		if r.Err != nil {
			found = append(found, r)
			continue
		}
		event, rest, err := record.Next(chunk)
		if err != nil {
			break // the decoder made them all
		}
		p := periods[0]
		chunk, periods = rest, periods[1:]
		if p.First.IsZero() {
			p.First, p.Last = b.sent, b.sent
		}
		if !e.Window.overlaps(p.First, p.Last) {
			b.outside++
			continue
		}
		found, kept = append(found, r), append(kept, event.Raw...)
	}
	b.found = found
	return kept
}

// beginOf returns the earliest time that a record at the start of a file names. It is not known of a file that names none there, that
// cannot be read, or that can be read only once.
func beginOf(f *filter.Filter, name string) (begin time.Time, known bool) {
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return begin, false
	}
	in, err := OpenInput(name, nil, nil)
	if err != nil {
		return begin, false
	}
	defer in.Close()
	block, err := intake.NewLines(in, MaxLine).Next()
	if err != nil {
		return begin, false
	}
	d := intake.Decoder{Plain: intake.PlainOf(block.Text)}
	var chunk []byte
	for _, text := range block.All() {
		chunk, _, _ = d.AppendEvents(chunk, text, in.Modified) // what is wrong with a line is reported when it is checked
	}
	for _, p := range f.Periods(chunk) {
		if !p.First.IsZero() && (!known || p.First.Before(begin)) {
			begin, known = p.First, true
		}
	}
	return begin, known
}
