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

// scan finds the secrets in the text of a view by what stands around them: lines of heads, arguments, fields of JSON, XML and
// multipart bodies, also behind escapes. What cannot be distinguished counts as secret.
func (p *Pass) scan(v *view) {
	budget := len(v.text)*mostDecoded + leastBudget
	p.read(v, 0, &budget)
}

func (p *Pass) read(v *view, level int, budget *int) {
	s := scanner{r: p.r, text: v.text, level: level}
	s.walk()
	if len(s.variables) > 0 {
		s.again()
	}
	s.cards(s.has.card)
	if p.r.pattern != nil {
		s.own()
	}
	if level < mostLevels {
		p.readParts(v, &s, level, budget)
	}
	v.spans = merged(s.spans)
}

// readParts reads what is behind escapes.
func (p *Pass) readParts(v *view, s *scanner, level int, budget *int) {
	first := len(p.memory.extents)
	for i := range decoders {
		signs := s.has.escapes[i]
		if signs.end == 0 {
			continue
		}
		d := &decoders[i]
		p.memory.extents = d.parts(p.memory.extents[:first], v.text, signs)
		for k := first; k < len(p.memory.extents) && *budget > 0; k++ {
			at := p.memory.extents[k]
			decoded, places := d.decode(&p.memory, v.text[at.start:at.end])
			if decoded == nil {
				continue
			}
			*budget -= len(decoded)
			for i := range places {
				places[i] += int32(at.start)
			}
			inner := part{view: view{text: shared(decoded)}, places: places}
			p.read(&inner.view, level+1, budget)
			for _, found := range inner.spans {
				s.spans = append(s.spans, inner.place(found))
			}
			if v.parts == nil {
				n := len(p.memory.extents) - k // that follow in this encoding; few texts have several
				v.parts = p.memory.parts.take(n)
				p.memory.parts.keep(n)
			}
			v.parts = append(v.parts, inner)
		}
	}
	p.memory.extents = p.memory.extents[:first]
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
