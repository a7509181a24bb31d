package engine

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"path"
	"regexp/syntax"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/corazawaf/coraza/v3/experimental/plugins"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/regex"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// Most expressions and word lists never see a value: the prefilter knows of most transactions that they cannot match. Coraza's own
// operators are made when they are evaluated first, which halves the memory that the engine takes and its time to load.

// lazyNames are the names under which lazy operators are registered, besides Coraza's, by Coraza's names in lower case.
var lazyNames = map[string]string{"rx": "lazyRx", "pmfromfile": "lazyPmFromFile", "pmf": "lazyPmFromFile"}

// eagerNames are Coraza's names of lazy operators.
var eagerNames = map[string]string{"lazyRx": "rx", "lazyPmFromFile": "pmFromFile"}

// withLazyOperator returns a rule with a lazy operator in the place of Coraza's.
func withLazyOperator(d *seclang.Directive) seclang.Directive {
	if d.Is("SecRule") {
		if r, err := seclang.ParseRule(*d); err == nil && lazyNames[strings.ToLower(r.Operator.Name)] != "" {
			return r.WithOperator(lazyNames[strings.ToLower(r.Operator.Name)])
		}
	}
	return *d
}

// nameOperators gives lazy operators of compiled rules Coraza's names.
func nameOperators(compiled *corazalink.WAF) {
	for i := range compiled.Rules {
		for k := range compiled.Rules[i].Links {
			if o := compiled.Rules[i].Links[k].Operator; o != nil && eagerNames[o.Name] != "" {
				o.Name = eagerNames[o.Name]
			}
		}
	}
}

// lazyOperator is an operator of Coraza that is made with its first value.
type lazyOperator struct {
	name    string
	options plugintypes.OperatorOptions
	maker   *Operators
	made    atomic.Pointer[madeOperator]
	dfa     *regex.LazyDFA // of an expression: it knows in one pass that a value has no match, and where the value's first match is near; or nil
}

// madeOperator is shared by all lazy operators of the same Operators that are the same.
type madeOperator struct{ plugintypes.Operator }

// Operators makes the lazy operators of engines and shares what is the same among them. It is safe for concurrent use. It keeps no operator
// that no engine uses, so there is nothing to close. Its zero value is ready for use.
type Operators struct {
	mu     sync.Mutex
	shared map[string]weak.Pointer[madeOperator]
	users  []*lazyOperator // since the last coolDown

	took  atomic.Int64 // by making operators, in nanoseconds
	since atomic.Int64 // when the one that is being made was begun, in Unix nanoseconds; 0 when none is
	// By compiling the lazy DFAs of expressions, in nanoseconds.
	ofDFAs atomic.Int64
}

// MakingTime returns how long making operators and lazy DFAs has taken so far. Each is made with its first value, so
// that the time is spent while a transaction is inspected.
func (ops *Operators) MakingTime() time.Duration {
	took := ops.took.Load() + ops.ofDFAs.Load()
	if since := ops.since.Load(); since != 0 {
		took += time.Now().UnixNano() - since
	}
	return time.Duration(took)
}

// Evaluate implements plugintypes.Operator.
func (l *lazyOperator) Evaluate(tx plugintypes.TransactionState, value string) bool {
	if l.dfa != nil {
		from, can := l.dfa.Locate(value)
		if !can {
			return false
		}
		value = value[from:]
	}
	m := l.made.Load()
	if m == nil {
		m = l.maker.make(l)
	}
	return m.Evaluate(tx, value)
}

// words is an @pmFromFile. A list of words finds out whether a value has one. Coraza's automaton, which takes ten times as long to make
// and to run, is only needed for the words that a rule captures.
type words struct {
	list      *prefilter.WordList
	automaton func() plugintypes.Operator
}

// Evaluate implements plugintypes.Operator.
func (w *words) Evaluate(tx plugintypes.TransactionState, value string) bool {
	switch {
	case !w.list.Contains(value):
		return false
	case !tx.Capturing():
		return true
	}
	return w.automaton().Evaluate(tx, value)
}

// make makes the operator, or shares one. It panics when that cannot be done, which is looked for when rules are loaded: the
// transaction then counts as not inspected.
func (ops *Operators) make(l *lazyOperator) *madeOperator {
	ops.mu.Lock()
	defer ops.mu.Unlock()
	key := l.key()
	m := ops.shared[key].Value()
	if m == nil {
		m = &madeOperator{ops.made(l)}
		if ops.shared == nil {
			ops.shared = map[string]weak.Pointer[madeOperator]{}
		}
		ops.shared[key] = weak.Make(m)
		runtime.AddCleanup(m, ops.forget, key)
	}
	l.made.Store(m)
	ops.users = append(ops.users, l)
	return m
}

