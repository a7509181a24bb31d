// Package evaluation reads the records of files and evaluates them in parallel. Findings come in input order and in
// bounded memory. A panic, or a line that cannot be read, is one of them.
package evaluation

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/intake"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// MaxLine is the size in bytes from which a line is no record.
const MaxLine = 16 << 20

var (
	ErrTooLong = errors.New("longer than 16 MiB")
	ErrPanic   = errors.New("recovered from a panic, which is a bug: please report the line on standard error")
)

// Checked is one record of an input, or one line that is none.
type Checked struct {
	Line int
	filter.Finding
	Other filter.Finding // of the second filter, when there is one
	Event []byte         // of an alert, when alerts are kept
	looks string         // of the first record of a block that is not HTTP
	Err   error          // the line is not JSON, or too long; the rest is empty
}

// Evaluation is how records are checked.
type Evaluation struct {
	Filter *filter.Filter
	Other  *filter.Filter // checks the same records, unless nil
	Keep   bool           // alerts keep their events
	Calm   bool           // one block at a time: its records use all cores, and no more
}

// block is a run of lines, its records once they are checked, and the word that they are.
type block struct {
	intake.Block
	plain   intake.Plain       // of its input
	columns *accesslog.Columns // of plain lines at its start
	found   []Checked
	done    chan struct{}
}

// Run checks all records of an input on all cores and hands them to each in input order. It holds few blocks at a time, so the
// size of the input does not matter.
func (e *Evaluation) Run(ctx context.Context, in io.Reader, each func(*Checked) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := runtime.GOMAXPROCS(0)
	if e.Calm {
		workers = 1
	}
	work := make(chan *block)
	inOrder := make(chan *block, 2*workers)
	failed := make(chan error, 1)
	go func() {
		defer close(inOrder)
		defer close(work)
		err := ErrPanic
		recovery.Once(e.Filter.Caught("reading records"), func() { err = readBlocks(ctx, in, work, inOrder) })
		failed <- err
	}()
	for range workers {
		go recovery.Loop(ctx.Done(), e.Filter.Caught("checking records"), func() { e.work(work) })
	}
	for b := range inOrder {
		<-b.done
		for i := range b.found {
			if err := each(&b.found[i]); err != nil {
				return err
			}
		}
	}
	return <-failed
}

// work checks blocks until there are none. Each is done with, also when checking it panics: its lines have no finding then.
func (e *Evaluation) work(blocks <-chan *block) {
	var decoder intake.Decoder
	for b := range blocks {
		b.checkOrFail(e, &decoder)
	}
}

func (b *block) checkOrFail(e *Evaluation, d *intake.Decoder) {
	defer close(b.done)
	if !recovery.Once(e.Filter.Caught("checking records"), func() { b.check(e, d) }) {
		*d = intake.Decoder{}
		b.found = nil
		for number := range b.All() {
			b.found = append(b.found, Checked{Line: number, Err: ErrPanic})
		}
	}
}

func readBlocks(ctx context.Context, in io.Reader, work, inOrder chan<- *block) error {
	lines := intake.NewLines(in, MaxLine)
	plain := intake.NoPlain
	var columns *accesslog.Columns
	for {
		next, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		next.Text = bytes.Clone(next.Text)
		if plain == intake.NoPlain {
			plain = intake.PlainOf(next.Text)
		}
		b := &block{Block: next, plain: plain, columns: columns, done: make(chan struct{})}
		columns = intake.LastColumns(next.Text, columns)
		for _, to := range []chan<- *block{inOrder, work} {
			select {
			case to <- b:
			case <-ctx.Done():
				close(b.done)
				return ctx.Err()
			}
		}
	}
}

// check decodes the records of the block and has the filter look at them.
func (b *block) check(e *Evaluation, d *intake.Decoder) {
	if b.TooLong {
		b.found = []Checked{{Line: b.Line, Err: ErrTooLong}}
		return
	}
	var chunk []byte
	now := time.Now()
	d.Plain, d.Columns = b.plain, b.columns
	for number, text := range b.All() {
		grown, records, err := d.AppendEvents(chunk, text, now)
		chunk = grown
		for range records {
			b.found = append(b.found, Checked{Line: number})
		}
		if err != nil {
			b.found = append(b.found, Checked{Line: number, Err: err})
		}
	}
	b.judge(e, chunk)
	b.Text = nil
	b.unfold()
}

// unfold makes findings of the records inside others: they stand in the same line.
func (b *block) unfold() {
	if !slices.ContainsFunc(b.found, func(r Checked) bool { return len(r.Parts) > 0 }) {
		return
	}
	var all []Checked
	for _, r := range b.found {
		if len(r.Parts) == 0 {
			all = append(all, r)
		}
		for i, part := range r.Parts {
			one := Checked{Line: r.Line, Finding: part, Other: r.Other, looks: r.looks}
			if i < len(r.Other.Parts) {
				one.Other = r.Other.Parts[i]
			}
			if r.Event != nil && part.Kind == filter.Alert {
				one.Event = part.Event
			}
			all = append(all, one)
		}
	}
	b.found = all
}

// judge gives each record of the block what the filters find in its event.
func (b *block) judge(e *Evaluation, chunk []byte) {
	findings := e.Filter.Check(chunk)
	var others []filter.Finding
	if e.Other != nil {
		others = e.Other.Check(chunk)
	}
	strange := true // until the first record that is not HTTP
	for i, n := 0, 0; i < len(b.found); i++ {
		r := &b.found[i]
		if r.Err != nil {
			continue
		}
		r.Finding = findings[n]
		if others != nil {
			r.Other = others[n]
		}
		n++
		if !e.Keep && !strange {
			continue
		}
		event, rest, err := record.Next(chunk)
		chunk = rest
		switch {
		case err != nil:
		case r.Kind == filter.Alert && e.Keep:
			r.Event = event.Raw
		case r.Kind == filter.NotHTTP && strange:
			r.looks, strange = filter.DescribeKeys(event.Body), false
		}
	}
}

// MatchedIDs returns the ids of the rules that matched.
func MatchedIDs(v *rules.Verdict) (ids []int) {
	if v != nil {
		for i := range v.Matches {
			ids = append(ids, v.Matches[i].Rule.ID)
		}
	}
	return ids
}
