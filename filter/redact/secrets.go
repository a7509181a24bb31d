package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"unsafe"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// noSecrets are words that stand where secrets do and are none.
var noSecrets = wordsOf(Placeholder + " password passwd secret undefined required optional string function")

func (p *Pass) learnHeaders(headers []rules.Header) {
	for i := range headers {
		h := &headers[i]
		kind, of := p.r.headerKind(h.Name)
		if of != plain {
			s := scanner{r: p.r, text: h.Value}
			s.value(0, len(h.Value), kind, of)
			p.learnSpans(h.Value, s.spans)
		}
		if of != always {
			p.learnText(h.Value)
		}
	}
}

// learnArguments learns the arguments of the request target, and those that the record has apart from it. The form of a body is
// read by learnText.
func (p *Pass) learnArguments(t *rules.Transaction) {
	for i := range t.Arguments {
		a := &t.Arguments[i]
		p.learnValue(a.Value, p.r.classify(a.Name))
	}
	_, query, _ := strings.Cut(t.URI, "?")
	p.learnPairs(query)
	p.learnPairs(t.RequestBody)
}

// learnPairs learns the values of name=value pairs up to their separators, whatever stands in them.
func (p *Pass) learnPairs(text string) {
	for text != "" {
		var pair string
		pair, text, _ = strings.Cut(text, "&")
		if name, value, assigned := strings.Cut(pair, "="); assigned {
			p.learnValue(value, p.r.classify(name))
		}
	}
}

func (p *Pass) learnValue(value string, of class) {
	if of != plain {
		s := scanner{r: p.r, text: value}
		s.addValue(0, len(value), of)
		p.learnSpans(value, s.spans)
	}
}

// shortestKept is the length in bytes from which the view of a text is kept: shorter ones are quickly read again.
const shortestKept = 12

// learnText learns the secrets that are found in a text by what stands around them, and keeps what was found.
func (p *Pass) learnText(text string) {
	if len(text) >= shortestKept && p.kept(text) != nil {
		return
	}
	room := append(p.memory.views.take(1), view{text: text})
	p.memory.views.keep(1)
	v := &room[0]
	p.scan(v)
	p.learnView(v)
	if len(text) >= shortestKept {
		p.views = append(p.views, v)
	}
}

// kept returns the view of a text that was read before, nil when it was not. Texts are the same when they have the same memory.
func (p *Pass) kept(text string) *view {
	for _, v := range p.views {
		if len(v.text) == len(text) && unsafe.StringData(v.text) == unsafe.StringData(text) {
			return v
		}
	}
	return nil
}

func (p *Pass) learnView(v *view) {
	p.learnSpans(v.text, v.spans)
	for i := range v.parts {
		p.learnView(&v.parts[i].view)
	}
}

func (p *Pass) learnSpans(text string, spans []span) {
	for _, s := range spans {
		p.learn(text[s.start:s.end], s.kind)
	}
}

// learn remembers a secret in the forms in which it can come back: as it is written, and without the escapes of where it stands.
func (p *Pass) learn(text string, k Kind) {
	if !p.learned.add(text, k) {
		return
	}
	written := len(p.learned.secrets) - 1
	if strings.IndexByte(text, '&') >= 0 {
		p.learnForm(html.UnescapeString(text), k)
	}
	if hasAny(text, "%+") {
		if decoded, err := url.QueryUnescape(text); err == nil {
			p.learnForm(decoded, k)
		}
		if decoded, err := url.PathUnescape(text); err == nil {
			p.learnForm(decoded, k)
		}
	}
	if strings.IndexByte(text, '\\') >= 0 {
		var decoded string
		if json.Unmarshal([]byte(`"`+strings.Trim(text, `"`)+`"`), &decoded) == nil {
			p.learnForm(decoded, k)
		}
	}
	if p.learned.secrets[written].isEscaped = len(p.learned.secrets) > written+1; !p.learned.secrets[written].isEscaped {
		p.learnInside(text, k)
	}
	p.learnForm(strings.Trim(text, ` "'`), k)
	if k == Authorization || k == Token {
		if decoded := string(fromBase64(text)); decoded != "" {
			_, password, _ := strings.Cut(decoded, ":")
			p.learnForm(decoded, k)
			p.learnForm(password, k)
		}
	}
}

