package redact

import (
	"slices"
	"strings"
)

// view is a text with the secrets that are recognized by what stands around them, and what is left of its parts when their escapes
// are undone. It is a tree: a value of an argument may be an escaped URL, with JSON in an argument of that.
type view struct {
	text  string
	spans []span // in order, without overlaps, those of the parts among them
	parts []part
}

// part is a decoded part of a text.
type part struct {
	view
	places []int32 // where in the text each byte of the view, and its end, comes from
}

// Bounds of the tree. Its decoded texts may be longer than the text by mostDecoded times and a bit.
const (
	mostLevels  = 3
	mostDecoded = 8
	leastBudget = 4096
)

// scan finds the secrets in a text by what stands around them: lines of heads, arguments, fields of JSON, XML and multipart
// bodies, also behind escapes. What cannot be distinguished counts as secret.
func (r *Redactor) scan(text string) *view {
	budget := len(text)*mostDecoded + leastBudget
	v := &view{text: text}
	r.read(v, 0, &budget)
	return v
}

func (r *Redactor) read(v *view, level int, budget *int) {
	s := scanner{r: r, text: v.text, level: level}
	s.walk()
	if len(s.variables) > 0 {
		s.again()
	}
	if s.has.digits >= shortestCard {
		s.cards()
	}
	if r.pattern != nil {
		s.own()
	}
	if level < mostLevels {
		r.readParts(v, &s, level, budget)
	}
	v.spans = merged(s.spans)
}

// readParts reads what is behind escapes.
func (r *Redactor) readParts(v *view, s *scanner, level int, budget *int) {
	for i := range decoders {
		d := &decoders[i]
		if !d.applies(v.text, s.has) {
			continue
		}
		for _, e := range d.parts(v.text) {
			if *budget <= 0 {
				return
			}
			decoded, places := d.decode(v.text[e.start:e.end])
			if decoded == nil {
				continue
			}
			*budget -= len(decoded)
			for k := range places {
				places[k] += int32(e.start)
			}
			p := part{view: view{text: shared(decoded)}, places: places}
			r.read(&p.view, level+1, budget)
			for _, found := range p.spans {
				s.spans = append(s.spans, p.place(found))
			}
			v.parts = append(v.parts, p)
		}
	}
}

// place returns where a span of the part is in the text. A part without places is one as a whole.
func (p *part) place(s span) span {
	if len(p.places) == 2 {
		return span{int(p.places[0]), int(p.places[1]), s.kind}
	}
	return span{int(p.places[s.start]), int(p.places[s.end]), s.kind}
}

// merged sorts spans and joins those that overlap; the first one gives the kind.
func merged(spans []span) []span {
	if len(spans) < 2 {
		return spans
	}
	slices.SortStableFunc(spans, func(a, b span) int { return a.start - b.start })
	joined := spans[:0]
	for _, next := range spans {
		if last := len(joined) - 1; last >= 0 && next.start < joined[last].end {
			joined[last].end = max(joined[last].end, next.end)
			continue
		}
		joined = append(joined, next)
	}
	return joined
}

// hasAny reports whether a text has one of some bytes.
func hasAny(text, bytes string) bool {
	for i := range len(bytes) {
		if strings.IndexByte(text, bytes[i]) >= 0 {
			return true
		}
	}
	return false
}
