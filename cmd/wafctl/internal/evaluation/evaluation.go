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
	Window Window         // of the records that are checked
}

// block is a run of lines, its records once they are checked, and the word that they are.
type block struct {
	intake.Block
	plain   intake.Plain       // of its input
	columns *accesslog.Columns // of plain lines at its start
	sent    time.Time          // the time of records that name none
	found   []Checked
	outside int // records that are not in the window
	done    chan struct{}
}

// Run checks all records of an input on all cores and hands them to each in input order. It holds few blocks at a time, so the
// size of the input does not matter.
func (e *Evaluation) Run(ctx context.Context, in io.Reader, each func(*Checked) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_, err := e.read(ctx, &Input{Reader: in, Close: func() {}}, e.start(ctx)).each(each)
	return err
}

// workers returns how many goroutines check blocks.
func (e *Evaluation) workers() int {
	if e.Calm {
		return 1
	}
	return runtime.GOMAXPROCS(0)
}

// start returns where blocks are handed to goroutines that check them until ctx ends.
func (e *Evaluation) start(ctx context.Context) chan<- *block {
	work := make(chan *block)
	for range e.workers() {
		go recovery.Loop(ctx.Done(), e.Filter.Caught("checking records"), func() { e.work(ctx, work) })
	}
	return work
}

// reading is an input under way: its blocks in their order, and what reading them has failed with.
type reading struct {
	inOrder chan *block
	failed  chan error
}

// read cuts an input into blocks for the workers until ctx ends, and closes it.
func (e *Evaluation) read(ctx context.Context, in *Input, work chan<- *block) *reading {
	r := &reading{inOrder: make(chan *block, 2*e.workers()), failed: make(chan error, 1)}
	go func() {
		defer close(r.inOrder)
		defer in.Close()
		err := ErrPanic
		recovery.Once(e.Filter.Caught("reading records"), func() { err = readBlocks(ctx, in, work, r.inOrder) })
		r.failed <- err
	}()
	return r
}

// each hands over what was found in the blocks, and returns how many records were not in the window.
func (r *reading) each(do func(*Checked) error) (outside int, err error) {
	for b := range r.inOrder {
		<-b.done
		outside += b.outside
		for i := range b.found {
			if err := do(&b.found[i]); err != nil {
				return outside, err
			}
		}
	}
	return outside, <-r.failed
}

// work checks blocks until ctx ends. Each is done with, also when checking it panics: its lines have no finding then.
func (e *Evaluation) work(ctx context.Context, blocks <-chan *block) {
	var decoder intake.Decoder
	for {
		select {
		case b := <-blocks:
			b.checkOrFail(e, &decoder)
		case <-ctx.Done():
			return
		}
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

func readBlocks(ctx context.Context, in *Input, work, inOrder chan<- *block) error {
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
		b := &block{Block: next, plain: plain, columns: columns, sent: in.Modified, done: make(chan struct{})}
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
	if b.sent.IsZero() {
		b.sent = time.Now()
	}
	d.Plain, d.Columns = b.plain, b.columns
	for number, text := range b.All() {
		grown, records, err := d.AppendEvents(chunk, text, b.sent)
		chunk = grown
		for range records {
			b.found = append(b.found, Checked{Line: number})
		}
		if err != nil {
			b.found = append(b.found, Checked{Line: number, Err: err})
		}
	}
	if e.Window.IsBounded() {
		chunk = b.cut(e, chunk)
	}
	b.evaluate(e, chunk)
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

// evaluate gives each record of the block what the filters find in its event.
func (b *block) evaluate(e *Evaluation, chunk []byte) {
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
