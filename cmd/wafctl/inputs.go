package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
)

// inputs are files of records, read one after the other.
type inputs struct {
	console *console
	names   []string
	alerts  int
	http    int          // records that are HTTP transactions
	strange int          // records that are none
	broken  int          // lines that are no records
	unread  int          // inputs that could not be read to their end
	blind   []blindInput // inputs of which nothing was inspected

	progress *progress
}

// blindInput is an input that has records, none of them an HTTP transaction.
type blindInput struct {
	name    string
	records int
	looks   string // of the first record
}

// each evaluates all records of all files. What cannot be read is told, and the error says so at the end.
func (in *inputs) each(ctx context.Context, e *evaluation, do func(file string, r *checked) error) error {
	in.progress = newProgress(in.console, in.names, e.filter.Counts)
	defer in.progress.end()
	var problems []error
	for _, name := range in.names {
		if err := in.one(ctx, e, name, do); err != nil {
			problems = append(problems, err)
			in.unread++
		}
	}
	if in.broken > 0 {
		problems = append(problems, fmt.Errorf("%s could not be read", count(in.broken, "line")))
	}
	return errors.Join(problems...)
}

// maxToldLines bounds how many unreadable lines of an input are told one by one.
const maxToldLines = 10

func (in *inputs) one(ctx context.Context, e *evaluation, name string, do func(file string, r *checked) error) error {
	from, err := openInput(name, in.console.in, in.progress)
	if err != nil {
		return err
	}
	defer from.close()
	told, http, strange, looks := 0, in.http, in.strange, ""
	err = e.run(ctx, from, func(r *checked) error {
		looks = cmp.Or(looks, r.looks)
		switch {
		case r.err != nil:
			in.broken++
			if told++; told <= maxToldLines {
				in.console.say(fmt.Sprintf("%s:%d: %v", from.name, r.line, r.err))
			} else if told == maxToldLines+1 {
				in.console.say(from.name + ": more lines like these are counted, not told")
			}
		case r.Kind == filter.NotHTTP:
			in.strange++
		case r.Kind == filter.Alert:
			in.alerts++
			in.http++
		default:
			in.http++
		}
		return do(from.name, r)
	})
	if err != nil {
		return fmt.Errorf("read records: %s: %w", from.name, err)
	}
	if n := in.strange - strange; n > 0 && in.http == http {
		in.blind = append(in.blind, blindInput{from.name, n, looks})
		in.tellStrange(from.name, name, n, looks)
	}
	return nil
}

// tellStrange warns of an input of which nothing was inspected.
func (in *inputs) tellStrange(title, name string, records int, looks string) {
	in.console.say(fmt.Sprintf(`warning: %s: no HTTP transaction in %s. The first one %s. "wafctl map %s" shows how records are read`,
		title, count(records, "record"), looks, name))
}

// errNothing ends a command that has found records, and none of HTTP.
var errNothing = errors.New("nothing was inspected: no record is an HTTP transaction")

// inspected returns an error when there were records and nothing was inspected.
func (in *inputs) inspected() error {
	if in.http == 0 && in.strange > 0 {
		return errNothing
	}
	return nil
}

// How long a socket is read after the end was asked for: what the kernel has is taken, what still arrives is not waited for.
const drainTime = 200 * time.Millisecond
