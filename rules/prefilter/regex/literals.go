package regex

import (
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/literalset"
)

const (
	maxAlternatives = 256  // literals followed through one expression before the set is closed
	maxLiteral      = 24   // bytes of one literal; longer ones are no more selective
	maxClass        = 12   // characters of a class that are followed one by one
	maxUnion        = 3000 // literals of all branches of an expression
)

// facts is what is known of the matches of an expression.
type facts struct {
	exact    literalset.Set // all texts that match, nil when there are too many; a match is one of them
	required literalset.Set // every match contains one of them
}

// Pattern is an @rx pattern that is parsed. Of a nil one nothing is known.
type Pattern struct{ re *syntax.Regexp }

// Parse parses an @rx pattern. It returns nil when it is malformed.
func Parse(pattern string) *Pattern {
	re, err := syntax.Parse("(?sm)"+pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	return &Pattern{re}
}

// RequiredLiterals returns the texts of which one must appear in every value that the pattern matches, nil when it has none. Values with one
// of the runes that FoldsToASCII reports must not be ruled out by them.
func (p *Pattern) RequiredLiterals(binary bool) literalset.Set {
	if p == nil {
		return nil
	}
	return analyze(p.re, binary).best()
}

// FoldsToASCII reports whether a value has a rune outside of ASCII that a case-insensitive pattern takes for an ASCII letter:
// the Kelvin sign for k and the long s for s.
func FoldsToASCII(value string) bool {
	for i := 0; i+1 < len(value); i++ {
		switch value[i] {
		case 0xc5:
			if value[i+1] == 0xbf {
				return true
			}
		case 0xe2:
			if i+2 < len(value) && value[i+1] == 0x84 && value[i+2] == 0xaa {
				return true
			}
		}
	}
	return false
}

// best returns the set that is the least likely to appear in ordinary text.
func (f facts) best() literalset.Set {
	if f.exact != nil && !slices.Contains(f.exact, "") && (f.required == nil || f.exact.Likelihood() <= f.required.Likelihood()) {
		return f.exact
	}
	return f.required
}

func analyze(re *syntax.Regexp, binary bool) facts {
	switch re.Op {
	case syntax.OpNoMatch:
		return facts{exact: literalset.Set{}}
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return facts{exact: literalset.Set{""}}
	case syntax.OpLiteral:
		return literalFacts(re.Rune, binary)
	case syntax.OpCharClass:
		return classFacts(re.Rune, binary)
	case syntax.OpCapture:
		return analyze(re.Sub[0], binary)
	case syntax.OpConcat:
		return concat(re.Sub, binary)
	case syntax.OpAlternate:
		return alternate(re.Sub, binary)
	case syntax.OpQuest:
		if sub := analyze(re.Sub[0], binary); sub.exact != nil {
			return facts{exact: union(sub.exact, literalset.Set{""})}
		}
	case syntax.OpPlus:
		return facts{required: analyze(re.Sub[0], binary).best()}
	case syntax.OpRepeat:
		return repeat(re, binary)
	}
	return facts{}
}

// repeat follows x{n} with a small n as xx…x; of others it knows what one x requires.
func repeat(re *syntax.Regexp, binary bool) facts {
	switch {
	case re.Min == 0:
		return facts{}
	case re.Min == re.Max && re.Min <= 8:
		return concat(slices.Repeat(re.Sub[:1], re.Min), binary)
	}
	return facts{required: concat(slices.Repeat(re.Sub[:1], min(re.Min, 8)), binary).best()}
}

func literalFacts(runes []rune, binary bool) facts {
	var text []byte
	var parts []literalset.Set // runs of characters that are known, broken by unknown ones
	for _, r := range runes {
		c, known := encode(r, binary)
		if !known {
			parts = append(parts, literalset.Set{string(text)})
			text = nil
			continue
		}
		text = append(text, c...)
	}
	if parts == nil {
		return closed(literalset.Set{string(text)})
	}
	var best literalset.Set
	for _, part := range append(parts, literalset.Set{string(text)}) {
		best = lessLikely(best, part)
	}
	return facts{required: best}
}

// encode returns the bytes with which a value has a character, lower case for ASCII. Binary patterns mean bytes. Invalid UTF-8
// reads as U+FFFD, so that rune is not followed.
func encode(r rune, binary bool) (string, bool) {
	switch {
	case r < utf8.RuneSelf:
		return string(unicode.ToLower(r)), true
	case r == utf8.RuneError, unicode.SimpleFold(r) != r:
		return "", false
	case binary:
		return string([]byte{byte(r)}), r <= 0xff
	}
	return string(r), true
}

func classFacts(ranges []rune, binary bool) facts {
	exact := literalset.Set{}
	for i := 0; i < len(ranges); i += 2 {
		if ranges[i+1]-ranges[i] > 2*maxClass {
			return facts{}
		}
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			if r == '\u212a' || r == '\u017f' {
				continue // see FoldsToASCII
			}
			c, known := encode(r, binary)
			if !known {
				return facts{}
			}
			if !slices.Contains(exact, c) {
				exact = append(exact, c)
			}
			if len(exact) > maxClass {
				return facts{}
			}
		}
	}
	return facts{exact: exact}
}

