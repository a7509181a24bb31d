package regex

import (
	"encoding/binary"
	"regexp"
	"regexp/syntax"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// LazyDFA decides whether a value has a match of an expression, and from where on, in one pass over the value. It is a deterministic
// automaton over Go's own program of the expression, whose states are made when a value first leads to them, and dropped all together
// when they take too much memory. A value that leads to too many states is decided by package regexp.
type LazyDFA struct {
	patterns []string              // alternatives; more than one in a union
	Regexp   func() *regexp.Regexp // compiled when it is first needed
	once     sync.Once             // makes what follows, which most expressions never need

	*program
	current  atomic.Pointer[table]
	idle     []state // in which no match has begun, and which the beginning of a value equals; the first states of each table
	lastIdle uint32  // row

	mu     sync.Mutex   // held while states are made
	size   int          // bytes of the current table
	filled atomic.Int64 // how often the states took too much memory
	budget *Budget
}

// Budget is what the lazy DFAs of a rule set share: memory, and those of expressions that come more than once.
type Budget struct {
	states atomic.Int64  // bytes of all their tables
	making *atomic.Int64 // nanoseconds that they take to compile are added here
	mu     sync.Mutex
	known  map[string]*LazyDFA
}

// NewBudget returns a budget for lazy DFAs. The nanoseconds that they take to compile, when they see their first value, are added to making.
func NewBudget(making *atomic.Int64) *Budget {
	return &Budget{making: making, known: map[string]*LazyDFA{}}
}

// LazyDFA returns the lazy DFA of an expression that is not malformed, nil without a budget. It is safe for concurrent use.
func (b *Budget) LazyDFA(pattern string) *LazyDFA {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.known[pattern]
	if a == nil {
		a = &LazyDFA{
			patterns: []string{pattern}, budget: b,
			Regexp: sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) }),
		}
		b.known[pattern] = a
	}
	return a
}

// table holds states of a lazy DFA and where each class of runes leads from them. A full table is copied to a larger one; those
// who read the old one go over to the new one where the old one does not know the way.
type table struct {
	next   []uint32 // row of the next state, by row and class; written and read atomically
	states []state
	rows   map[state]uint32
}

// state is the set of instructions at which the program can be before the next rune, ascending, and what the rune before was, which
// decides about ^, $ and \b. Each of them is four bytes.
type state string

func newState(pcs []uint32, before rune) state {
	text := make([]byte, 0, 4*len(pcs)+4)
	for _, pc := range pcs {
		text = binary.LittleEndian.AppendUint32(text, pc)
	}
	return state(binary.LittleEndian.AppendUint32(text, uint32(before)))
}

// pcs yields the instructions.
func (s state) pcs(yield func(uint32) bool) {
	for at := 0; at < len(s)-4; at += 4 {
		if !yield(s.word(at)) {
			return
		}
	}
}

func (s state) before() rune { return rune(s.word(len(s) - 4)) }

func (s state) word(at int) uint32 {
	return uint32(s[at]) | uint32(s[at+1])<<8 | uint32(s[at+2])<<16 | uint32(s[at+3])<<24
}

// What is in a table beside rows, which are multiples of the stride, 4 and more.
const (
	unknown  = iota // nobody went this way yet
	accepted        // a match has ended; what follows does not matter
	rejected        // at the end of the value
)

const (
	maxStateBytes = 1 << 20  // of one expression
	fairBytes     = 32 << 10 // of one expression when all together have more than their budget
	stateBudget   = 8 << 20  // bytes of states of all expressions of a rule set
	maxDrops      = 1        // how often one value may fill the memory of an expression
	stateBytes    = 64       // of a state beside its text and its row: that it is listed, and found
	firstStates   = 4        // for which a new table has room
	noRune        = -1
)

// prepare compiles the program.
func (a *LazyDFA) prepare() {
	begin := time.Now()
	defer func() { a.budget.making.Add(int64(time.Since(begin))) }()
	a.program = newProgram(a.patterns...)
	a.idle = a.idleStates()
	a.lastIdle = uint32(len(a.idle) * a.stride())
	a.clear()
}

// Match reports whether the value has a match.
func (a *LazyDFA) Match(value string) bool {
	_, found := a.scan(value)
	return found == yes || found == undecided && a.Regexp().MatchString(value)
}

// Locate reports whether the value can have a match; false is certain. The expression has the same leftmost match in value[from:] as in
// value, with the same groups.
func (a *LazyDFA) Locate(value string) (from int, can bool) {
	from, found := a.scan(value)
	if found == undecided {
		return 0, true
	}
	return from, found == yes
}

// finding is what a scan says of a value.
type finding uint8

const (
	no        finding = iota
	yes               // it has a match
	undecided         // it leads to too many states
)

