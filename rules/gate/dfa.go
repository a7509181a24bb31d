package gate

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"
)

// automaton decides whether a value has a match of an expression, in one pass over the value. It is a deterministic automaton
// over Go's own program of the expression, whose states are made when a value first leads to them, and dropped all together
// when they take too much memory. A value that leads to too many states is decided by package regexp.
type automaton struct {
	pattern string
	slow    func() *regexp.Regexp // compiled when it is first needed
	once    sync.Once             // makes what follows, which most expressions never need

	prog    *syntax.Prog
	bounds  []rune // where a new class of runes begins, ascending, from 0
	ascii   [utf8.RuneSelf]uint16
	current atomic.Pointer[table]

	mu    sync.Mutex    // held while states are made
	size  int           // bytes of the current table
	total *atomic.Int64 // bytes of the tables of all automata of the gate
}

// table holds states of an automaton and where each class of runes leads from them. A full table is copied to a larger one; those
// who read the old one go over to the new one where the old one does not know the way.
type table struct {
	next   []uint32 // row of the next state, by row and class; written and read atomically
	states []state
	rows   map[string]uint32 // of a state, by its key
}

// state is the set of instructions at which the program can be before the next rune, and what the rune before was, which
// decides about ^, $ and \b.
type state struct {
	pcs    []uint32
	before rune
}

// What is in a table beside rows, which are multiples of the number of classes, 12 and more.
const (
	unknown  = iota // nobody went this way yet
	accepted        // a match has ended; what follows does not matter
	rejected        // at the end of the value
)

const (
	maxStateBytes = 1 << 20  // of one expression
	fairBytes     = 32 << 10 // of one expression when all together have more than their budget
	stateBudget   = 8 << 20  // bytes of states of all expressions of a gate
	maxDrops      = 1        // how often one value may fill the memory of an expression
	firstStates   = 4        // for which a new table has room
	noRune        = -1
)

// newAutomaton returns the automaton of an expression, nil when it is malformed. total counts the bytes of all automata that
// share a budget.
func newAutomaton(pattern string, total *atomic.Int64) *automaton {
	if _, err := syntax.Parse(pattern, syntax.Perl); err != nil {
		return nil
	}
	return &automaton{
		pattern: pattern, total: total,
		slow: sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) }),
	}
}

// making is how long automata took to compile, in nanoseconds.
var making atomic.Int64

// MakingTime returns how long the process has spent on compiling what expressions need for their first value.
func MakingTime() time.Duration { return time.Duration(making.Load()) }

// prepare compiles the program. Package regexp compiles the same way, so it cannot fail for an expression that Coraza takes.
func (a *automaton) prepare() {
	begin := time.Now()
	defer func() { making.Add(int64(time.Since(begin))) }()
	re, err := syntax.Parse(a.pattern, syntax.Perl)
	if err != nil {
		panic(err)
	}
	if a.prog, err = syntax.Compile(re.Simplify()); err != nil {
		panic(err)
	}
	a.classify()
	a.clear()
}

// classify finds the classes of runes that no instruction tells apart.
func (a *automaton) classify() {
	bounds := []rune{0, '\n', '\n' + 1, '0', '9' + 1, 'A', 'Z' + 1, '_', '_' + 1, 'a', 'z' + 1}
	for i := range a.prog.Inst {
		in := &a.prog.Inst[i]
		switch in.Op {
		case syntax.InstRune, syntax.InstRune1:
			bounds = append(bounds, runeBounds(in)...)
		}
	}
	slices.Sort(bounds)
	a.bounds = slices.Compact(bounds)
	for c := range a.ascii {
		a.ascii[c] = uint16(a.class(rune(c)))
	}
}

func runeBounds(in *syntax.Inst) (bounds []rune) {
	if len(in.Rune) == 1 {
		r := in.Rune[0]
		bounds = append(bounds, r, r+1)
		if syntax.Flags(in.Arg)&syntax.FoldCase != 0 {
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				bounds = append(bounds, f, f+1)
			}
		}
		return bounds
	}
	for i := 0; i+1 < len(in.Rune); i += 2 {
		bounds = append(bounds, in.Rune[i], in.Rune[i+1]+1)
	}
	return bounds
}

func (a *automaton) class(r rune) int {
	at, exact := slices.BinarySearch(a.bounds, r)
	if exact {
		return at
	}
	return at - 1
}

// stride is the length of a row: the classes and the end of the value.
func (a *automaton) stride() int { return len(a.bounds) + 1 }

