package regex

import (
	"regexp/syntax"
	"slices"
	"unicode"
)

// CanMatchWithin reports whether the pattern can match a text that has only ASCII characters of a set: false is certain. It does not look at
// what ^, $ and \b ask for.
func (p *Pattern) CanMatchWithin(in func(c byte) bool) bool {
	return p == nil || canMatchWithin(p.re, in)
}

func canMatchWithin(re *syntax.Regexp, in func(c byte) bool) bool {
	sub := func(re *syntax.Regexp) bool { return canMatchWithin(re, in) }
	switch re.Op {
	case syntax.OpNoMatch:
		return false
	case syntax.OpLiteral:
		return !slices.ContainsFunc(re.Rune, func(r rune) bool { return !isWithin(r, re.Flags&syntax.FoldCase != 0, in) })
	case syntax.OpCharClass:
		return classIsWithin(re.Rune, in)
	case syntax.OpCapture, syntax.OpPlus:
		return sub(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min == 0 || sub(re.Sub[0])
	case syntax.OpConcat:
		return !slices.ContainsFunc(re.Sub, func(re *syntax.Regexp) bool { return !sub(re) })
	case syntax.OpAlternate:
		return slices.ContainsFunc(re.Sub, sub)
	}
	return true // an assertion, any character, or what is optional
}

// isWithin reports whether a rune of a pattern, or when case is folded one that it stands for, is in the set.
func isWithin(r rune, fold bool, in func(c byte) bool) bool {
	is := func(r rune) bool { return r <= unicode.MaxASCII && in(byte(r)) }
	if is(r) {
		return true
	}
	if fold {
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			if is(other) {
				return true
			}
		}
	}
	return false
}

func classIsWithin(ranges []rune, in func(c byte) bool) bool {
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= min(ranges[i+1], unicode.MaxASCII); r++ {
			if in(byte(r)) {
				return true
			}
		}
	}
	return false
}