// learnForm learns one form of a secret, and what is in it.
func (p *Pass) learnForm(text string, k Kind) {
	if p.learned.add(text, k) {
		p.learnInside(text, k)
	}
}

func (p *Pass) learnInside(text string, k Kind) {
	p.learnPieces(text, k)
	if k == Argument {
		p.learnInner(text)
	}
}

// learnPieces learns what looks random in a secret that is more than that: the signature among the parameters of a scheme, or a
// value that was taken together with what follows it.
func (p *Pass) learnPieces(text string, k Kind) {
	for at := 0; at < len(text); at++ {
		start := at
		for at < len(text) && isInWord[text[at]] {
			at++
		}
		if at-start < len(text) && looksRandom(text[start:at]) {
			p.learned.add(text[start:at], k)
		}
	}
}

// learnInner learns the texts in an element or an object that is a secret as a whole: rules read them one by one.
func (p *Pass) learnInner(text string) {
	if strings.IndexByte(text, '<') >= 0 {
		for inner := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == '<' || c == '>' }) {
			if len(inner) >= shortestPart {
				inner = strings.TrimPrefix(inner, "![CDATA[")
				p.learned.add(strings.TrimSuffix(inner, "]]"), Argument)
			}
		}
	}
	if text[0] != '{' && text[0] != '[' {
		return
	}
	s := scanner{r: p.r, text: text}
	for at := 0; at < len(text); at++ {
		if text[at] != '"' {
			continue
		}
		from, to, _ := s.quoted(at)
		if next := s.afterSpace(to + 1); next >= len(text) || text[next] != ':' {
			p.learned.add(text[from:to], Argument)
		}
		at = to
	}
}

// What is learned is looked for everywhere, so it must be long enough not to be found by chance. Cookies are often flags and
// names of languages.
const (
	shortestSecret = 6
	shortestCookie = 8
)

// Bounds of what is learned. A client that sends more makes every text of its alert a secret.
const (
	mostSecrets = 16384
	mostLearned = 2 << 20 // bytes
)

// learned are the secrets of one transaction.
type learned struct {
	memory  *memory
	secrets []secret
	known   map[string]bool // in lower case
	bytes   int
	full    bool
	kind    Kind // of the secret that did not fit in

	all      string // of them, in lower case, a line for each; with the memory of lines
	lines    []byte
	plain    index  // as they are, in lower case
	squeezed index  // letters and digits only: what a rule's transformations leave, and base64 and hexadecimal digits
	low      []byte // of a text: all of it, its letters and digits, and where those stand
	digits   []byte
	places   []int32
}

type secret struct {
	text      string
	kind      Kind
	isEscaped bool // what it is without its escapes is another one
}

// add reports whether a text is one that can be looked for and was not known.
func (l *learned) add(text string, k Kind) bool {
	shortest := shortestSecret
	if k == Cookie || k == SetCookie {
		shortest = shortestCookie
	}
	text = strings.TrimSpace(text)
	if len(text) < shortest || l.full {
		return false
	}
	low := l.memory.lowered(text)
	if l.known[low] || noSecrets.has(low) {
		return false
	}
	if l.bytes += len(text); len(l.known) == mostSecrets || l.bytes > mostLearned {
		l.full, l.kind = true, k
		return false
	}
	if l.known == nil {
		l.known = map[string]bool{}
	}
	l.known[low] = true
	l.secrets = append(l.secrets, secret{text: text, kind: k})
	return true
}

