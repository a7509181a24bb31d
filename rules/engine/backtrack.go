package engine

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/corazawaf/coraza/v3/experimental/plugins"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/backtrack"
)

// backtrackName is the name under which Coraza knows an @rx that backtracks. Rules and alerts call it rx.
const backtrackName = "rxBacktrack"

// limitsExceeded is the TX variable in which ModSecurity, too, notes that an expression gave up; its rule 200005 looks at it. Here it counts
// how often.
const limitsExceeded = "msc_pcre_limits_exceeded"

// maxGivenUp is how often expressions may give up on one transaction. Later ones give up at once, so that no transaction takes longer
// than some seconds.
const maxGivenUp = 8

func init() {
	plugins.RegisterOperator(backtrackName, func(o plugintypes.OperatorOptions) (plugintypes.Operator, error) {
		compile := func() (any, error) { return backtrack.Compile(o.Arguments) }
		if o.Memoizer == nil {
			return newBacktracker(compile())
		}
		return newBacktracker(o.Memoizer.Do(backtrackName+" "+o.Arguments, compile))
	})
}

// backtracker is an @rx that RE2 cannot compile. It captures as Coraza's does.
type backtracker struct {
	*backtrack.Expression
	resting atomic.Int64 // until when the prefilter does not try it, in Unix nanoseconds
}

// The prefilter runs on the pipeline's thread: it tries an expression with loops on short values only, and leaves one alone for a while that
// gives up on such a value.
const (
	quickValue = 512 // bytes
	rest       = 10 * time.Second
)

func newBacktracker(expression any, err error) (plugintypes.Operator, error) {
	if err != nil {
		return nil, fmt.Errorf("pattern cannot be compiled: %w", err)
	}
	return &backtracker{Expression: expression.(*backtrack.Expression)}, nil
}

// Evaluate implements plugintypes.Operator. An expression that gives up does not match, as in ModSecurity.
func (b *backtracker) Evaluate(tx plugintypes.TransactionState, value string) bool {
	given := givenUp(tx)
	matched, err := b.evaluate(tx, value, given)
	if err != nil {
		tx.Variables().TX().Set(limitsExceeded, []string{strconv.Itoa(given + 1)})
	}
	return matched
}

func (b *backtracker) evaluate(tx plugintypes.TransactionState, value string, given int) (matched bool, err error) {
	switch {
	case given >= maxGivenUp:
		return false, backtrack.ErrGaveUp
	case tx.Capturing():
		return b.capture(tx, value)
	}
	return b.Match(value)
}

// capture sets TX:0 to TX:8, those without a group apart.
func (b *backtracker) capture(tx plugintypes.TransactionState, value string) (matched bool, err error) {
	ends, err := b.Find(value)
	for i := 0; i < min(len(ends)/2, 9); i++ {
		group := ""
		if ends[2*i] >= 0 {
			group = value[ends[2*i]:ends[2*i+1]]
		}
		tx.CaptureField(i, group)
	}
	return ends != nil, err
}

// Try implements prefilter.Limited.
func (b *backtracker) Try(value string) (matched, sure bool) {
	if until := b.resting.Load(); len(value) > quickValue && b.Loops() || until != 0 && time.Now().UnixNano() < until {
		return false, false
	}
	matched, err := b.Match(value)
	if err != nil {
		b.resting.Store(time.Now().Add(rest).UnixNano())
	}
	return matched, err == nil
}

// givenUp returns how often expressions gave up on a transaction.
func givenUp(tx plugintypes.TransactionState) int {
	noted := tx.Variables().TX().Get(limitsExceeded)
	if len(noted) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(noted[0]) // a rule can set it to anything
	return max(n, 0)
}
