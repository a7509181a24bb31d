package gate

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"sync"
	"sync/atomic"
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

	prog   *syntax.Prog
	bounds []rune // where a new class of runes begins, ascending, from 0
	ascii  [128]uint16
	start  atomic.Pointer[state]

	mu     sync.Mutex // held while states are made
	states map[string]*state
	size   int           // bytes of states
	total  *atomic.Int64 // bytes of states of all automata of the gate
}

// state is the set of instructions at which the program can be before the next rune, and what the rune before was, which
// decides about ^, $ and \b.
type state struct {
	accept bool // a match has ended; what follows does not matter
	pcs    []uint32
	before rune
	next   []atomic.Pointer[state] // by class of the next rune; the last is the end of the value
}

const (
	maxStateBytes = 1 << 20  // of one expression
	fairBytes     = 32 << 10 // of one expression when all together have more than their budget
	stateBudget   = 8 << 20  // bytes of states of all expressions of a gate
	maxDrops      = 1        // how often one value may fill the memory of an expression
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

// prepare compiles the program. Package regexp compiles the same way, so it cannot fail for an expression that Coraza takes.
func (a *automaton) prepare() {
	re, err := syntax.Parse(a.pattern, syntax.Perl)
	if err != nil {
		panic(err)
	}
	if a.prog, err = syntax.Compile(re.Simplify()); err != nil {
		panic(err)
	}
	a.states = map[string]*state{}
	a.classify()
	a.start.Store(a.newState(nil, noRune))
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

// match reports whether the value has a match.
func (a *automaton) match(value string) bool {
	a.once.Do(a.prepare)
	s := a.start.Load()
	drops := 0
	for i := 0; i < len(value); {
		var class int
		size := 1
		if c := value[i]; c < utf8.RuneSelf {
			class = int(a.ascii[c])
		} else {
			var r rune
			r, size = utf8.DecodeRuneInString(value[i:])
			class = a.class(r)
		}
		next := s.next[class].Load()
		if next == nil {
			var dropped bool
			if next, dropped = a.step(s, class); dropped {
				if drops++; drops > maxDrops {
					return a.slow().MatchString(value)
				}
			}
		}
		if next.accept {
			return true
		}
		s = next
		i += size
	}
	end := len(a.bounds)
	last := s.next[end].Load()
	if last == nil {
		last, _ = a.step(s, end)
	}
	return last.accept
}

// step makes the state that follows a rune of a class, or the end of the value, and tells whether it dropped all others.
func (a *automaton) step(s *state, class int) (next *state, dropped bool) {
	after := rune(noRune)
	if class < len(a.bounds) {
		after = a.bounds[class]
	}
	flags := syntax.EmptyOpContext(s.before, after)
	c := closure{a: a, flags: flags, seen: make([]bool, len(a.prog.Inst))}
	for _, pc := range s.pcs {
		c.add(pc)
	}
	c.add(uint32(a.prog.Start)) // a match can begin anywhere
	next = &accepting
	switch {
	case c.matched:
	case after == noRune:
		next = &rejecting
	default:
		var pcs []uint32
		for _, pc := range c.runes {
			if in := &a.prog.Inst[pc]; in.MatchRune(after) {
				pcs = append(pcs, in.Out)
			}
		}
		slices.Sort(pcs)
		next, dropped = a.state(slices.Compact(pcs), kindOf(after))
	}
	s.next[class].Store(next)
	return next, dropped
}

// accepting and rejecting are the last states of all automata.
var accepting, rejecting = state{accept: true}, state{}

// state returns the state for a set of instructions behind a rune, made when it is new, and tells whether it dropped all others.
// States that are dropped stay usable for those who are at one.
func (a *automaton) state(pcs []uint32, before rune) (s *state, dropped bool) {
	key := make([]byte, 0, 4*len(pcs)+4)
	for _, n := range append(slices.Clone(pcs), uint32(before)) {
		key = append(key, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s, found := a.states[string(key)]; found {
		return s, false
	}
	s = a.newState(pcs, before)
	size := 8*len(s.next) + 2*len(key) + 128
	a.size += size
	all := a.total.Add(int64(size))
	if dropped = a.size > maxStateBytes || all > stateBudget && a.size > fairBytes; dropped {
		a.total.Add(-int64(a.size))
		a.states, a.size = map[string]*state{}, 0
		a.start.Store(a.newState(nil, noRune))
	}
	a.states[string(key)] = s
	return s, dropped
}

func (a *automaton) newState(pcs []uint32, before rune) *state {
	return &state{pcs: pcs, before: before, next: make([]atomic.Pointer[state], len(a.bounds)+1)}
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
	a       *automaton
	flags   syntax.EmptyOp // the assertions that hold here
	seen    []bool
	runes   []uint32 // instructions that want a rune
	matched bool
}

func (c *closure) add(pc uint32) {
	for !c.seen[pc] {
		c.seen[pc] = true
		in := &c.a.prog.Inst[pc]
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
