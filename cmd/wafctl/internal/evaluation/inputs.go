package evaluation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
)

// Inputs are files of records, read one after the other.
type Inputs struct {
	Console *cli.Console
	Names   []string
	Alerts  int
	http    int          // records that are HTTP transactions
	strange int          // records that are none
	Broken  int          // lines that are no records
	Unread  int          // inputs that could not be read to their end
	Blind   []blindInput // inputs of which nothing was inspected

	progress *cli.Progress
}

// blindInput is an input that has records, none of them an HTTP transaction.
type blindInput struct {
	Name    string
	Records int
	Looks   string // of the first record
}

// Each evaluates all records of all files. It reports what cannot be read, and returns an error about it at the end.
func (in *Inputs) Each(ctx context.Context, e *Evaluation, do func(file string, r *Checked) error) error {
	in.progress = cli.NewProgress(in.Console, in.Names, e.Filter.Counts)
	defer in.progress.End()
	var problems []error
	for _, name := range in.Names {
		if err := in.One(ctx, e, name, do); err != nil {
			problems = append(problems, err)
			in.Unread++
		}
	}
	if in.Broken > 0 {
		problems = append(problems, fmt.Errorf("%s could not be read", cli.Count(in.Broken, "line")))
	}
	return errors.Join(problems...)
}

// maxToldLines bounds how many unreadable lines of an input are reported one by one.
const maxToldLines = 10

// Include adds the counts of other inputs, which were read beside these.
func (in *Inputs) Include(other *Inputs) {
	in.http += other.http
	in.strange += other.strange
	in.Broken += other.Broken
}

// One evaluates all records of one file.
func (in *Inputs) One(ctx context.Context, e *Evaluation, name string, do func(file string, r *Checked) error) error {
	from, err := OpenInput(name, in.Console.In, in.progress)
	if err != nil {
		return err
	}
	defer from.Close()
	told, http, strange, looks := 0, in.http, in.strange, ""
	err = e.Run(ctx, from, func(r *Checked) error {
		looks = cmp.Or(looks, r.looks)
		switch {
		case r.Err != nil:
			in.Broken++
			if told++; told <= maxToldLines {
				in.Console.Say(fmt.Sprintf("%s:%d: %v", from.Name, r.Line, r.Err))
			} else if told == maxToldLines+1 {
				in.Console.Say(from.Name + ": more such lines are counted, not printed")
			}
		case r.Kind == filter.NotHTTP:
			in.strange++
		case r.Kind == filter.Alert:
			in.Alerts++
			in.http++
		default:
			in.http++
		}
		return do(from.Name, r)
	})
	if err != nil {
		return fmt.Errorf("read records: %s: %w", from.Name, err)
	}
	if n := in.strange - strange; n > 0 && in.http == http {
		in.Blind = append(in.Blind, blindInput{from.Name, n, looks})
		in.tellStrange(from.Name, name, n, looks)
	}
	return nil
}

// tellStrange warns of an input of which nothing was inspected.
func (in *Inputs) tellStrange(title, name string, records int, looks string) {
	in.Console.Say(fmt.Sprintf(`warning: %s: no HTTP transaction in %s. The first one %s. "wafctl map %s" shows how records are read`,
		title, cli.Count(records, "record"), looks, name))
}

// errNothing ends a command that has found records, and none of HTTP.
var errNothing = errors.New("nothing was inspected: no record is an HTTP transaction")

// Inspected returns an error when there were records and nothing was inspected.
func (in *Inputs) Inspected() error {
	if in.http == 0 && in.strange > 0 {
		return errNothing
	}
	return nil
}

// DrainTime is how long a socket is read after the end was asked for: what the kernel has is taken, what still arrives is not waited for.
const DrainTime = 200 * time.Millisecond