// scan looks for a match. None begins before from, where the value could as well begin.
func (a *LazyDFA) scan(value string) (from int, found finding) {
	a.once.Do(a.prepare)
	t := a.current.Load()
	next, row := t.next, uint32(a.stride())
	drops := 0
	for i := 0; i < len(value); {
		var class uint32
		size := 1
		if c := value[i]; c < utf8.RuneSelf {
			class = uint32(a.ascii[c])
		} else {
			var r rune
			r, size = utf8.DecodeRuneInString(value[i:])
			class = uint32(a.class(r))
		}
		if row <= a.lastIdle {
			from = i
		}
		to := atomic.LoadUint32(&next[row+class])
		if to <= accepted {
			if to == unknown {
				var dropped bool
				if t, to, dropped = a.step(t, row, class); dropped {
					if drops++; drops > maxDrops {
						return 0, undecided
					}
				}
				next = t.next
			}
			if to == accepted {
				return from, yes
			}
		}
		row = to
		i += size
	}
	if row <= a.lastIdle {
		from = len(value)
	}
	end := uint32(len(a.members))
	to := atomic.LoadUint32(&next[row+end])
	if to == unknown {
		_, to, _ = a.step(t, row, end)
	}
	if to == accepted {
		return from, yes
	}
	return from, no
}

// step finds out where a class of runes, or the end of the value, leads from a row of a table. The answer is a row of the table that
// it returns; dropped is true when all states before were dropped.
func (a *LazyDFA) step(from *table, row, class uint32) (t *table, to uint32, dropped bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := from.states[int(row)/a.stride()-1]
	after := rune(noRune)
	if int(class) < len(a.members) {
		after = a.members[class]
	}
	c := closures.Get().(*closure)
	defer closures.Put(c)
	c.reset(a.program, syntax.EmptyOpContext(s.before(), after))
	for pc := range s.pcs {
		c.add(pc)
	}
	c.add(a.start) // a match can begin anywhere
	switch {
	case c.matched:
		t, to = a.current.Load(), accepted
	case after == noRune:
		t, to = a.current.Load(), rejected
	default:
		t, to, dropped = a.add(newState(c.through(class), kindOf(after)))
	}
	if known, found := t.rows[s]; found {
		atomic.StoreUint32(&t.next[known+class], to)
	}
	return t, to, dropped
}

// add returns the row of a state in the current table, which may be a new one. dropped is true when all states were dropped.
func (a *LazyDFA) add(s state) (t *table, row uint32, dropped bool) {
	t = a.current.Load()
	if row, found := t.rows[s]; found {
		return t, row, false
	}
	size := 4*a.stride() + len(s) + stateBytes
	a.size += size
	all := a.budget.states.Add(int64(size))
	if dropped = a.size > maxStateBytes || all > stateBudget && a.size > fairBytes; dropped {
		a.filled.Add(1)
		a.clear()
		t = a.current.Load()
	}
	if (len(t.states)+2)*a.stride() > len(t.next) {
		t = a.grow(t)
	}
	row = uint32((len(t.states) + 1) * a.stride())
	t.states = append(t.states, s)
	t.rows[s] = row
	return t, row, dropped
}

// clear drops all states but those in which no match has begun.
func (a *LazyDFA) clear() {
	a.budget.states.Add(-int64(a.size))
	a.size = 0
	t := &table{next: make([]uint32, (firstStates+1)*a.stride()), states: slices.Clone(a.idle), rows: map[state]uint32{}}
	for i, s := range a.idle {
		t.rows[s] = uint32((i + 1) * a.stride())
	}
	a.current.Store(t)
}

// idleStates returns the state at the beginning of a value, and those in which no match has begun and what follows is taken as if the value
// began there: what they have before matters to no assertion of the expression.
func (p *program) idleStates() []state {
	idle := []state{newState(nil, noRune)}
	for _, before := range []rune{'\n', 'a', ' '} {
		differs := syntax.EmptyOp(0)
		for _, after := range []rune{noRune, '\n', 'a', ' '} {
			differs |= syntax.EmptyOpContext(before, after) ^ syntax.EmptyOpContext(noRune, after)
		}
		if p.asserts&differs == 0 {
			idle = append(idle, newState(nil, before))
		}
	}
	return idle
}

// grow makes the table with room for half as many states more the current one.
func (a *LazyDFA) grow(old *table) *table {
	rows := len(old.next) / a.stride()
	larger := &table{next: make([]uint32, (rows+rows/2)*a.stride()), states: old.states, rows: old.rows}
	for i := range old.next {
		larger.next[i] = atomic.LoadUint32(&old.next[i])
	}
	a.current.Store(larger)
	return larger
}

// kindOf returns a rune that stands for all that ^, $ and \b take for the same.
func kindOf(r rune) rune {
	switch {
	case r == '\n':
		return '\n'
	case syntax.IsWordChar(r):
		return 'a'
	}
	return ' '
}

var closures = sync.Pool{New: func() any { return &closure{} }}