// settle makes the secrets ready to be found.
func (l *learned) settle() {
	if len(l.secrets) == 0 {
		return
	}
	for i := range l.secrets {
		s := &l.secrets[i]
		low := l.memory.lowered(s.text)
		l.lines = append(append(l.lines, low...), '\n')
		shortest := shortestSecret
		if s.kind == Cookie || s.kind == SetCookie {
			shortest = shortestCookie
		}
		l.digits = appendSqueezed(l.digits[:0], s.text)
		if len(l.digits) >= shortest {
			l.squeezed.add(l.memory.copied(l.digits), s.kind, false)
		}
		if len(l.digits) < len(s.text) { // else all that the one index finds, the other one does
			l.plain.add(low, s.kind, false)
		}
		if s.isEscaped {
			continue
		}
		l.squeezed.addEncoded(l.memory, s.text, s.kind)
	}
	l.all = shared(l.lines)
	l.plain.settle()
	l.squeezed.settle()
}

// reset forgets everything.
func (l *learned) reset() {
	l.secrets = emptied(l.secrets)
	clear(l.known)
	l.bytes, l.all = 0, ""
	l.lines = emptied(l.lines)
	l.plain.reset()
	l.squeezed.reset()
}

// size returns about how many bytes are held.
func (l *learned) size() int {
	return cap(l.secrets)*40 + len(l.known)*64 + cap(l.lines) + cap(l.low) + cap(l.digits) + cap(l.places)*4 + l.plain.size() + l.squeezed.size()
}

// Bounds of a secret in another encoding: the start of a long one is enough, and the core of a short one is found by chance.
const (
	longestEncoded  = 96
	shortestEncoded = 7
)

// addEncoded adds what is left of a secret in hexadecimal digits, and in base64 at each of the three places where it can begin in
// what is encoded: the digits that depend on nothing else, letters and digits in lower case.
func (x *index) addEncoded(m *memory, text string, k Kind) {
	var raw [longestEncoded + 2]byte
	var digits [2 * longestEncoded]byte
	text = text[:min(len(text), longestEncoded)]
	copy(raw[2:], text)
	x.add(m.copied(hex.AppendEncode(digits[:0], raw[2:2+len(text)])), k, true)
	for before, foreign := range [...]int{0, 2, 3} {
		all := base64.RawStdEncoding.AppendEncode(digits[:0], raw[2-before:2+len(text)])[foreign:]
		if (before+len(text))%3 != 0 {
			all = all[:len(all)-1]
		}
		if core := appendSqueezed(all[:0], all); len(core) >= shortestEncoded {
			x.add(m.copied(core), k, true)
		}
	}
}

// spans appends where secrets are in a text and behind its escapes.
func (l *learned) spans(v *view, found []span) []span {
	if len(l.secrets) == 0 || len(v.text) < shortestSecret {
		return found
	}
	found = slices.Clip(found)
	if len(l.plain.needles) > 0 {
		l.low = append(l.low[:0], v.text...)
		for i, c := range l.low {
			l.low[i] = lowerByte[c]
		}
		l.plain.find(shared(l.low), func(start, end int, n *needle) {
			found = append(found, span{start, end, n.kind})
		})
	}
	l.squeeze(v.text)
	l.squeezed.find(shared(l.digits), func(start, end int, n *needle) {
		s := span{int(l.places[start]), int(l.places[end-1]) + 1, n.kind}
		if n.isEncoded {
			s = run(v.text, s)
		}
		found = append(found, s)
	})
	for i := range v.parts {
		p := &v.parts[i]
		for _, s := range l.spans(&p.view, nil) {
			found = append(found, p.place(s))
		}
	}
	return found
}

// squeeze notes the letters and digits of a text, and where they stand.
func (l *learned) squeeze(text string) {
	l.digits, l.places = slices.Grow(l.digits[:0], len(text)), slices.Grow(l.places[:0], len(text))
	digits, places := l.digits[:len(text)], l.places[:len(text)]
	n := 0
	for i := range len(text) {
		digits[n], places[n] = squeezedByte[text[i]], int32(i)
		if digits[n] != 0 {
			n++
		}
	}
	l.digits, l.places = digits[:n], places[:n]
}

// run returns the run of digits of base64 around a part of it.
func run(text string, s span) span {
	for s.start > 0 && inRun[text[s.start-1]] {
		s.start--
	}
	for s.end < len(text) && (inRun[text[s.end]] || text[s.end] == '=') {
		s.end++
	}
	return s
}