// made makes the operator.
func (ops *Operators) made(l *lazyOperator) plugintypes.Operator {
	defer ops.measure()()
	if l.name == "rx" {
		return original(l.name, l.options)
	}
	text, _ := wordList(l.options)
	list := prefilter.NewWordList(text)
	if list == nil {
		return original(l.name, l.options)
	}
	alone := programFiles{data: map[string][]byte{"words": text}} // the others of the program are not kept
	return &words{list, sync.OnceValue(func() plugintypes.Operator {
		ops.mu.Lock()
		defer ops.mu.Unlock()
		defer ops.measure()()
		return original("pmFromFile", plugintypes.OperatorOptions{Arguments: "words", Path: []string{"."}, Root: alone})
	})}
}

// original makes an operator of Coraza.
func original(name string, options plugintypes.OperatorOptions) plugintypes.Operator {
	o, err := corazalink.GetOperator(name, options)
	if err != nil {
		panic(fmt.Errorf("operator @%s %s: %w", name, options.Arguments, err))
	}
	return o
}

// measure begins to measure the time that making an operator takes. What it returns ends that. The lock is held.
func (ops *Operators) measure() (end func()) {
	begin := time.Now()
	ops.since.Store(begin.UnixNano())
	return func() {
		ops.took.Add(int64(time.Since(begin)))
		ops.since.Store(0)
	}
}

// key identifies an operator by all that it is made from: for a word list its text, since the file may change.
func (l *lazyOperator) key() string {
	if l.name == "rx" {
		return fmt.Sprintf("rx %t %s", l.options.RxPreFilterEnabled, l.options.Arguments)
	}
	text, _ := wordList(l.options)
	return fmt.Sprintf("words %x", sha256.Sum256(text))
}

// forget drops the entry of an operator that nobody uses any more.
func (ops *Operators) forget(key string) {
	ops.mu.Lock()
	defer ops.mu.Unlock()
	if ops.shared[key].Value() == nil {
		delete(ops.shared, key)
	}
}

// coolDown lets go of the operators that were made so far: loading rules tries them all, traffic needs few.
func (ops *Operators) coolDown() {
	ops.mu.Lock()
	defer ops.mu.Unlock()
	for _, l := range ops.users {
		l.made.Store(nil)
	}
	ops.users = nil
}

func init() {
	plugins.RegisterOperator(lazyNames["rx"], newExpression)
	plugins.RegisterOperator(lazyNames["pmfromfile"], newWords)
}

// makersOf returns who makes the lazy operator of a rule, and its lazy DFA. ok is false for an operator that no engine compiles.
func makersOf(o plugintypes.OperatorOptions) (operators *Operators, expressions *regex.Budget, ok bool) {
	files, is := o.Root.(interface {
		makes() (*Operators, *regex.Budget)
	})
	if !is {
		return nil, nil, false
	}
	operators, expressions = files.makes()
	return operators, expressions, true
}

// newLazy returns a lazy operator of the Operators with whose files the rule is compiled.
func newLazy(name string, o plugintypes.OperatorOptions) (plugintypes.Operator, error) {
	operators, expressions, ok := makersOf(o)
	if !ok {
		return nil, fmt.Errorf("operator @%s is not compiled by an engine", name)
	}
	o.Memoizer = nil // would keep what was made as long as the rules
	l := &lazyOperator{name: name, options: o, maker: operators}
	if name == "rx" && !o.RxPreFilterEnabled { // which misses matches when it tries literals first
		l.dfa = expressions.LazyDFA("(?sm)" + o.Arguments)
	}
	return l, nil
}

// newExpression makes an @rx, a lazy one where RE2 is sure to compile the expression: what can go wrong in that is parsing it. What RE2
// cannot compile is backtracked.
func newExpression(o plugintypes.OperatorOptions) (plugintypes.Operator, error) {
	expression := "(?sm)" + o.Arguments
	if corazalink.MatchesArbitraryBytes(expression) {
		if made, err := corazalink.GetOperator("rx", o); err == nil {
			return made, nil
		}
		return corazalink.GetOperator(backtrackName, o)
	}
	if _, err := syntax.Parse(expression, syntax.Perl); err != nil {
		return corazalink.GetOperator(backtrackName, o)
	}
	return newLazy("rx", o)
}

// newWords makes an @pmFromFile. Where the file is not there, Coraza says what is wrong.
func newWords(o plugintypes.OperatorOptions) (plugintypes.Operator, error) {
	if _, found := wordList(o); !found {
		return corazalink.GetOperator("pmFromFile", o)
	}
	return newLazy("pmFromFile", o)
}

// wordList returns the text of a word list, looked for as Coraza does.
func wordList(o plugintypes.OperatorOptions) (text []byte, found bool) {
	if path.IsAbs(o.Arguments) {
		return nil, false
	}
	for _, dir := range o.Path {
		if text, err := fs.ReadFile(o.Root, path.Join(dir, o.Arguments)); err == nil {
			return text, true
		}
	}
	return nil, false
}
