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

// Inputs are files of records. Several are read at the same time, and what was found comes file by file.
type Inputs struct {
	Console *cli.Console
	Names   []string
	Alerts  int
	http    int          // records that are HTTP transactions
	strange int          // records that are none
	Outside int          // records outside --since and --until
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
	problems := in.readAhead(ctx, e, do)
	return errors.Join(append(problems, in.broken())...)
}

// broken returns an error when there are lines that are no records.
func (in *Inputs) broken() error {
	if in.Broken == 0 {
		return nil
	}
	return fmt.Errorf("%s could not be read", cli.Count(in.Broken, "line"))
}

// mostOpen is how many files are read at a time, where there are so many cores: a core reads and unpacks about as much as two check.
const mostOpen = 8

// opened is a file that is read ahead of its turn.
type opened struct {
	name string // as it was given
	from *Input
	read *reading
	err  error
}

// readAhead evaluates the files in their order. While what was found in one is handed over, the next ones are read.
func (in *Inputs) readAhead(ctx context.Context, e *Evaluation, do func(file string, r *Checked) error) (problems []error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work := e.start(ctx)
	var ahead []*opened
	for next := 0; next < len(in.Names) || len(ahead) > 0; {
		for ; next < len(in.Names) && len(ahead) < min(mostOpen, e.workers()); next++ {
			ahead = append(ahead, in.open(ctx, e, in.Names[next], work))
		}
		if err := in.take(ahead[0], do); err != nil {
			problems = append(problems, err)
			in.Unread++
		}
		ahead = ahead[1:]
	}
	return problems
}

func (in *Inputs) open(ctx context.Context, e *Evaluation, name string, work chan<- *block) *opened {
	o := &opened{name: name}
	if o.from, o.err = OpenInput(name, in.Console.In, in.progress); o.err == nil {
		o.read = e.read(ctx, o.from, work)
	}
	return o
}

// maxToldLines bounds how many unreadable lines of an input are reported one by one.
const maxToldLines = 10

// take hands over what was found in a file.
func (in *Inputs) take(o *opened, do func(file string, r *Checked) error) error {
	if o.err != nil {
		return o.err
	}
	from, name := o.from, o.name
	told, http, strange, looks := 0, in.http, in.strange, ""
	outside, err := o.read.each(func(r *Checked) error {
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
	in.Outside += outside
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