// match reports whether the value has a match.
func (a *automaton) match(value string) bool {
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
		to := atomic.LoadUint32(&next[row+class])
		if to <= accepted {
			if to == unknown {
				var dropped bool
				if t, to, dropped = a.step(t, row, class); dropped {
					if drops++; drops > maxDrops {
						return a.slow().MatchString(value)
					}
				}
				next = t.next
			}
			if to == accepted {
				return true
			}
		}
		row = to
		i += size
	}
	end := uint32(len(a.bounds))
	to := atomic.LoadUint32(&next[row+end])
	if to == unknown {
		_, to, _ = a.step(t, row, end)
	}
	return to == accepted
}

// step finds out where a class of runes, or the end of the value, leads from a row of a table. The answer is a row of the table that
// it returns; dropped tells that all states before were dropped.
func (a *automaton) step(from *table, row, class uint32) (t *table, to uint32, dropped bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := from.states[int(row)/a.stride()-1]
	after := rune(noRune)
	if int(class) < len(a.bounds) {
		after = a.bounds[class]
	}
	c := closures.Get().(*closure)
	defer closures.Put(c)
	c.reset(a, syntax.EmptyOpContext(s.before, after))
	for _, pc := range s.pcs {
		c.add(pc)
	}
	c.add(uint32(a.prog.Start)) // a match can begin anywhere
	switch {
	case c.matched:
		t, to = a.current.Load(), accepted
	case after == noRune:
		t, to = a.current.Load(), rejected
	default:
		var pcs []uint32
		for _, pc := range c.runes {
			if in := &a.prog.Inst[pc]; in.MatchRune(after) {
				pcs = append(pcs, in.Out)
			}
		}
		slices.Sort(pcs)
		t, to, dropped = a.add(state{slices.Compact(pcs), kindOf(after)})
	}
	if known, found := t.rows[s.key()]; found {
		atomic.StoreUint32(&t.next[known+class], to)
	}
	return t, to, dropped
}

func (s *state) key() string {
	key := make([]byte, 0, 4*len(s.pcs)+4)
	for _, n := range append(slices.Clone(s.pcs), uint32(s.before)) {
		key = append(key, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	}
	return string(key)
}

// add returns the row of a state in the current table, which may be a new one. It tells whether it dropped all states.
func (a *automaton) add(s state) (t *table, row uint32, dropped bool) {
	key := s.key()
	t = a.current.Load()
	if row, found := t.rows[key]; found {
		return t, row, false
	}
	size := 4*a.stride() + 4*len(s.pcs) + len(key) + 96
	a.size += size
	all := a.total.Add(int64(size))
	if dropped = a.size > maxStateBytes || all > stateBudget && a.size > fairBytes; dropped {
		a.clear()
		t = a.current.Load()
	}
	if (len(t.states)+2)*a.stride() > len(t.next) {
		t = a.grow(t)
	}
	row = uint32((len(t.states) + 1) * a.stride())
	t.states = append(t.states, s)
	t.rows[key] = row
	return t, row, dropped
}

// clear drops all states but the first.
func (a *automaton) clear() {
	a.total.Add(-int64(a.size))
	first := state{before: noRune}
	row := a.stride()
	a.size = 0
	a.current.Store(&table{
		next: make([]uint32, (firstStates+1)*row), states: []state{first}, rows: map[string]uint32{first.key(): uint32(row)},
	})
}

// grow makes the table with room for twice as many states the current one.
func (a *automaton) grow(old *table) *table {
	larger := &table{next: make([]uint32, 2*len(old.next)), states: old.states, rows: old.rows}
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

// closure collects the instructions that are reached without a rune.
type closure struct {
	prog    *syntax.Prog
	flags   syntax.EmptyOp // the assertions that hold here
	seen    []bool
	runes   []uint32 // instructions that want a rune
	matched bool
}

var closures = sync.Pool{New: func() any { return &closure{} }}

func (c *closure) reset(a *automaton, flags syntax.EmptyOp) {
	n := len(a.prog.Inst)
	if cap(c.seen) < n {
		c.seen = make([]bool, n)
	}
	*c = closure{prog: a.prog, flags: flags, seen: c.seen[:n], runes: c.runes[:0]}
	clear(c.seen)
}

func (c *closure) add(pc uint32) {
	for !c.seen[pc] {
		c.seen[pc] = true
		in := &c.prog.Inst[pc]
		switch in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			c.add(in.Out)
			pc = in.Arg
		case syntax.InstCapture, syntax.InstNop:
			pc = in.Out
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(in.Arg)&^c.flags != 0 {
				return
			}
			pc = in.Out
		case syntax.InstMatch:
			c.matched = true
			return
		case syntax.InstFail:
			return
		default:
			c.runes = append(c.runes, pc)
			return
		}
	}
}
