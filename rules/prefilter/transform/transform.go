package transform

import (
	"strings"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/arena"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/ascii"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/sensitive"
)

// Traits are properties of a value's bytes that decide whether a transformation can change it.
type Traits uint16

const (
	hasPercent Traits = 1 << iota
	hasPlus
	hasAmpersand
	hasBackslash
	hasSlash
	hasSpace // space, tab, line breaks, vertical tab, form feed
	hasNUL
	HasHigh // bytes above ASCII
	hasUpper
	hasShell // " ' ^ , ; (
	hasDot
	hasColon
	hasMark // # - < * for comments
	always  // any value, also an empty one
	hasSign // bytes of which no prose consists
)

// IsProse reports whether a text with these traits consists of ASCII letters, digits, whitespace, dots, commas and hyphens only.
func (t Traits) IsProse() bool { return t&hasSign == 0 }

// IsProse reports whether a text is prose.
func IsProse(text string) bool { return traitsOf(text).IsProse() }

var byteTraits = func() (table [256]Traits) {
	for c := range table {
		switch {
		case c >= 0x80:
			table[c] = HasHigh
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
	for c, t := range map[byte]Traits{'%': hasPercent, '+': hasPlus, '&': hasAmpersand, '\\': hasBackslash, '/': hasSlash, 0: hasNUL,
		'.': hasDot, ':': hasColon} {
		table[c] = t
	}
	for c := range table {
		if letter := ascii.Fold[c]; ('a' > letter || letter > 'z') && ('0' > c || c > '9') && strings.IndexByte(" \t\r\n\v\f.,-", byte(c)) < 0 {
			table[c] |= hasSign
		}
	}
	return table
}()

func traitsOf(s string) Traits {
	t := always
	for i := range len(s) {
		t |= byteTraits[s[i]]
	}
	return t
}

// changing are the traits that a value must have for a transformation to change more than the case of its ASCII letters. A
// transformation that is not listed can change every value.
var changing = map[string]Traits{
	"lowercase":          HasHigh,
	"uppercase":          HasHigh,
	"urldecode":          hasPercent | hasPlus,
	"urldecodeuni":       hasPercent | hasPlus,
	"htmlentitydecode":   hasAmpersand,
	"jsdecode":           hasBackslash,
	"cssdecode":          hasBackslash,
	"escapeseqdecode":    hasBackslash,
	"utf8tounicode":      HasHigh,
	"removenulls":        hasNUL,
	"replacenulls":       hasNUL,
	"compresswhitespace": hasSpace | HasHigh,
	"removewhitespace":   hasSpace | HasHigh,
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

// recases are the traits with which a transformation changes the case of letters, which the multi-pattern matcher ignores.
var recases = map[string]Traits{"lowercase": hasUpper, "cmdline": hasUpper, "uppercase": always}

// keepingProse are transformations that make prose of prose.
var keepingProse = map[string]bool{
	"lowercase": true, "uppercase": true, "urldecode": true, "urldecodeuni": true, "htmlentitydecode": true, "jsdecode": true, "cssdecode": true,
	"escapeseqdecode": true, "utf8tounicode": true, "removenulls": true, "replacenulls": true, "compresswhitespace": true,
	"removewhitespace": true, "trim": true, "trimleft": true, "trimright": true, "cmdline": true, "normalisepath": true,
	"normalisepathwin": true, "replacecomments": true, "removecomments": true, "removecommentschar": true,
}

// Step is one transformation of a pipeline. The pipelines of all rules form a tree, so that what several rules do to a
// value is done once.
type Step struct {
	Index      int
	Parent     *Step // nil for the root, which is the value as it came
	Name       string
	function   plugintypes.Transformation
	rewrite    func(*arena.Arena, string) (text string, done bool) // the form of it here, nil when there is none
	Changing   Traits                                              // that a text must have for the transformation to change more than the case of letters
	recase     Traits                                              // traits with which the transformation changes the case of letters
	KeepsProse bool                                                // it makes prose of prose
	children   map[string]*Step
}

// Tree are the transformation pipelines of all rules.
type Tree struct {
	Root *Step
	All  []*Step
}

// NewTree returns the tree of pipelines without transformations.
func NewTree() *Tree {
	root := &Step{KeepsProse: true, children: map[string]*Step{}}
	return &Tree{Root: root, All: []*Step{root}}
}

// Then returns the step of a transformation behind another step.
func (t *Tree) Then(at *Step, transformation *corazalink.Transformation) *Step {
	return t.add(at, transformation.Name, transformation.Name, transformation.Apply, rewrites[transformation.Name])
}

// Reported returns the step of a transformation whose changes count only when it reports them.
func (t *Tree) Reported(at *Step, transformation *corazalink.Transformation) *Step {
	return t.add(at, transformation.Name+" as reported", transformation.Name, func(text string) (string, bool, error) {
		changed, is, err := transformation.Apply(text)
		if err != nil || !is {
			return text, false, err
		}
		return changed, true, nil
	}, reportedRewrites[transformation.Name])
}

// add returns the step of a name behind another step, made when it is missing.
func (t *Tree) add(at *Step, name, as string, function plugintypes.Transformation, rewrite func(*arena.Arena, string) (string, bool)) *Step {
	next := at.children[name]
	if next != nil {
		return next
	}
	trigger, listed := changing[as]
	if !listed {
		trigger = always
	}
	next = &Step{
		Index: len(t.All), Parent: at, Name: name, KeepsProse: keepingProse[as], function: function, rewrite: rewrite, Changing: trigger, recase: recases[as],
		children: map[string]*Step{},
	}
	at.children[name] = next
	t.All = append(t.All, next)
	return next
}

// Results are the results of all steps for one value, computed when they are asked for. Texts are good until the arena is reset.
type Results struct {
	Value   string
	known   []bool
	altered []bool // by the step itself, in more than the case of letters
	Texts   []string
	Traits  []Traits
	Arena   arena.Arena
	counted string // what digits is about
	digits  int    // in a row
}

// Start begins with another value.
func (f *Results) Start(value string, steps int) {
	if cap(f.known) < steps {
		f.known, f.altered = make([]bool, steps), make([]bool, steps)
		f.Texts, f.Traits = make([]string, steps), make([]Traits, steps)
	}
	f.known = f.known[:steps]
	clear(f.known)
	f.Value, f.counted, f.digits = value, "", 0
	f.known[0], f.Texts[0], f.Traits[0] = true, value, traitsOf(value)
}

// DigitsIn returns how many digits a text of the value has in a row. Several tests ask it of one text after the other.
func (f *Results) DigitsIn(text string) int {
	if f.counted != text {
		f.counted, f.digits = text, sensitive.DigitsInARow(text)
	}
	return f.digits
}

// Changed reports whether a step has changed more of what the one before it has left than the case of its letters.
func (f *Results) Changed(s *Step) bool {
	f.After(s)
	return f.altered[s.Index]
}

// apply transforms a text. What it returns is good until the arena is reset.
func (s *Step) apply(a *arena.Arena, text string) (string, error) {
	if s.rewrite != nil {
		if changed, done := s.rewrite(a, text); done {
			return changed, nil
		}
	}
	changed, _, err := s.function(text)
	return changed, err
}

// After returns the value after a step, exactly as the engine computes it.
func (f *Results) After(s *Step) string {
	if f.known[s.Index] {
		return f.Texts[s.Index]
	}
	text := f.After(s.Parent)
	mark, altered := f.Traits[s.Parent.Index], false
	if mark&(s.Changing|s.recase) != 0 {
		if changed, err := s.apply(&f.Arena, text); err == nil && changed != text {
			altered = !ascii.EqualFold(changed, text)
			text = changed
			mark = traitsOf(text)
		}
	}
	f.known[s.Index], f.altered[s.Index], f.Texts[s.Index], f.Traits[s.Index] = true, altered, text, mark
	return text
}
