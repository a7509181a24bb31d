package regex

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"
)

// program is Go's own program of an expression as a lazy DFA needs it. Of an instruction for runes it has the classes of runes that
// the instruction takes; that is a fraction of what package syntax keeps for it, with the parts of its tree that hang on.
type program struct {
	bounds       []rune   // where runes of another class begin, ascending, from 0
	classes      []uint16 // of the runes from a bound on
	members      []rune   // one rune of each class
	ascii        [utf8.RuneSelf]uint16
	start        uint32
	instructions []instruction
	words        int            // of a set of classes
	sets         []uint64       // of classes that instructions take, a bit for each class
	asserts      syntax.EmptyOp // all that instructions assert
}

// instruction is one of syntax.Inst. The argument of one for runes is the place of its classes in sets.
type instruction struct {
	op       syntax.InstOp
	out, arg uint32
}

// newProgram compiles the alternation of expressions that package syntax can parse. Package regexp compiles each the same way, so it cannot
// fail for expressions that Coraza takes.
func newProgram(patterns ...string) *program {
	prog, err := syntax.Compile(alternation(patterns).Simplify())
	if err != nil {
		panic(err)
	}
	p := &program{start: uint32(prog.Start), instructions: make([]instruction, len(prog.Inst))}
	different, indexes := differentRunes(prog)
	taken := p.classify(prog, different)
	p.words = (len(p.members) + 63) / 64
	p.sets = make([]uint64, p.words*len(different))
	for i := range prog.Inst {
		in := &prog.Inst[i]
		p.instructions[i] = instruction{in.Op, in.Out, in.Arg}
		switch {
		case takesRunes(in.Op):
			p.instructions[i].arg = uint32(p.words * indexes[i])
		case in.Op == syntax.InstEmptyWidth:
			p.asserts |= syntax.EmptyOp(in.Arg)
		}
	}
	for class, by := range taken {
		for i := range different {
			if by[i] != 0 {
				p.sets[p.words*i+class/64] |= 1 << (class % 64)
			}
		}
	}
	return p
}

// alternation parses each expression by itself, so that flags, quotes and groups end with it.
func alternation(patterns []string) *syntax.Regexp {
	all := &syntax.Regexp{Op: syntax.OpAlternate}
	for _, pattern := range patterns {
		re, err := syntax.Parse(pattern, syntax.Perl)
		if err != nil {
			panic(err)
		}
		all.Sub = append(all.Sub, re)
	}
	return all
}

func takesRunes(op syntax.InstOp) bool {
	switch op {
	case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
		return true
	}
	return false
}

// differentRunes returns instructions that take different runes, and which of them takes those of an instruction.
func differentRunes(prog *syntax.Prog) (different []*syntax.Inst, indexes []int) {
	indexes = make([]int, len(prog.Inst))
	known := map[string]int{}
	for i := range prog.Inst {
		in := &prog.Inst[i]
		if !takesRunes(in.Op) {
			continue
		}
		key := []byte{byte(in.Op), byte(in.Arg)} // flags of package syntax
		for _, r := range in.Rune {
			key = binary.LittleEndian.AppendUint32(key, uint32(r))
		}
		at, found := known[string(key)]
		if !found {
			at = len(different)
			different = append(different, in)
			known[string(key)] = at
		}
		indexes[i] = at
	}
	return different, indexes
}

// takes reports whether an instruction for runes takes a class.
func (p *program) takes(in *instruction, class uint32) bool {
	return p.sets[in.arg+class/64]&(1<<(class%64)) != 0
}

// classify finds the classes of runes that no instruction and no assertion distinguishes, such as the cases of a letter where
// case does not matter. It returns for each class which of the different instructions take it, a byte for each.
func (p *program) classify(prog *syntax.Prog, different []*syntax.Inst) (taken []string) {
	bounds := []rune{0, '\n', '\n' + 1, '0', '9' + 1, 'A', 'Z' + 1, '_', '_' + 1, 'a', 'z' + 1}
	for i := range prog.Inst {
		in := &prog.Inst[i]
		switch in.Op {
		case syntax.InstRune, syntax.InstRune1:
			bounds = append(bounds, runeBounds(in)...)
		}
	}
	slices.Sort(bounds)
	known := map[string]uint16{}
	for _, r := range slices.Compact(bounds) {
		by := make([]byte, len(different), len(different)+1)
		for i, in := range different {
			if in.MatchRune(r) {
				by[i] = 1
			}
		}
		key := string(append(by, byte(kindOf(r))))
		class, found := known[key]
		if !found {
			class = uint16(len(p.members))
			p.members, taken = append(p.members, r), append(taken, key)
			known[key] = class
		}
		if n := len(p.classes); n == 0 || p.classes[n-1] != class {
			p.bounds, p.classes = append(p.bounds, r), append(p.classes, class)
		}
	}
	p.bounds, p.classes, p.members = slices.Clip(p.bounds), slices.Clip(p.classes), slices.Clip(p.members)
	for c := range p.ascii {
		p.ascii[c] = p.class(rune(c))
	}
	return taken
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

func (p *program) class(r rune) uint16 {
	at, exact := slices.BinarySearch(p.bounds, r)
	if !exact {
		at--
	}
	return p.classes[at]
}

// stride is the length of a row of a table: the classes and the end of the value.
func (p *program) stride() int { return len(p.members) + 1 }

// closure collects the instructions that are reached without a rune.
type closure struct {
	program *program
	flags   syntax.EmptyOp // the assertions that hold here
	seen    []bool
	runes   []uint32 // instructions that want a rune
	matched bool
}

func (c *closure) reset(p *program, flags syntax.EmptyOp) {
	n := len(p.instructions)
	if cap(c.seen) < n {
		c.seen = make([]bool, n)
	}
	*c = closure{program: p, flags: flags, seen: c.seen[:n], runes: c.runes[:0]}
	clear(c.seen)
}

func (c *closure) add(pc uint32) {
	for !c.seen[pc] {
		c.seen[pc] = true
		in := &c.program.instructions[pc]
		switch in.op {
		case syntax.InstAlt, syntax.InstAltMatch:
			c.add(in.out)
			pc = in.arg
		case syntax.InstCapture, syntax.InstNop:
			pc = in.out
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(in.arg)&^c.flags != 0 {
				return
			}
			pc = in.out
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

// through returns the instructions behind those that take a class, ascending.
func (c *closure) through(class uint32) []uint32 {
	var pcs []uint32
	for _, pc := range c.runes {
		if in := &c.program.instructions[pc]; c.program.takes(in, class) {
			pcs = append(pcs, in.out)
		}
	}
	slices.Sort(pcs)
	return slices.Compact(pcs)
}