func concat(subs []*syntax.Regexp, binary bool) facts {
	var required literalset.Set
	whole := true               // all parts so far are in exact
	exact := literalset.Set{""} // texts of the parts since the last break
	closeRun := func() {
		if !slices.Contains(exact, "") {
			required = lessLikely(required, exact)
		}
	}
	for _, sub := range subs {
		f := analyze(sub, binary)
		if f.exact == nil {
			required = lessLikely(required, f.required)
			closeRun()
			exact, whole = literalset.Set{""}, false
			continue
		}
		product := cross(exact, f.exact)
		if product == nil {
			closeRun()
			exact, whole = f.exact, false
			continue
		}
		exact = product
	}
	closeRun()
	if whole {
		return facts{exact: exact, required: required}
	}
	return facts{required: required}
}

func alternate(subs []*syntax.Regexp, binary bool) facts {
	exact, required := literalset.Set{}, literalset.Set{}
	for _, sub := range subs {
		f := analyze(sub, binary)
		if exact != nil && f.exact != nil && len(exact)+len(f.exact) <= maxAlternatives {
			exact = union(exact, f.exact)
		} else {
			exact = nil
		}
		if best := f.best(); required != nil && best != nil && len(required)+len(best) <= maxUnion {
			required = union(required, best)
		} else {
			required = nil
		}
	}
	return facts{exact: exact, required: required}
}

// closed returns facts of texts that are all that match; long ones are cut and become a requirement.
func closed(exact literalset.Set) facts {
	for _, text := range exact {
		if len(text) > maxLiteral {
			return facts{required: cut(exact)}
		}
	}
	return facts{exact: exact}
}

func cut(set literalset.Set) literalset.Set {
	short := make(literalset.Set, len(set))
	for i, text := range set {
		short[i] = text[:min(len(text), maxLiteral)]
	}
	return short
}

// cross returns all texts made of one of a and one of b, nil when they are too many or too long.
func cross(a, b literalset.Set) literalset.Set {
	if len(a)*len(b) > maxAlternatives {
		return nil
	}
	product := make(literalset.Set, 0, len(a)*len(b))
	for _, left := range a {
		for _, right := range b {
			if len(left)+len(right) > maxLiteral {
				return nil
			}
			product = append(product, left+right)
		}
	}
	return product
}

func union(a, b literalset.Set) literalset.Set {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

func lessLikely(a, b literalset.Set) literalset.Set {
	switch {
	case a == nil || slices.Contains(a, ""):
		if slices.Contains(b, "") {
			return nil
		}
		return b
	case b == nil || slices.Contains(b, "") || a.Likelihood() <= b.Likelihood():
		return a
	}
	return b
}
