package prefilter

import (
	"slices"
	"strings"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/sensitive"
)

// traits are properties of a value's bytes that decide whether a transformation can change it.
type traits uint16

const (
	hasPercent traits = 1 << iota
	hasPlus
	hasAmpersand
	hasBackslash
	hasSlash
	hasSpace // blank, tab, line breaks, vertical tab, form feed
	hasNUL
	hasHigh // bytes above ASCII
	hasUpper
	hasShell // " ' ^ , ; (
	hasDot
	hasColon
	hasMark // # - < * for comments
	always  // any value, also an empty one
)

var byteTraits = func() (table [256]traits) {
	for c := range table {
		switch {
		case c >= 0x80:
			table[c] = hasHigh
		case 'A' <= c && c <= 'Z':
			table[c] = hasUpper
		case strings.IndexByte(" \t\r\n\v\f", byte(c)) >= 0:
			table[c] = hasSpace
		case strings.IndexByte(`"'^,;(`, byte(c)) >= 0:
			table[c] = hasShell
		case strings.IndexByte("#-<*", byte(c)) >= 0:
			table[c] = hasMark
		}
	}
	for c, t := range map[byte]traits{'%': hasPercent, '+': hasPlus, '&': hasAmpersand, '\\': hasBackslash, '/': hasSlash, 0: hasNUL,
		'.': hasDot, ':': hasColon} {
		table[c] = t
	}
	return table
}()

func traitsOf(s string) traits {
	t := always
	for i := range len(s) {
		t |= byteTraits[s[i]]
	}
	return t
}

// triggers tells which traits a value must have for a transformation to change more than the case of its ASCII letters. A
// transformation that is not listed can change every value.
var triggers = map[string]traits{
	"lowercase":          hasHigh,
	"uppercase":          hasHigh,
	"urldecode":          hasPercent | hasPlus,
	"urldecodeuni":       hasPercent | hasPlus,
	"htmlentitydecode":   hasAmpersand,
	"jsdecode":           hasBackslash,
	"cssdecode":          hasBackslash,
	"escapeseqdecode":    hasBackslash,
	"utf8tounicode":      hasHigh,
	"removenulls":        hasNUL,
	"replacenulls":       hasNUL,
	"compresswhitespace": hasSpace | hasHigh,
	"removewhitespace":   hasSpace | hasHigh,
	"trim":               hasSpace,
	"trimleft":           hasSpace,
	"trimright":          hasSpace,
	"cmdline":            hasShell | hasBackslash | hasSpace | hasSlash,
	"normalisepath":      hasSlash | hasDot,
	"normalisepathwin":   hasSlash | hasBackslash | hasDot | hasSpace | hasColon,
	"replacecomments":    hasSlash,
	"removecomments":     hasSlash | hasMark,
	"removecommentschar": hasSlash | hasMark,
}

// recases tells with which traits a transformation changes the case of letters, which a scan does not see.
var recases = map[string]traits{"lowercase": hasUpper, "cmdline": hasUpper, "uppercase": always}

// step is one transformation behind a chain of others. The steps of all rules form a tree, so that what several rules do to a
// value is done once.
type step struct {
	index    int
	parent   *step // nil for the root, which is the value as it came
	function plugintypes.Transformation
	rewrite  func(*arena, string) (text string, done bool) // our own form of it, nil when there is none
	trigger  traits
	recase   traits  // traits with which the transformation changes the case of letters
	twins    []*step // those before it with the same transformation
	children map[string]*step
}

type steps struct {
	root  *step
	all   []*step
	named map[string][]*step // by transformation
}

func newSteps() *steps {
	root := &step{children: map[string]*step{}}
	return &steps{root: root, all: []*step{root}, named: map[string][]*step{}}
}

// then returns the step of a transformation behind another step.
func (t *steps) then(at *step, transformation *corazalink.Transformation) *step {
	return t.add(at, transformation.Name, transformation.Name, transformation.Apply, rewrites[transformation.Name])
}

