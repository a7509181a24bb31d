// Package redact takes secrets out of texts that leave: credentials, cookies, passwords and what is named like one, tokens,
// and numbers of payment cards. What cannot be told from a secret counts as one. Records themselves are never changed.
package redact

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Placeholder stands where a secret was.
const Placeholder = "[redacted]"

// Redactor knows what secrets look like. It is immutable and safe for concurrent use; a nil one takes nothing out.
type Redactor struct {
	names   map[string]bool // of the operator's own, squeezed
	pattern *regexp.Regexp
}

// New returns a Redactor. Names are further names of headers, arguments and fields whose values are secrets. The pattern, which
// may be empty, is an expression in the syntax of RE2 that finds further ones; when it has a group, that is the secret.
func New(names []string, pattern string) (*Redactor, error) {
	r := &Redactor{names: map[string]bool{}}
	for _, name := range names {
		r.names[squeeze(name)] = true
	}
	if pattern != "" {
		expression, err := regexp.Compile(pattern)
		if err != nil {
			return nil, fmt.Errorf("malformed expression: %w", err)
		}
		if expression.MatchString("") {
			return nil, fmt.Errorf("expression %q matches the empty text", pattern)
		}
		r.pattern = expression
	}
	return r, nil
}

// Line takes the secrets out of a text of which nothing is known, such as a log line.
func (r *Redactor) Line(text string) string {
	p := r.pass()
	defer p.Release()
	return p.Text(text)
}

// Pass takes the secrets of one transaction out of texts about it. It learns them where something marks them as secrets, so that it
// finds them again where nothing tells it: in a body that repeats them, or in what a rule has made of them. A nil Pass takes
// nothing out. It is not safe for concurrent use.
type Pass struct {
	r          *Redactor
	learned    learned
	views      []*view   // of texts that were learned from, since they are written as well
	cleaned    []cleaned // at most mostCleaned
	found      [kindCount]bool
	memory     memory
	isReleased bool
}

// cleaned is a text and what it is without its secrets.
type cleaned struct{ text, clean string }

// Start returns a Pass for a transaction and further texts of its record, which must stay as they are until it is released.
func (r *Redactor) Start(t *rules.Transaction, texts ...string) *Pass {
	p := r.pass()
	if p != nil {
		p.learnAll(t, texts)
	}
	return p
}

func (p *Pass) learnAll(t *rules.Transaction, texts []string) {
	p.learnHeaders(t.RequestHeaders)
	p.learnHeaders(t.ResponseHeaders)
	p.learnArguments(t)
	for _, text := range append(texts, t.URI, t.RequestBody, t.ResponseBody) {
		p.learnText(text)
	}
	p.learned.settle()
}

// Found lists what was taken out so far.
func (p *Pass) Found() (kinds []string) {
	if p == nil {
		return nil
	}
	for k, found := range p.found {
		if found {
			kinds = append(kinds, Kind(k).String())
		}
	}
	return kinds
}

// Text returns a text without secrets.
func (p *Pass) Text(text string) string {
	if p == nil || p.r == nil || text == "" {
		return text
	}
	if p.learned.full {
		return p.hide(p.learned.kind)
	}
	for i := range p.cleaned {
		if p.cleaned[i].text == text {
			return p.cleaned[i].clean
		}
	}
	v := p.kept(text)
	if v == nil {
		v = &view{text: text}
		p.scan(v)
	}
	clean := p.replace(text, merged(p.learned.spans(v, v.spans)))
	if len(p.cleaned) < mostCleaned {
		p.cleaned = append(p.cleaned, cleaned{text, clean})
	}
	return clean
}

// Bounds of the search for pieces. What is beyond counts as a piece.
const (
	mostSearches = 64
	mostSearched = 64 << 10 // bytes
)

// Quoted is Text for what a rule quotes, which may be a piece of a secret: those that look random are found, too.
func (p *Pass) Quoted(text string) string {
	clean := p.Text(text)
	if p == nil || len(p.learned.all) == 0 || len(clean) < shortestRandom {
		return clean
	}
	var pieces []span
	searches := mostSearches
	if len(p.learned.all) > mostSearched {
		searches = 0
	}
	for at := 0; at < len(clean); at++ {
		start := at
		for at < len(clean) && isInWord[clean[at]] {
			at++
		}
		if at-start < shortestRandom || !looksRandom(clean[start:at]) {
			continue
		}
		if searches--; searches < 0 || strings.Contains(p.learned.all, p.memory.lowered(clean[start:at])) {
			pieces = append(pieces, span{start, at, Argument})
		}
	}
	return p.replace(clean, pieces)
}

// mostCleaned bounds how many texts a Pass remembers: rules that match quote the same values again and again.
const mostCleaned = 64

// valued returns a text of which a name tells what it is.
func (p *Pass) valued(text string, kind Kind, of class) string {
	switch {
	case of == plain:
		return p.Text(text)
	case of == always && kind == Argument:
		return p.hide(Argument)
	}
	s := scanner{r: p.r, text: text}
	s.value(0, len(text), kind, of)
	if of == always {
		return p.replace(text, merged(s.spans))
	}
	return p.Text(p.replace(text, merged(s.spans)))
}

// hide returns what stands for a text that is a secret as a whole.
func (p *Pass) hide(k Kind) string {
	p.found[k] = true
	return Placeholder
}

// Header returns the value of a header without secrets; the scheme of credentials and the names of cookies stay.
func (p *Pass) Header(name, value string) string {
	if p == nil || value == "" {
		return value
	}
	kind, of := p.r.headerKind(name)
	return p.valued(value, kind, of)
}

// Field returns the value of an argument or field without secrets.
func (p *Pass) Field(name, value string) string {
	if p == nil || value == "" {
		return value
	}
	return p.valued(value, Argument, p.r.classify(name))
}

// replace puts the placeholder where the spans are.
func (p *Pass) replace(text string, spans []span) string {
	if len(spans) == 0 {
		return text
	}
	var clean strings.Builder
	clean.Grow(len(text) + len(spans)*len(Placeholder))
	at := 0
	for _, s := range spans {
		if text[s.start:s.end] == Placeholder {
			continue
		}
		p.found[s.kind] = true
		clean.WriteString(text[at:s.start])
		clean.WriteString(Placeholder)
		at = s.end
	}
	clean.WriteString(text[at:])
	return clean.String()
}