// reported returns the step of a transformation whose changes count only when it reports them.
func (t *steps) reported(at *step, transformation *corazalink.Transformation) *step {
	return t.add(at, transformation.Name+" as reported", transformation.Name, func(text string) (string, bool, error) {
		changed, is, err := transformation.Apply(text)
		if err != nil || !is {
			return text, false, err
		}
		return changed, true, nil
	}, reportedRewrites[transformation.Name])
}

// add returns the step of a name behind another step, made when it is missing.
func (t *steps) add(at *step, name, as string, function plugintypes.Transformation, rewrite func(*arena, string) (string, bool)) *step {
	next := at.children[name]
	if next != nil {
		return next
	}
	trigger, listed := triggers[as]
	if !listed {
		trigger = always
	}
	next = &step{
		index: len(t.all), parent: at, function: function, rewrite: rewrite, trigger: trigger, recase: recases[as],
		twins: slices.Clone(t.named[name]), children: map[string]*step{},
	}
	t.named[name] = append(t.named[name], next)
	at.children[name] = next
	t.all = append(t.all, next)
	return next
}

// forms are the results of all steps for one value, computed when they are asked for. Texts are good until the arena is reset.
type forms struct {
	value   string
	known   []bool
	altered []bool // by the step itself, in more than the case of letters
	texts   []string
	marks   []traits
	arena   arena
	counted string // what digits is about
	digits  int    // in a row
}

func (f *forms) start(value string, steps int) {
	if cap(f.known) < steps {
		f.known, f.altered = make([]bool, steps), make([]bool, steps)
		f.texts, f.marks = make([]string, steps), make([]traits, steps)
	}
	f.known = f.known[:steps]
	clear(f.known)
	f.value, f.counted, f.digits = value, "", 0
	f.known[0], f.texts[0], f.marks[0] = true, value, traitsOf(value)
}

// digitsIn returns how many digits a text of the value has in a row. Several tests ask it of one text after the other.
func (f *forms) digitsIn(text string) int {
	if f.counted != text {
		f.counted, f.digits = text, sensitive.DigitsInARow(text)
	}
	return f.digits
}

// changed reports whether a step has changed more of what the one before it has left than the case of its letters.
func (f *forms) changed(s *step) bool {
	f.after(s)
	return f.altered[s.index]
}

// apply transforms a text. What it returns is good until the arena is reset.
func (s *step) apply(a *arena, text string) (string, error) {
	if s.rewrite != nil {
		if changed, done := s.rewrite(a, text); done {
			return changed, nil
		}
	}
	changed, _, err := s.function(text)
	return changed, err
}

// after returns the value after a step, exactly as the engine computes it.
func (f *forms) after(s *step) string {
	if f.known[s.index] {
		return f.texts[s.index]
	}
	text := f.after(s.parent)
	mark, altered := f.marks[s.parent.index], false
	if mark&(s.trigger|s.recase) != 0 {
		if t := f.twin(s, text); t != nil {
			text, mark, altered = f.texts[t.index], f.marks[t.index], f.altered[t.index]
		} else if mark&(s.trigger|hasHigh) == 0 && s.recase == hasUpper { // it only makes small letters of capitals
			text, mark = f.arena.lower(text), mark&^hasUpper
		} else if changed, err := s.apply(&f.arena, text); err == nil && changed != text {
			altered = !equalFold(changed, text)
			text = changed
			mark = traitsOf(text)
		}
	}
	f.known[s.index], f.altered[s.index], f.texts[s.index], f.marks[s.index] = true, altered, text, mark
	return text
}

// twin returns a step that has made the same of the same text, nil when there is none.
func (f *forms) twin(s *step, text string) *step {
	for _, t := range s.twins {
		if f.known[t.index] && f.known[t.parent.index] && f.texts[t.parent.index] == text {
			return t
		}
	}
	return nil
}
